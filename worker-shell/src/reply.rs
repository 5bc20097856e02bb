//! Responses to the Worker's own client.

mod status;
mod stream;

pub use self::status::{memory_bytes, status_response};

use crate::bridge;
use bytes::Bytes;
use http::{
    HeaderName, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;
use js_sys::Uint8Array;
use std::{
    pin::Pin,
    str,
    task::{Context, Poll, Waker},
};
use thiserror::Error;
use tower_egress::BoxError;
use wasm_bindgen::JsValue;
use worker::{IntoResponse, web_sys};

/// A response, for a handler of a Worker to return.
///
/// - A body that is there as a whole goes out as bytes, with its length, and as it is: with a `Content-Encoding` it has to
///   be encoded already.
/// - Another is streamed, chunk by chunk as the client reads; with `Content-Length` if it [knows its
///   length](Body::size_hint). When the client goes, the runtime cancels the stream, and the body is dropped.
/// - An error of the body breaks a response of known length off. One of unknown length the runtime ends in order, so that
///   a client takes the part for the whole: say the length, or write an end that can be told.
///
/// # Example
///
/// ```no_run
/// use http::{Request, Response};
/// use tower_egress_worker::{Fetch, FetchBody, Reply};
/// use tower_service::Service;
/// # type Body = http_body_util::Empty<bytes::Bytes>;
///
/// /// Passes on what an upstream says, as it comes.
/// async fn pass_on(request: Request<Body>) -> worker::Result<Reply<FetchBody<Body>>> {
///     let response = Fetch::new().call(request).await.map_err(|error| error.to_string())?;
///     Ok(Reply(response))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Reply<B>(pub Response<B>);

/// A response cannot be handed to the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("that is no response: {0}")]
pub struct InvalidReply(String);

impl<B> From<Response<B>> for Reply<B> {
    fn from(response: Response<B>) -> Self {
        Self(response)
    }
}

impl<B> Reply<B>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    /// Hands it to the runtime.
    ///
    /// # Errors
    ///
    /// [`InvalidReply`] if the status is not one that a Worker may answer with (200 to 599), or a header is not UTF-8.
    pub fn into_js(self) -> Result<web_sys::Response, InvalidReply> {
        let (parts, body) = self.0.into_parts();
        // What is refused must not have become a stream: nobody would drop that.
        if !(200..600).contains(&parts.status.as_u16()) {
            let message = format!("a Worker cannot answer with the status {}", parts.status);
            return Err(InvalidReply(message));
        }
        let mut head = String::with_capacity(48 * parts.headers.len());
        let mut said = None;
        for (name, value) in &parts.headers {
            let value = str::from_utf8(value.as_bytes());
            let value = value
                .map_err(|_| InvalidReply(format!("the header {} is not UTF-8", name.as_str())))?;
            if name == CONTENT_LENGTH {
                said = Some(value);
            } else if name != TRANSFER_ENCODING {
                add(&mut head, name, value);
            }
        }
        let (body, length) = match parts.status {
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
                (JsValue::NULL, None)
            }
            _ => body_into_js(body),
        };
        // The runtime says it itself, of the body that it gets. Without one, it is what a GET would have been told.
        if let Some(said) = said.filter(|_| body.is_null()) {
            add(&mut head, &CONTENT_LENGTH, said);
        }
        let response = bridge::respond(parts.status.as_u16(), &head, &body, length);
        response.map_err(|error| InvalidReply(bridge::describe(&error).replace('\n', ": ")))
    }
}

fn add(head: &mut String, name: &HeaderName, value: &str) {
    for part in [name.as_str(), "\n", value, "\n"] {
        head.push_str(part);
    }
}

/// Returns what JavaScript takes as a body, and the length of one that is streamed.
fn body_into_js<B>(body: B) -> (JsValue, Option<f64>)
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return (JsValue::NULL, None);
    }
    let length = body.size_hint().exact();
    let mut body = Box::pin(body);
    // Whoever polls next brings a waker that somebody listens to.
    let first = body
        .as_mut()
        .poll_frame(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(Some(Ok(frame))) = &first
        && let Some(data) = frame.data_ref()
        && (body.is_end_stream() || length == data.len().try_into().ok())
    {
        return (Uint8Array::from(&data[..]).into(), None);
    }
    (stream::into_js(body, first), length.map(bridge::number))
}

impl<B> IntoResponse for Reply<B>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    fn into_raw(self) -> Result<web_sys::Response, impl Into<Box<dyn std::error::Error>>> {
        self.into_js()
    }
}

type Polled<B> = Poll<Option<Result<http_body::Frame<Bytes>, <B as Body>::Error>>>;
type Boxed<B> = Pin<Box<B>>;
