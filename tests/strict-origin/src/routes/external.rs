//! An API that is nobody's: echoes, bytes, delays, statuses and items to write.
#![allow(
    clippy::disallowed_methods,
    reason = "a delayed response pauses on the origin's own runtime"
)]

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::segments;
use crate::{
    Api,
    content::{self, Content},
    errors, hash, query,
    state::Shared,
};

/// The headers that an echo repeats: none that could be a secret.
const ECHOED: [&str; 10] = [
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "x-request-id",
];

/// The most bytes that a body can be asked to have.
const MOST_BYTES: u64 = 1 << 30;

/// The longest that a response can be asked to take.
const LONGEST: u64 = 60_000;

pub(super) async fn serve(shared: &Shared, request: &Request<Bytes>) -> Response<Content> {
    let query = request.uri().query();
    match (
        request.method().as_str(),
        segments(request.uri().path()).as_slice(),
    ) {
        (_, ["anything", ..]) => content::json(StatusCode::OK, &describe(request)),
        ("POST", ["echo"]) => echo(request),
        ("GET" | "HEAD", ["bytes", count]) => filling(count, |content| content),
        ("GET" | "HEAD", ["slow-body", count]) => {
            let time =
                Duration::from_millis(query::number(query, "ms").unwrap_or(100).min(LONGEST));
            let pieces = query::number(query, "pieces").unwrap_or(8);
            filling(count, |content| content.slowly(pieces, time))
        }
        ("GET" | "HEAD", ["delay", millis]) => match millis.parse::<u64>() {
            Ok(millis) if millis <= LONGEST => {
                sleep(Duration::from_millis(millis)).await;
                content::json(StatusCode::OK, &json!({ "delay_ms": millis }))
            }
            _ => bad_request("A delay is a number of milliseconds up to 60000."),
        },
        (_, ["status", code]) => status(code),
        ("GET" | "HEAD", ["items", id]) => {
            let item = shared.state().writes.get(id);
            match item {
                Some(item) => {
                    content::json(StatusCode::OK, &item_json(id, item.writes, item.length))
                }
                None => errors::error(Api::External, StatusCode::NOT_FOUND, "No such item."),
            }
        }
        ("PUT" | "POST", ["items", id]) => {
            let item = shared.state().writes.put(id, request.body().len());
            let status = if item.writes == 1 {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            content::json(status, &item_json(id, item.writes, item.length))
        }
        (_, ["echo" | "bytes" | "slow-body" | "delay" | "items", ..]) => errors::error(
            Api::External,
            StatusCode::METHOD_NOT_ALLOWED,
            "Method not allowed.",
        ),
        _ => errors::error(Api::External, StatusCode::NOT_FOUND, "Not found."),
    }
}

/// Says what a request was; `body_hash` is FNV-1a in 64 bits.
fn describe(request: &Request<Bytes>) -> Value {
    let headers: Map<String, Value> = ECHOED
        .into_iter()
        .filter_map(|name| {
            let value = request.headers().get(name)?.to_str().ok()?;
            Some((name.to_owned(), Value::from(value)))
        })
        .collect();
    json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "query": request.uri().query(),
        "headers": headers,
        "body_length": request.body().len(),
        "body_hash": format!("{:016x}", hash::fnv1a(request.body())),
    })
}

fn echo(request: &Request<Bytes>) -> Response<Content> {
    let mut response = Response::new(Content::from(request.body().clone()));
    if let Some(content_type) = request.headers().get(CONTENT_TYPE) {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, content_type.clone());
    }
    response
}

fn filling(count: &str, pace: impl FnOnce(Content) -> Content) -> Response<Content> {
    match count.parse::<u64>() {
        Ok(count) if count <= MOST_BYTES => Response::new(pace(Content::filling(count))),
        _ => bad_request("A body has a number of bytes up to 2^30."),
    }
}

fn status(code: &str) -> Response<Content> {
    let status = code
        .parse()
        .ok()
        .and_then(|code: u16| StatusCode::from_u16(code).ok());
    match status {
        Some(status) if matches!(status.as_u16(), 204 | 205 | 304) => content::empty(status),
        Some(status) if (200..600).contains(&status.as_u16()) => {
            content::json(status, &json!({ "status": status.as_u16() }))
        }
        _ => bad_request("A status is a number from 200 to 599."),
    }
}

fn item_json(id: &str, writes: u64, length: usize) -> Value {
    json!({ "id": id, "writes": writes, "length": length })
}

fn bad_request(message: &str) -> Response<Content> {
    errors::error(Api::External, StatusCode::BAD_REQUEST, message)
}
