//! B6 on the wire: what hyper makes of the bodies that it is given.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use bytes::Bytes;
use egress_backoff::{BackoffLayer, BoxError, ReplayBody};
use egress_time::ManualTimer;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::{cell::RefCell, rc::Rc};
use support::{Scripted, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower::{ServiceBuilder, ServiceExt};

/// Sends one request over a connection of its own; every answer is 503. Returns it, and what the wire saw.
async fn exchange<B>(
    request: Request<ReplayBody<B>>,
    end: &'static str,
) -> Result<(Response<Incoming>, String), BoxError>
where
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let (client, server) = tokio::io::duplex(4096);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await?;
    let send = async move { sender.send_request(request).await };
    let (_, seen, response) = tokio::join!(connection, answer(server, end), send);
    Ok((response?, seen))
}

/// Reads until a request ends in `end`, refuses it, and closes.
async fn answer(mut stream: DuplexStream, end: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.ends_with(end) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "the request ended early: {seen}");
        seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let refusal = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(refusal).await.unwrap();
    seen
}

fn wire<B>(request: Request<B>, end: &'static str) -> Vec<String>
where
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let timer = ManualTimer::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    let client = ServiceBuilder::new()
        .layer(BackoffLayer::new(timer.clone()))
        .service_fn(move |request| {
            let log = Rc::clone(&log);
            async move {
                let (response, seen) = exchange(request, end).await?;
                log.borrow_mut().push(seen);
                Ok::<_, BoxError>(response)
            }
        });
    let response = timer.run(client.oneshot(request)).unwrap();
    assert_eq!(response.status(), 503);
    seen.take()
}

/// B6
#[test]
fn a_body_in_memory_keeps_its_content_length_in_every_attempt() {
    let request = Request::put("/things/7")
        .header("x-own", "yes")
        .body(Full::<Bytes>::from("the payload"))
        .unwrap();
    let seen = wire(request, "the payload");
    assert_eq!(seen.len(), 4);
    for seen in &seen {
        assert!(seen.starts_with("PUT /things/7 HTTP/1.1\r\n"), "{seen}");
        assert!(seen.contains("\r\nx-own: yes\r\n"), "{seen}");
        assert!(seen.contains("\r\ncontent-length: 11\r\n"), "{seen}");
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
}

/// B6
#[test]
fn a_request_without_a_body_gets_none() {
    let request = Request::get("/").body(Full::<Bytes>::default()).unwrap();
    let seen = wire(request, "\r\n\r\n");
    assert_eq!(seen, ["GET / HTTP/1.1\r\n\r\n"; 4]);
}

/// B6
#[test]
fn a_body_of_unknown_size_goes_out_in_chunks_and_once() {
    let steps = [Step::Data("one"), Step::Pending, Step::Data("two")];
    let request = Request::put("/").body(Scripted::new(None, steps)).unwrap();
    let seen = wire(request, "0\r\n\r\n");
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].contains("\r\ntransfer-encoding: chunked\r\n"),
        "{seen:?}"
    );
    assert!(
        seen[0].ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        "{seen:?}"
    );
}
