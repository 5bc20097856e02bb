//! The future of a response.

use super::{FetchBody, FetchError, FetchErrorKind, body::Live, head, upload::Upload};
use crate::bridge::{Answer, Event, Exchange, Slot};
use bytes::Bytes;
use http::{Method, Request, Response, request};
use http_body::Body;
use js_sys::Uint8Array;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_egress::BoxError;
use wasm_bindgen::JsValue;

/// The response to a [fetch](super::Fetch), to come.
///
/// # Cancel safety
///
/// Nothing is sent before it is first polled. Dropping it aborts the fetch.
///
/// # Panics
///
/// When it is polled after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct FetchFuture<B> {
    state: State<B>,
}

enum State<B> {
    Unsent(request::Parts, B),
    Sent(Sent<B>),
    Done,
}

/// A fetch whose response has not come.
struct Sent<B> {
    live: Live,
    method: Method,
    upload: Option<Upload<B>>,
}

/// The body moves to the heap before it is pinned.
impl<B> Unpin for FetchFuture<B> {}

impl<B> FetchFuture<B> {
    pub(super) fn new(request: Request<B>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            state: State::Unsent(parts, body),
        }
    }
}

impl<B> Future for FetchFuture<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<FetchBody<B>>, FetchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut sent = match std::mem::replace(&mut self.state, State::Done) {
            State::Unsent(parts, body) => Sent::send(parts, body, cx)?,
            State::Sent(sent) => sent,
            State::Done => panic!("a FetchFuture was polled after it was ready"),
        };
        match sent.poll(cx)? {
            Poll::Ready(answer) => Poll::Ready(sent.receive(&answer)),
            Poll::Pending => {
                self.state = State::Sent(sent);
                Poll::Pending
            }
        }
    }
}

impl<B> Sent<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn send(parts: request::Parts, body: B, cx: &mut Context<'_>) -> Result<Self, FetchError> {
        let head = head::write(&parts)?;
        let mut upload = None;
        let body = match Outgoing::of(body, cx)? {
            Outgoing::Nothing => JsValue::UNDEFINED,
            Outgoing::Whole(data) => Uint8Array::from(&data[..]).into(),
            Outgoing::Stream(stream) => upload.insert(stream).as_js().into(),
        };
        let slot = Slot::open();
        let live = Live {
            exchange: Exchange::new(slot.id(), &head, &body),
            slot,
            url: parts.uri,
        };
        Ok(Self {
            live,
            method: parts.method,
            upload,
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, FetchError>> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(done) = upload.poll(cx, &self.live.url)
        {
            // If the runtime did not take it, the fetch says why.
            self.upload = None;
            if let Err(error) = done
                && error.is_of_request_body()
            {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(match ready!(self.live.slot.poll(cx)) {
            Event::Answered(answer) => Ok(answer),
            Event::Failed(error) => Err(FetchError::thrown(&error, &self.live.url)),
            // Nothing else comes before it.
            _ => Err(FetchError::new(
                FetchErrorKind::Other,
                "something came before the head of the response",
            )),
        })
    }

    fn receive(self, answer: &Answer) -> Result<Response<FetchBody<B>>, FetchError> {
        let parts = head::read(&self.method, answer.status, &answer.head)?;
        let length = head::length(&self.method, &parts);
        let is_refused = parts.status.is_client_error() || parts.status.is_server_error();
        let body = match self.upload.filter(|_| !is_refused) {
            None if !answer.has_body => FetchBody::empty(),
            upload if answer.has_body => FetchBody::new(self.live, upload, length),
            // The rest of the request is still on its way. A server that refuses it need not read it.
            upload => FetchBody::without_data(self.live, upload),
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// What becomes of a request's body.
enum Outgoing<B> {
    Nothing,
    /// It was there as a whole: it has a length, and can be sent again.
    Whole(Bytes),
    Stream(Upload<B>),
}

impl<B> Outgoing<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn of(body: B, cx: &mut Context<'_>) -> Result<Self, FetchError> {
        let length = body.size_hint().exact();
        // What is there as a whole has to be as long as it says; a stream is measured as it goes.
        let whole = |data: &Bytes| match length {
            Some(length) if !is_of_length(data, length) => Err(FetchError::of_request_body(
                "it is not as long as it says".into(),
            )),
            _ => Ok(()),
        };
        let nothing = || whole(&Bytes::new()).map(|()| Self::Nothing);
        if body.is_end_stream() {
            return nothing();
        }
        let mut body = Box::pin(body);
        let first = match poll_data(body.as_mut(), cx) {
            Poll::Pending => None,
            Poll::Ready(None) => return nothing(),
            Poll::Ready(Some(data)) => Some(data?),
        };
        if let Some(data) = &first {
            if body.is_end_stream() {
                return whole(data).map(|()| Self::Whole(data.clone()));
            }
            if length.is_some_and(|length| is_of_length(data, length)) {
                return match poll_data(body.as_mut(), cx) {
                    Poll::Ready(Some(Ok(_))) => Err(FetchError::of_request_body(
                        "it is longer than it says".into(),
                    )),
                    Poll::Ready(Some(Err(error))) => Err(error),
                    _ => Ok(Self::Whole(data.clone())),
                };
            }
        }
        Upload::new(body, first.as_ref(), length).map(Self::Stream)
    }
}

fn is_of_length(data: &Bytes, length: u64) -> bool {
    u64::try_from(data.len()) == Ok(length)
}

/// Polls for data that is not empty. Trailers come last, and cannot be sent.
fn poll_data<B>(
    mut body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, FetchError>>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    loop {
        return Poll::Ready(match ready!(body.as_mut().poll_frame(cx)) {
            None => None,
            Some(Err(error)) => Some(Err(FetchError::of_request_body(error.into()))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() => continue,
                data => data.ok().map(Ok),
            },
        });
    }
}

impl<B> fmt::Debug for FetchFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Unsent(..) => "FetchFuture(unsent)",
            State::Sent(_) => "FetchFuture(sent)",
            State::Done => "FetchFuture(done)",
        })
    }
}
