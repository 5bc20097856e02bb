//! Answers that say something else than they are.

use crate::{
    Ask,
    one::{failed, sleep},
    said,
};
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, StreamBody};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    task::{Context, Poll},
};
use tower_egress_worker::{Fetch, Reply, until_disconnect};
use tower_service::Service;
use worker::{AbortController, Result, web_sys};

/// Answers with `status`, the header `content-length` and a body of `text`, with `empty` in parts of which every other is empty.
pub(crate) fn reply(ask: &Ask) -> Result<web_sys::Response> {
    let text = ask.text("text").unwrap_or_default().to_owned();
    if ask.text("empty").is_none() {
        return with_head(ask, Full::<Bytes>::from(text));
    }
    let parts: Vec<_> = text
        .into_bytes()
        .into_iter()
        .flat_map(|byte| [Bytes::new(), vec![byte].into()])
        .map(|part| Ok::<_, Infallible>(Frame::data(part)))
        .collect();
    with_head(ask, StreamBody::new(futures_util::stream::iter(parts)))
}

fn with_head<B>(ask: &Ask, body: B) -> Result<web_sys::Response>
where
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let status = ask.number("status").unwrap_or(200);
    let status = u16::try_from(status).map_err(said)?;
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(said)?;
    if let Some(length) = ask.number("content-length") {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    Reply(response).into_js().map_err(said)
}

/// Hands on a response that a Worker cannot answer with, by its `status` or else by a header, and stays for a moment.
pub(crate) async fn refused(ask: &Ask) -> Result<Value> {
    let mut response = Fetch::new().call(ask.request()?).await.map_err(failed)?;
    match ask.number("status") {
        Some(status) => {
            let status = u16::try_from(status).map_err(said)?;
            *response.status_mut() = StatusCode::from_u16(status).map_err(said)?;
        }
        None => {
            let value = HeaderValue::from_bytes(b"\xff").map_err(said)?;
            response.headers_mut().insert("x-bad", value);
        }
    }
    let refused = Reply(response).into_js().err();
    sleep(1000).await;
    Ok(json!({ "refused": refused.map(|error| error.to_string()) }))
}

/// Answers with `text`, which the test has packed, byte for byte as it says in hexadecimal.
pub(crate) fn packed(ask: &Ask) -> Result<web_sys::Response> {
    let digits = ask.text("hex").unwrap_or_default().as_bytes();
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let bytes = bytes.ok_or("that is not hexadecimal")?;
    let length = bytes.len();
    let parts = bytes.chunks(10).map(Bytes::copy_from_slice);
    let parts: Vec<_> = parts
        .map(|part| Ok::<_, Infallible>(Frame::data(part)))
        .collect();
    let stream = StreamBody::new(futures_util::stream::iter(parts));
    let response = Response::builder().header(CONTENT_ENCODING, "gzip");
    let answer = match ask.text("how") {
        Some("stream") => Reply(response.body(stream).map_err(said)?).into_js(),
        Some("known") => {
            let limited = WithLength(stream, u64::try_from(length).map_err(said)?);
            Reply(response.body(limited).map_err(said)?).into_js()
        }
        _ => Reply(response.body(Full::<Bytes>::from(bytes)).map_err(said)?).into_js(),
    };
    answer.map_err(said)
}

/// A body of which the length is known.
struct WithLength<B>(B, u64);

impl<B: Body + Unpin> Body for WithLength<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.1)
    }
}

/// Works for a client that went away before the work began.
pub(crate) async fn gone_before() -> Value {
    let controller = AbortController::default();
    let signal = controller.signal();
    controller.abort();
    let mut began = false;
    let work = async {
        began = true;
        pending::<()>().await;
    };
    let done = until_disconnect(&signal, work).await;
    json!({ "done": done.is_some(), "began": began })
}
