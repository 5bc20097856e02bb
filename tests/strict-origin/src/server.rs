//! Accepts connections and speaks HTTP/1.1 or HTTP/2 on them.
#![allow(
    clippy::disallowed_methods,
    reason = "the origin owns the runtime that its tasks and timers run on"
)]

use std::{sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::sleep,
};

use crate::{
    connection::{Connection, Socket},
    exchange::exchange,
    state::Shared,
};

/// How much of a response HTTP/1.1 buffers before it asks a body for more.
const BUFFER: usize = 64 * 1024;

/// How long to wait when no connection can be accepted, because there are too many for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves until `stopped` resolves.
pub(crate) async fn serve(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, Arc::clone(shared)));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// Answers the requests of one connection.
async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    // Merely slower without it.
    let _ = stream.set_nodelay(true);
    let connection = Connection::new(Arc::clone(&shared));
    let socket = Socket::new(stream, Arc::clone(&connection));
    let service = service_fn({
        let shared = Arc::clone(&shared);
        move |request| exchange(Arc::clone(&shared), Arc::clone(&connection), request)
    });
    let mut http = auto::Builder::new(TokioExecutor::new());
    // No timer: an idle connection stays open until its client closes it.
    http.http1().max_buf_size(BUFFER);
    let result = http.serve_connection(TokioIo::new(socket), service).await;
    let is_malformed = |error: &(dyn std::error::Error + Send + Sync + 'static)| {
        error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
    };
    if result.is_err_and(|error| is_malformed(&*error)) {
        shared.state().tally.malformed += 1;
    }
}
