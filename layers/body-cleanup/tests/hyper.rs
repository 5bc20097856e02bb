//! K1 with a real client: which connections live on after a response was dropped unread.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use egress_body_cleanup::{BodyCleanupLayer, Counts, Executor, NoExecutor, Task};
use egress_time::TokioTimer;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use std::{
    cell::RefCell,
    future::Future,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::LocalSet,
};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

const KIB: usize = 1024;

/// Runs what it gets on the current-thread runtime of the test.
#[derive(Clone)]
struct Spawn;

#[allow(clippy::disallowed_methods, reason = "the test owns the tasks")]
impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

/// Answers every request with `len` bytes; counts its connections.
#[allow(clippy::disallowed_methods, reason = "the test owns the tasks")]
async fn serve(len: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(answer(stream, len));
        }
    });
    (address, accepted)
}

async fn answer(stream: TcpStream, len: usize) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        if line == "\r\n" {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n");
            // The client closes when it has had enough.
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&vec![b'x'; len]).await;
        }
        line.clear();
    }
}

type Connection = Rc<RefCell<Option<SendRequest<Empty<Bytes>>>>>;

/// A client that keeps one connection and makes another only when that one is closed.
#[allow(clippy::disallowed_methods, reason = "the test owns the tasks")]
async fn send(address: SocketAddr, kept: Connection) -> Result<Response<Incoming>, BoxError> {
    let mut reused = kept.borrow_mut().take();
    if let Some(connection) = &mut reused
        && connection.ready().await.is_err()
    {
        reused = None;
    }
    let mut connection = match reused {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(address).await?;
            let (sender, driver) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(driver);
            sender
        }
    };
    let request = Request::builder()
        .header("host", "loopback")
        .body(Empty::new())?;
    let response = connection.send_request(request).await?;
    *kept.borrow_mut() = Some(connection);
    Ok(response)
}

/// Sends two requests, each dropped unread; returns how many connections that took.
fn connections_for<X>(
    layer: &BodyCleanupLayer<Incoming, TokioTimer, X>,
    len: usize,
) -> (usize, Counts)
where
    X: Executor<Task<Incoming, TokioTimer>> + Clone,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (address, accepted) = serve(len).await;
        let kept = Connection::default();
        let mut service = layer.layer(service_fn(|_: Request<()>| send(address, Rc::clone(&kept))));
        for _ in 0..2 {
            let response = service
                .ready()
                .await
                .unwrap()
                .call(Request::new(()))
                .await
                .unwrap();
            let mut body = response.into_body();
            let first = body.frame().await.unwrap().unwrap();
            assert!(first.data_ref().unwrap().len() <= len);
            drop(body);
        }
        // Whatever drains still, has time to: the third request goes where the second one's connection
        // stands.
        drop(
            service
                .ready()
                .await
                .unwrap()
                .call(Request::new(()))
                .await
                .unwrap(),
        );
        (accepted.load(Ordering::Relaxed), layer.stats().counts())
    })
}

fn layer() -> BodyCleanupLayer<Incoming, TokioTimer, NoExecutor> {
    BodyCleanupLayer::new(TokioTimer::new())
}

/// K1
#[test]
fn a_small_unread_rest_is_drained_in_the_background_and_the_connection_lives() {
    let (connections, counts) = connections_for(&layer().with_executor(Spawn), 200 * KIB);
    assert_eq!(connections, 1, "{counts:?}");
}

/// K1
#[test]
fn without_an_executor_the_same_rest_closes_the_connection() {
    let (connections, counts) = connections_for(&layer(), 200 * KIB);
    assert_eq!(connections, 3, "{counts:?}");
}

/// K1
#[test]
fn a_huge_rest_is_not_drained_and_the_connection_is_closed() {
    let (connections, counts) = connections_for(&layer().with_executor(Spawn), 8 * KIB * KIB);
    assert_eq!(connections, 3, "{counts:?}");
    assert_eq!((counts.cancelled, counts.drained), (3, 0));
}

/// K1: what came in one piece is no trouble with any setting.
#[test]
fn a_response_in_one_piece_costs_no_connection() {
    let (connections, counts) = connections_for(&layer(), 2 * KIB);
    assert_eq!(connections, 1, "{counts:?}");
}
