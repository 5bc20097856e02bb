//! One request.

use crate::{
    Ask, said,
    stack::{client, invocation},
};
use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::{error::Error, pin::pin, time::Duration};
use tower_egress::{
    AttemptTimeout, BoxError, CapturedBody, Clock, ErrorKind, Instant, RetryInfo, ServerTiming,
    SleepUntil,
};
use tower_egress_worker::{Fetch, FetchError, FinalUrl, WorkerTimer};
use tower_service::Service;
use worker::Result;

/// Sends a request through the stack: `url`, `api`, `timeout` of an attempt and `drop` of the future in milliseconds.
pub(crate) async fn through_the_stack(ask: &Ask) -> Result<Value> {
    match ask.text("chunks") {
        Some(_) => exchange(ask, client(), with_timeout(ask, ask.streamed()?)).await,
        None => exchange(ask, client(), with_timeout(ask, ask.request()?)).await,
    }
}

/// Sends a request by the bare fetch.
pub(crate) async fn bare(ask: &Ask) -> Result<Value> {
    match ask.text("chunks") {
        Some(_) => exchange(ask, Fetch::new(), ask.streamed()?).await,
        None => exchange(ask, Fetch::new(), ask.request()?).await,
    }
}

/// Asks `n` times for `url`, one after the other, and tells in `Server-Timing` what that came to.
pub(crate) async fn timed(ask: &Ask) -> Result<Response<Full<Bytes>>> {
    let egress = invocation();
    let tally = egress.tally();
    let client = egress.layer(Fetch::new()).with_tally(&tally);
    for _ in 0..ask.number("n").unwrap_or(1) {
        let response = client.clone().call(ask.request()?).await.map_err(failed)?;
        response.into_body().collect().await.map_err(failed)?;
    }
    let header = ServerTiming::of(&tally).to_header();
    let response = Response::builder().header("server-timing", header);
    response.body(Full::default()).map_err(said)
}

fn with_timeout<B>(ask: &Ask, mut request: Request<B>) -> Request<B> {
    if let Some(timeout) = ask.number("timeout") {
        let timeout = AttemptTimeout(Duration::from_millis(timeout));
        request.extensions_mut().insert(timeout);
    }
    request
}

pub(crate) async fn sleep(milliseconds: u64) {
    let until = WorkerTimer::new().now() + Duration::from_millis(milliseconds);
    SleepUntil::new(WorkerTimer::new(), until).await;
}

pub(crate) fn since(start: Instant) -> u64 {
    (WorkerTimer::new().now() - start)
        .as_millis()
        .try_into()
        .unwrap_or(u64::MAX)
}

async fn exchange<S, Q, B>(ask: &Ask, mut service: S, request: Request<Q>) -> Result<Value>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let start = WorkerTimer::new().now();
    let call = pin!(service.call(request));
    let result = match ask.number("drop") {
        None => call.await,
        Some(after) => match select(call, pin!(sleep(after))).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => return Ok(json!({ "dropped": true, "ms": since(start) })),
        },
    };
    let response = match result {
        Ok(response) => response,
        Err(error) => return Ok(failure(&error.into(), start)),
    };
    let mut told = head(&response);
    told["headers_ms"] = since(start).into();
    match response.into_body().collect().await {
        Ok(collected) => {
            let data = collected.to_bytes();
            told["length"] = data.len().into();
            if data.len() <= 1000 {
                told["body"] = String::from_utf8_lossy(&data).into();
            }
        }
        Err(error) => told["body_error"] = failure(&error.into(), start)["error"].take(),
    }
    told["ms"] = since(start).into();
    Ok(told)
}

/// What the head of a response says.
pub(crate) fn head<B>(response: &Response<B>) -> Value {
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]));
    let extensions = response.extensions();
    json!({
        "status": response.status().as_u16(),
        "headers": headers.collect::<Value>(),
        "attempts": extensions.get::<RetryInfo>().map(|info| info.attempts),
        "captured": extensions.get::<CapturedBody>().map(|body| body.bytes().len()),
        "final_url": extensions.get::<FinalUrl>().map(|url| url.0.to_string()),
    })
}

pub(crate) fn failure(error: &BoxError, start: Instant) -> Value {
    let fetch = std::iter::successors(Some(&**error as &(dyn Error + 'static)), |&error| {
        error.source()
    })
    .find_map(|error| error.downcast_ref::<FetchError>());
    json!({
        "ms": since(start),
        "error": {
            "kind": format!("{:?}", ErrorKind::of(&**error)),
            "fetch": fetch.map(|error| format!("{:?}", error.kind())),
            "message": fetch.map(FetchError::message),
            "text": said_all(&**error),
        },
    })
}

fn said_all(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Makes a handler's error of what a service returned.
pub(crate) fn failed(error: impl Into<BoxError>) -> worker::Error {
    said(BoxedError(error.into()))
}

/// A boxed error is none by itself.
#[derive(Debug)]
struct BoxedError(BoxError);

impl std::fmt::Display for BoxedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for BoxedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
