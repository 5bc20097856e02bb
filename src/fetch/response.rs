//! What one does with a response.

use super::json;
use crate::{BoxError, Error, ErrorKind, error::Tried};
use bytes::{Buf, Bytes};
use http::Response;
use http_body::Body;
use serde::de::DeserializeOwned;
use std::{future::Future, pin::pin};

/// The largest body that the helpers read, in bytes, unless told otherwise: 16 MiB.
pub const DEFAULT_MAX_BYTES: usize = 16 << 20;

/// Checks a response and reads it to its end.
///
/// # Cancel safety
///
/// Dropping one of the futures drops the body, and with it the connection's place in every limit.
///
/// ```
/// use http::Response;
/// use http_body_util::Full;
/// use tower_egress::{Error, ResponseExt};
///
/// async fn names(response: Response<Full<bytes::Bytes>>) -> Result<Vec<String>, Error> {
///     response.error_for_status()?.into_json().await
/// }
/// # fn main() {}
/// ```
pub trait ResponseExt<B>: Sized {
    /// Returns an error with the status and the captured first part of the body, unless the status is a successful one
    /// (2xx).
    ///
    /// A redirection is an error, too: nobody in the stack follows it, and its body is not what was asked for. The error
    /// says [where it points to](Error::location). Look for a 304 before, if the request was conditional.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`].
    fn error_for_status(self) -> Result<Self, Error>;

    /// Reads the body, up to [`DEFAULT_MAX_BYTES`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Body`] when it breaks off or is larger.
    fn into_bytes(self) -> impl Future<Output = Result<Bytes, Error>> {
        self.into_bytes_up_to(DEFAULT_MAX_BYTES)
    }

    /// Reads the body, up to `max` bytes; a larger one is an error as soon as that is known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Body`] when it breaks off or is larger.
    fn into_bytes_up_to(self, max: usize) -> impl Future<Output = Result<Bytes, Error>>;

    /// Reads the body as UTF-8, up to [`DEFAULT_MAX_BYTES`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Body`] as for [`into_bytes`](Self::into_bytes), [`ErrorKind::Decode`] when it is not UTF-8.
    fn into_text(self) -> impl Future<Output = Result<String, Error>>;

    /// Reads the body as JSON, up to [`DEFAULT_MAX_BYTES`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Body`] as for [`into_bytes`](Self::into_bytes), [`ErrorKind::Decode`] when it is other JSON or none.
    fn into_json<D: DeserializeOwned>(self) -> impl Future<Output = Result<D, Error>>;
}

impl<B> ResponseExt<B> for Response<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn error_for_status(self) -> Result<Self, Error> {
        if self.status().is_success() {
            Ok(self)
        } else {
            Err(Error::of_status(&self))
        }
    }

    async fn into_bytes_up_to(self, max: usize) -> Result<Bytes, Error> {
        let tried = Tried::of_response(&self);
        read(self.into_body(), max, tried).await
    }

    async fn into_text(self) -> Result<String, Error> {
        let tried = Tried::of_response(&self);
        let bytes = read(self.into_body(), DEFAULT_MAX_BYTES, tried).await?;
        String::from_utf8(bytes.into())
            .map_err(|error| Error::of_body(ErrorKind::Decode, tried, error.utf8_error()))
    }

    async fn into_json<D: DeserializeOwned>(self) -> Result<D, Error> {
        let tried = Tried::of_response(&self);
        let bytes = read(self.into_body(), DEFAULT_MAX_BYTES, tried).await?;
        json::decode(&bytes).map_err(|error| Error::of_body(ErrorKind::Decode, tried, error))
    }
}

async fn read<B>(body: B, max: usize, tried: Tried) -> Result<Bytes, Error>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let too_large = || {
        let reason = format!("the body is larger than {max} bytes");
        Error::of_body(ErrorKind::Body, tried, reason)
    };
    if body.size_hint().lower() > u64::try_from(max).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| {
            let error = error.into();
            // A timeout in the body stays a timeout.
            match ErrorKind::of(&*error) {
                ErrorKind::Transport => Error::of_body(ErrorKind::Body, tried, error),
                kind => Error::of_body(kind, tried, error),
            }
        })?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let length = data.remaining();
        if first.len() + rest.len() + length > max {
            return Err(too_large());
        }
        let data = data.copy_to_bytes(length);
        // Most bodies are one frame: hand it on without a copy.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.into() })
}
