//! One call, and the service that answers it at once.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Body;
use http_body_util::Full;
use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Future, Ready, ready},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower_service::Service;

const JSON: &str = r#"{"id":61804390,"full_name":"tower-rs/tower","stargazers_count":3800}"#;

/// Answers every request at once, with a small JSON.
///
/// A clone costs what a clone of a client's handle costs: one counter.
#[derive(Clone, Debug)]
pub struct Origin {
    reply: Arc<Response<Full<Bytes>>>,
}

impl Origin {
    /// Makes one whose replies have three headers, none of them about limits.
    pub fn new() -> Self {
        let mut reply = Response::new(Full::from(JSON));
        let headers = reply.headers_mut();
        let json = header::HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::SERVER, header::HeaderValue::from_static("origin"));
        headers.insert(header::ETAG, header::HeaderValue::from_static("\"5f2b1c\""));
        Self {
            reply: Arc::new(reply),
        }
    }

    /// Makes one that speaks of a limit in every reply, which is never reached and ends in an hour.
    pub fn with_limit(unix_time: Duration) -> Self {
        let mut reply = Response::clone(&Self::new().reply);
        let reset = unix_time.as_secs() + 3600;
        for (name, value) in [
            ("x-ratelimit-limit", 4_000_000_000),
            ("x-ratelimit-remaining", 4_000_000_000),
            ("x-ratelimit-reset", reset),
        ] {
            reply.headers_mut().insert(name, value.into());
        }
        Self {
            reply: Arc::new(reply),
        }
    }
}

impl Default for Origin {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Service<Request<B>> for Origin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::clone(&self.reply)))
    }
}

/// Returns the request that every call is a clone of: a GET with four headers.
///
/// # Panics
///
/// Never; its parts are valid.
pub fn request() -> Request<Full<Bytes>> {
    Request::get("https://api.github.com/repos/tower-rs/tower")
        .header("accept", "application/vnd.github+json")
        .header("user-agent", "tower-egress")
        .header("authorization", "Bearer 0123456789abcdef0123456789abcdef")
        .header("x-github-api-version", "2022-11-28")
        .body(Full::default())
        .expect("these are valid")
}

/// Makes one call and reads the body to its end; returns how long that was.
///
/// # Panics
///
/// If anything is not ready at once, or fails: then it measures something else.
pub fn exchange<S, B>(service: &mut S, request: Request<Full<Bytes>>) -> usize
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: Debug,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let mut cx = Context::from_waker(Waker::noop());
    at_once(service.poll_ready(&mut cx)).expect("the service is ready");
    let response = at_once(pin!(service.call(request)).poll(&mut cx)).expect("the call succeeds");
    let mut body = pin!(response.into_body());
    let mut length = 0;
    while let Some(frame) = at_once(body.as_mut().poll_frame(&mut cx)) {
        length += frame.expect("a frame").data_ref().map_or(0, Bytes::len);
    }
    length
}

fn at_once<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_the_whole_body() {
        let mut origin = Origin::with_limit(Duration::from_secs(1_800_000_000));
        assert_eq!(exchange(&mut origin, request()), JSON.len());
        let headers = origin.reply.headers();
        assert_eq!(headers["x-ratelimit-reset"], "1800003600");
        assert_eq!((request().headers().len(), headers.len()), (4, 6));
    }
}
