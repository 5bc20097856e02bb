//! Connections of those who ask: so many at a time, and none that is held by somebody who says nothing, or hears nothing.

mod stalled;

use self::stalled::Stalled;
use crate::interrupt::Told;
use axum::{Router, serve::Listener};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How many there may be at a time; who comes then waits. Each is a file of the process, which has 1,024 on many systems, and
/// a scan needs some of its own.
const MOST: usize = 256;
/// For how long somebody may have a connection before the head of a request is there, the next one too.
const HEAD: Duration = Duration::from_secs(10);

/// Serves until it is told to end, and then finishes what is under way.
///
/// `axum::serve` has no such limits.
pub(super) async fn serve(mut listener: impl Listener, router: Router, told: &Told) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let under_way = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            let (io, _) = listener.accept().await;
            (place, io)
        };
        let (place, io) = tokio::select! {
            biased;
            () = told.to_end() => break,
            accepted = accept => accepted,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(Stalled::new(io)), service);
        let connection = under_way.watch(connection);
        #[allow(
            clippy::disallowed_methods,
            reason = "the program itself, not a layer: it owns its runtime"
        )]
        tokio::spawn(async move {
            // That a client has gone is no news.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    under_way.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, routing::get};
    use std::io;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        sync::mpsc,
        time::Instant,
    };

    struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

    impl Listener for Pipes {
        type Io = DuplexStream;
        type Addr = ();

        async fn accept(&mut self) -> (DuplexStream, ()) {
            match self.0.recv().await {
                Some(pipe) => (pipe, ()),
                None => std::future::pending().await,
            }
        }

        fn local_addr(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Runs a client against a server in virtual time; it connects by what it is handed.
    fn served<F: Future>(client: impl FnOnce(Box<dyn Fn() -> DuplexStream>) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (connect, pipes) = mpsc::unbounded_channel();
            let connect = Box::new(move || {
                let (ours, theirs) = duplex(1024);
                connect.send(theirs).unwrap();
                ours
            });
            let router = Router::new()
                .route("/", get(|| async { "here" }))
                .route("/much", get(|| async { Body::from(vec![b'.'; 1 << 20]) }));
            let (_tell, told) = Told::new();
            tokio::select! {
                () = serve(Pipes(pipes), router, &told) => unreachable!(),
                output = client(connect) => output,
            }
        })
    }

    async fn ask(mut pipe: DuplexStream) -> String {
        let request = b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
        pipe.write_all(request).await.unwrap();
        let mut answer = String::new();
        pipe.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[test]
    fn half_a_head_holds_no_connection_however_slowly_it_goes_on() {
        served(async |connect| {
            let start = Instant::now();
            let mut pipe = connect();
            pipe.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n")
                .await
                .unwrap();
            let mut answer = [0; 64];
            while let Ok(Err(_)) | Err(_) =
                tokio_timeout(Duration::from_secs(1), pipe.read(&mut answer)).await
            {
                let _ = pipe.write_all(b"x: y\r\n").await;
            }
            assert!(start.elapsed() <= HEAD + Duration::from_secs(2));
        });
    }

    #[test]
    fn who_says_nothing_on_every_connection_keeps_others_out_for_a_moment_only() {
        served(async |connect| {
            let start = Instant::now();
            let silent: Vec<_> = (0..MOST).map(|_| connect()).collect();
            let answer = ask(connect()).await;
            assert!(answer.ends_with("here"), "{answer}");
            assert!(start.elapsed() >= HEAD, "no more than {MOST} at a time");
            assert!(start.elapsed() < HEAD * 2);
            drop(silent);
        });
    }

    #[test]
    fn who_asks_and_does_not_read_is_given_up_and_who_reads_slowly_is_not() {
        served(async |connect| {
            let request = b"GET /much HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
            for (pause, whole) in [(20, true), (60, false)] {
                let mut pipe = connect();
                pipe.write_all(request).await.unwrap();
                tokio_timeout(Duration::from_secs(pause), std::future::pending::<()>())
                    .await
                    .unwrap_err();
                let mut answer = Vec::new();
                let read = pipe.read_to_end(&mut answer).await;
                read.unwrap();
                assert_eq!(answer.len() > 1 << 20, whole, "{pause} s");
            }
        });
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the runtime's own clock, which stands still here"
    )]
    async fn tokio_timeout<F: Future>(
        time: Duration,
        future: F,
    ) -> Result<F::Output, tokio::time::error::Elapsed> {
        tokio::time::timeout(time, future).await
    }
}
