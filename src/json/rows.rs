//! Responses of rows.

use super::{
    JsonBody, RowError,
    conditional::{EntityTag, evaluate},
    writer::{Format, Writer},
};
use bytes::Bytes;
use futures_core::Stream;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG},
};
use serde::Serialize;
use std::{future::poll_fn, hash::Hash, pin::Pin};

/// Answers with rows, whole or streamed.
///
/// ```
/// use futures_util::stream;
/// use http::Request;
/// use http_body_util::BodyExt;
/// use std::convert::Infallible;
/// use tower_egress::json::JsonRows;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = Request::get("/api/events").body(())?;
/// let rows = stream::iter((0..1000).map(Ok::<u32, Infallible>));
/// let response = JsonRows::ndjson().with_threshold(100).respond(&request, rows).await?;
/// assert_eq!(response.headers()["content-type"], "application/x-ndjson");
/// assert!(!response.headers().contains_key("content-length"), "it is streamed");
/// let text = response.into_body().collect().await?.to_bytes();
/// assert!(text.ends_with(b"\n999\n{\"$count\":1000}\n"));
/// # Ok(()) }
/// ```
///
/// # Defaults
///
/// - Up to **50 rows** are answered whole.
/// - A whole has an `ETag` of its content; a stream has none unless it is given [a version](Self::with_version).
#[derive(Clone, Debug)]
#[must_use = "this answers nothing by itself"]
pub struct JsonRows {
    format: Format,
    threshold: u64,
    version: Option<EntityTag>,
}

impl JsonRows {
    /// Answers with an array, as `application/json`.
    pub const fn array() -> Self {
        Self::new(Format::Array)
    }

    /// Answers with a row in each line, as `application/x-ndjson`, and [a record that counts them](super::NDJSON_COUNT) behind them.
    ///
    /// A row that could be taken for that record is [held by another](super::NDJSON_ROW).
    pub const fn ndjson() -> Self {
        Self::new(Format::Ndjson)
    }

    const fn new(format: Format) -> Self {
        Self {
            format,
            threshold: 50,
            version: None,
        }
    }

    /// Streams when there are more than so many rows, which are kept until that is known.
    ///
    /// With 0 the first byte goes out with the first row, and only an answer without rows is whole.
    pub const fn with_threshold(mut self, rows: u64) -> Self {
        self.threshold = rows;
        self
    }

    /// Names the version of what is answered: something that is another whenever the rows are, as the time of the last
    /// change together with the query.
    ///
    /// It becomes a weak `ETag`, and a client that has this version is answered with a 304 before the source is asked.
    pub fn with_version(mut self, version: &impl Hash) -> Self {
        self.version = Some(EntityTag::weak(&(self.format, version)));
        self
    }

    /// Answers a request with rows: 200; 304 or 412 if it says `If-None-Match` or `If-Match`. A HEAD is answered like a
    /// GET, without the body.
    ///
    /// Ready as soon as it is known whether the answer is whole. The rest of the source is polled by whoever reads the body,
    /// and dropped with it.
    ///
    /// # Errors
    ///
    /// What failed within the rows that are kept, of which nothing was sent: answer with a status. [Later](JsonBody) the
    /// body fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the source.
    pub async fn respond<B, S, T, E>(
        &self,
        request: &Request<B>,
        rows: S,
    ) -> Result<Response<JsonBody<S, E>>, RowError<E>>
    where
        S: Stream<Item = Result<T, E>>,
        T: Serialize,
    {
        let is_conditional = matches!(*request.method(), Method::GET | Method::HEAD);
        let instead = |tag| {
            let status = is_conditional.then(|| evaluate(request.headers(), tag));
            status.flatten()
        };
        if let Some(tag) = &self.version
            && let Some(status) = instead(Some(tag))
        {
            return Ok(bare(status, Some(tag)));
        }
        let mut rows = Box::pin(rows);
        let mut writer = Writer::new(self.format);
        let whole = self.read(rows.as_mut(), &mut writer).await?;
        let tag = match (&self.version, &whole) {
            (Some(tag), _) => Some(tag.clone()),
            (None, Some(content)) => Some(EntityTag::strong(content)),
            (None, None) => None,
        };
        if self.version.is_none()
            && let Some(status) = instead(tag.as_ref())
        {
            return Ok(bare(status, tag.as_ref()));
        }
        let length = whole.as_ref().map(Bytes::len);
        let body = match whole {
            _ if *request.method() == Method::HEAD => JsonBody::whole(Bytes::new()),
            Some(content) => JsonBody::whole(content),
            None => JsonBody::rows(rows, writer),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type());
        headers.extend(tag.map(|tag| (ETAG, tag.header().clone())));
        headers.extend(length.map(|length| (CONTENT_LENGTH, length.into())));
        Ok(response)
    }

    /// Reads rows until there are none, and returns the whole; or until there are too many.
    async fn read<S, T, E>(
        &self,
        mut rows: Pin<&mut S>,
        writer: &mut Writer,
    ) -> Result<Option<Bytes>, RowError<E>>
    where
        S: Stream<Item = Result<T, E>>,
        T: Serialize,
    {
        while writer.rows() <= self.threshold {
            match poll_fn(|cx| rows.as_mut().poll_next(cx)).await {
                Some(row) => writer.write(&row.map_err(RowError::Source)?)?,
                None => {
                    writer.end();
                    return Ok(Some(writer.take()));
                }
            }
        }
        Ok(None)
    }

    const fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.format {
            Format::Array => "application/json",
            Format::Ndjson => "application/x-ndjson",
        })
    }
}

/// Without the representation.
fn bare<S, E>(status: StatusCode, tag: Option<&EntityTag>) -> Response<JsonBody<S, E>> {
    let mut response = Response::new(JsonBody::whole(Bytes::new()));
    *response.status_mut() = status;
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag.header().clone());
    }
    response
}

#[cfg(test)]
mod tests;
