//! A body as a stream of JavaScript.

use super::{Boxed, Polled};
use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use js_sys::Uint8Array;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_egress::BoxError;
use wasm_bindgen::JsValue;
use wasm_streams::ReadableStream;

/// The chunks of a body, of which the first was polled already.
struct Chunks<B: Body> {
    body: Boxed<B>,
    first: Option<Polled<B>>,
}

/// Makes a stream that reads the body when its reader pulls, and drops it when it is cancelled.
pub(super) fn into_js<B>(body: Boxed<B>, first: Polled<B>) -> JsValue
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    let first = first.is_ready().then_some(first);
    ReadableStream::from_stream(Chunks { body, first })
        .into_raw()
        .into()
}

/// The body is on the heap.
impl<B: Body> Unpin for Chunks<B> {}

impl<B> Stream for Chunks<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Item = Result<JsValue, JsValue>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match self.first.take() {
                Some(first) => first,
                None => self.body.as_mut().poll_frame(cx),
            };
            return Poll::Ready(match ready!(frame) {
                None => None,
                Some(Ok(frame)) => match frame.into_data() {
                    // An empty chunk is an error in JavaScript, and trailers cannot be said.
                    Ok(data) if data.is_empty() => continue,
                    Err(_) => continue,
                    Ok(data) => Some(Ok(Uint8Array::from(&data[..]).into())),
                },
                Some(Err(error)) => {
                    let error: BoxError = error.into();
                    Some(Err(js_sys::Error::new(&error.to_string()).into()))
                }
            });
        }
    }
}
