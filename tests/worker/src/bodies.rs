//! What becomes of bodies.

use crate::{
    Ask,
    ask::Chunks,
    one::{failed, head, sleep},
    said,
    stack::client,
};
use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};
use tower_egress::BoxError;
use tower_egress_worker::Reply;
use tower_service::Service;
use worker::{Result, web_sys};

/// Reads one frame and drops the rest; then stays for a moment.
pub(crate) async fn half(ask: &Ask) -> Result<Value> {
    let mut client = client::<Full<Bytes>>();
    let mut body = client
        .call(ask.request()?)
        .await
        .map_err(failed)?
        .into_body();
    let frame = body.frame().await.transpose().map_err(failed)?;
    let first = frame
        .as_ref()
        .and_then(Frame::data_ref)
        .map_or(0, Bytes::len);
    drop(body);
    sleep(ask.number("stay").unwrap_or(500)).await;
    Ok(json!({ "first": first }))
}

/// Gets `n` responses and reads none of their bodies.
pub(crate) async fn unread(ask: &Ask) -> Result<Value> {
    let mut client = client::<Full<Bytes>>();
    let mut heads = Vec::new();
    let mut kept = Vec::new();
    for _ in 0..ask.number("n").unwrap_or(1) {
        let response = client.call(ask.request()?).await.map_err(failed)?;
        heads.push(head(&response));
        kept.push(response);
    }
    Ok(json!({ "heads": heads }))
}

/// Passes on what an upstream says, as it comes.
pub(crate) async fn pass(ask: &Ask) -> Result<web_sys::Response> {
    let mut client = client::<Full<Bytes>>();
    let response = client.call(ask.request()?).await.map_err(failed)?;
    Reply(response).into_js().map_err(said)
}

thread_local! {
    static DROPPED: Cell<u64> = const { Cell::new(0) };
}

/// A body that counts when it is dropped before its end.
struct Counted {
    chunks: Chunks,
    length: Option<u64>,
    done: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.done {
            DROPPED.set(DROPPED.get() + 1);
        }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.chunks).poll_frame(cx);
        self.done |= !matches!(frame, Poll::Pending | Poll::Ready(Some(Ok(_))));
        frame
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Answers with a stream of `chunks`, with or without a length, which fails at its end or not.
pub(crate) fn stream(ask: &Ask) -> Result<web_sys::Response> {
    let chunks = ask.number("chunks").unwrap_or(1);
    let fails = ask.text("fails").is_some();
    let body = Counted {
        chunks: Chunks::new(ask),
        length: ask.text("length").map(|_| chunks * 1000 + u64::from(fails)),
        done: false,
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(
        "x-told",
        HeaderValue::from_bytes("grün".as_bytes()).map_err(said)?,
    );
    Reply(response).into_js().map_err(said)
}

pub(crate) fn dropped() -> Value {
    json!({ "dropped": DROPPED.get() })
}
