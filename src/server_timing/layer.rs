//! The header, for each response of a server.

use super::ServerTiming;
use crate::Egress;
use egress_timing::{Recorder, Tally};
use http::{HeaderName, Request, Response};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Tells in a [`Server-Timing`](ServerTiming) header of each response of a server what its handler asked of others.
///
/// It gives each request a [`Tally`] among its extensions; a handler that sends its requests by [a service that was told of
/// it](crate::EgressService::with_tally) needs to do nothing else. The header has [what was known](ServerTiming::of) when the handler returned its
/// response, and stands beside those that the handler set itself. A response for which nothing was asked has none.
///
/// It is for one egress: of two around one handler, the inner one's tally is the one that the handler finds.
///
/// Who may read a response can read it: names of APIs, how many requests, how long. Leave it out where strangers must not know.
///
/// # Example
///
/// ```
/// # #[cfg(all(feature = "axum", feature = "tokio"))] {
/// use axum::{Extension, Router, routing::get};
/// use tower_egress::{Egress, FetchExt, ServerTimingLayer, Tally};
/// # let http_client = tower::service_fn(|_| async {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<bytes::Bytes>::from("Speak like a human.")))
/// # });
///
/// let egress = Egress::builder().build();
/// let client = egress.layer(http_client);
/// let zen = move |Extension(tally): Extension<Tally>| {
///     let zen = client.clone().with_tally(&tally).get("https://api.github.com/zen").text();
///     async { zen.await.map_err(|error| error.to_string()) }
/// };
/// let routes: Router = Router::new().route("/zen", get(zen)).layer(ServerTimingLayer::new(&egress));
/// # use tower::ServiceExt;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let response = routes.oneshot(http::Request::get("/zen").body(axum::body::Body::empty()).unwrap()).await.unwrap();
/// let header = response.headers()["server-timing"].to_str().unwrap();
/// assert!(header.starts_with("external;dur="), "{header}");
/// assert!(header.ends_with(";desc=\"1 request\""), "{header}");
/// # }) }
/// ```
#[derive(Clone, Debug)]
pub struct ServerTimingLayer {
    recorder: Recorder,
}

impl ServerTimingLayer {
    /// Makes one for what is asked through this egress.
    pub fn new<T, X>(egress: &Egress<T, X>) -> Self {
        Self {
            recorder: egress.handles.recorder.clone(),
        }
    }
}

impl<S> Layer<S> for ServerTimingLayer {
    type Service = TimedServer<S>;

    fn layer(&self, inner: S) -> TimedServer<S> {
        TimedServer {
            inner,
            recorder: self.recorder.clone(),
        }
    }
}

/// The service of a [`ServerTimingLayer`]. It is ready when the inner one is; errors are the inner one's.
#[derive(Clone, Debug)]
pub struct TimedServer<S> {
    inner: S,
    recorder: Recorder,
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for TimedServer<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Response = Response<ResB>;
    type Error = S::Error;
    type Future = TimedResponse<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let tally = self.recorder.tally();
        request.extensions_mut().insert(tally.clone());
        TimedResponse {
            inner: self.inner.call(request),
            tally,
        }
    }
}

pin_project! {
    /// The response of a [`TimedServer`], to come.
    #[must_use = "futures do nothing unless polled"]
    pub struct TimedResponse<F> {
        #[pin]
        inner: F,
        tally: Tally,
    }
}

impl<F, B, E> Future for TimedResponse<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let timing = ServerTiming::of(this.tally);
        if !timing.is_empty() {
            response
                .headers_mut()
                .append(SERVER_TIMING, timing.to_header());
        }
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for TimedResponse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedResponse")
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}
