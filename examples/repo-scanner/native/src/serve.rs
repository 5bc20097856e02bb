//! Serving the dashboard and the API, and working on scans meanwhile.

mod connections;
mod housekeeping;
mod http;
mod listen;
mod reload;
mod worker;

pub(crate) use self::listen::Listen;

use self::reload::Hangups;
use crate::{
    asked::Asked,
    config::ConfigFile,
    failure::Failure,
    interrupt::{self, Told},
    program::{self, Program},
    target::Target,
};
use axum::serve::ListenerExt;
use std::{path::PathBuf, pin::pin, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Notify};
use tower_egress::{Clock, SleepUntil, TokioTimer, flags::Flags};

/// For how long requests under way are waited for at the end.
const GRACE: Duration = Duration::from_secs(10);

/// How to serve.
#[derive(Debug)]
pub(crate) struct ServeCommand {
    pub(crate) asked: Asked,
    pub(crate) db: PathBuf,
    pub(crate) listen: Listen,
    pub(crate) token: Option<String>,
    pub(crate) flags: Flags,
    pub(crate) config: Option<ConfigFile>,
}

/// Serves until it is told to end.
pub(crate) async fn run(options: ServeCommand) -> Result<(), Failure> {
    // First of all: until it is heeded, it ends a program.
    let hangups = Hangups::new();
    let target = Target::of(&options.asked).await?;
    let listener = options.listen.bind().await?;
    let flags = options.flags.clone();
    let program = Program::new(&options.asked, &target, &options.db, flags).await?;
    interrupt::heeded(async |told| {
        program::announce(&options.asked, &target, "scans are");
        let reload = hangups.reload(&options.flags, options.config.as_ref());
        let result = tokio::select! {
            result = serve(&program, listener, options.token, &told) => result,
            never = reload => match never {},
        };
        program.close().await;
        target.leave().await;
        result
    })
    .await
}

/// Serves until it is told to end, and ends in order: no request is taken any more, those under way are finished, what was
/// fetched is stored.
pub(crate) async fn serve(
    program: &Program,
    listener: TcpListener,
    token: Option<String>,
    told: &Told,
) -> Result<(), Failure> {
    let wake = Arc::new(Notify::new());
    let address = listener.local_addr();
    let address = address.map_err(|error| Failure::failed("cannot serve", error))?;
    let router = http::router(program, token, Arc::clone(&wake)).await?;
    // The end of an answer would wait 40 ms for the client to confirm its beginning.
    let listener = listener.tap_io(|stream| {
        // What is slow works all the same.
        let _ = stream.set_nodelay(true);
    });
    let server = connections::serve(listener, router, told);
    eprintln!("dashboard and API at http://{address}; Ctrl-C ends");

    let server = async {
        let mut server = pin!(server);
        tokio::select! {
            // Where nothing is under way there is nothing to tell.
            biased;
            () = &mut server => return,
            () = told.to_end() => {}
        }
        eprintln!("ending: finishing what is under way; Ctrl-C again ends at once");
        let until = TokioTimer::new().now() + GRACE;
        tokio::select! {
            () = server => {}
            () = SleepUntil::new(TokioTimer::new(), until) => {
                eprintln!("some requests were not finished in {GRACE:?}, and are given up");
            }
        }
    };
    let both = async { tokio::join!(server, worker::work(program, &wake, told)) };
    tokio::select! {
        _ = both => Ok(()),
        never = housekeeping::keep(program) => match never {},
    }
}
