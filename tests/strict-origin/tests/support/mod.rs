//! A plain client over real sockets, and ways to wait for what another thread does.
#![allow(
    dead_code,
    reason = "every test file is a crate of its own and uses a part of this"
)]
#![allow(clippy::unwrap_used, reason = "what helps a test fails with it")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a server is tested on real sockets in real time"
)]

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use strict_origin::{Builder, StrictOrigin};

/// Runs a test on a runtime of its own.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test)
}

pub(crate) async fn start(builder: Builder) -> (StrictOrigin, Client) {
    let origin = builder.start().await.unwrap();
    let client = Client::http1(&origin);
    (origin, client)
}

#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: legacy::Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Client {
    pub(crate) fn http1(origin: &StrictOrigin) -> Self {
        Self::new(origin, false)
    }

    pub(crate) fn http2(origin: &StrictOrigin) -> Self {
        Self::new(origin, true)
    }

    fn new(origin: &StrictOrigin, http2: bool) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            inner: legacy::Client::builder(TokioExecutor::new())
                .http2_only(http2)
                .retry_canceled_requests(false)
                .build(connector),
            base: origin.url().to_owned(),
        }
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        body: &'static str,
    ) -> Request<Full<Bytes>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        request.body(Full::from(body)).unwrap()
    }

    /// Sends a request and leaves the body unread.
    pub(crate) async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        self.inner.request(request).await
    }

    /// Sends a request and reads the body.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let (head, body) = self.open(request).await?.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, "")).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        body: &'static str,
        headers: &[(&'static str, &'static str)],
    ) -> Answer {
        let mut request = self.request(Method::POST, path, body);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.send(request).await
    }
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.header(name).unwrap().parse().unwrap()
    }
}

/// Sends bytes and returns what comes back until the end, and how it ended.
pub(crate) fn raw(origin: &StrictOrigin, bytes: &[u8]) -> (Vec<u8>, io::Result<()>) {
    let mut stream = TcpStream::connect(origin.addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut received = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return (received, Ok(())),
            Ok(count) => received.extend_from_slice(&part[..count]),
            Err(error) => return (received, Err(error)),
        }
    }
}

pub(crate) fn raw_get(origin: &StrictOrigin, path: &str) -> (Vec<u8>, io::Result<()>) {
    raw(
        origin,
        format!("GET {path} HTTP/1.1\r\nhost: o\r\n\r\n").as_bytes(),
    )
}

/// Begins a request and never ends its body, so that it waits for its response head until the
/// stream is dropped.
pub(crate) fn hold_upload(origin: &StrictOrigin, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(origin.addr()).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: o\r\ncontent-length: 10\r\n\r\nhalf");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

pub(crate) async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Waits until something is true of what another thread does.
pub(crate) async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "never happened: {what}"
        );
        pause(1).await;
    }
}
