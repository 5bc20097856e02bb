//! The service.

use super::{FetchBody, FetchError, FetchFuture};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use std::task::{Context, Poll};
use tower_egress::BoxError;
use tower_service::Service;

/// Workers fetch as a [`Service`] of HTTP requests.
///
/// It is always ready. Nothing is sent before the future is first polled; dropping the future aborts the fetch, and dropping the body
/// of a response cancels what is left of it, so that the connection upstream is closed.
///
/// - A request body that is there as a whole goes out as bytes, with its length, and survives a redirection that asks
///   for it again. Another is streamed; with its length if it [knows it](Body::size_hint). Trailers cannot be sent.
/// - Redirections are the request's choice: [`Redirect`](super::Redirect).
/// - Headers are text. What is not UTF-8 is refused in a request, and comes as the runtime decodes it in a response.
/// - The runtime decodes compressed bodies, and counts hops of redirections as subrequests.
///
/// # Example
///
/// ```no_run
/// use tower_egress::FetchExt;
/// use tower_egress_worker::{Fetch, egress};
///
/// # async fn run() -> Result<(), tower_egress::Error> {
/// let client = egress().build().layer(Fetch::new());
/// let zen = client.get("https://api.github.com/zen").header("user-agent", "me").text().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Fetch;

impl Fetch {
    /// Makes the service.
    pub const fn new() -> Self {
        Self
    }
}

impl<B> Service<Request<B>> for Fetch
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<FetchBody<B>>;
    type Error = FetchError;
    type Future = FetchFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> FetchFuture<B> {
        FetchFuture::new(request)
    }
}
