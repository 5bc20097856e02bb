//! A request of the runtime, as the core takes it.

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, Request};
use http_body::{Body, Frame};
use http_body_util::{Either, Empty, StreamBody};
use tower_egress::BoxError;
use worker::{Error, Result};

/// Turns it into one of `http`.
pub(crate) fn read(
    mut request: worker::Request,
) -> Result<Request<impl Body<Data = Bytes, Error: Into<BoxError>>>> {
    // Not by `worker::Url`, which knows all scripts of the world, at the cost of 80 kB.
    let mut read = Request::builder()
        .method(request.inner().method().as_str())
        .uri(request.inner().url());
    for (name, value) in request.headers() {
        // What is no header to HTTP is none to this program.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            read = read.header(name, value);
        }
    }
    let body = match request.inner().body() {
        None => Either::Left(Empty::new()),
        Some(_) => {
            let chunks = request.stream()?.map(|chunk| match chunk {
                Ok(chunk) => Ok(Frame::data(Bytes::from(chunk))),
                Err(error) => Err(BoxError::from(error.to_string())),
            });
            Either::Right(StreamBody::new(chunks))
        }
    };
    read.body(body)
        .map_err(|error| Error::RustError(error.to_string()))
}
