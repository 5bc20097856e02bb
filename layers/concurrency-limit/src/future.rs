//! The wait for the headers.

use crate::{BoxError, Permit, ResponseBody, open_bodies::OpenBody};
use egress_time::Clock;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

pin_project! {
    /// Waits for the headers, and gives the permit back or leaves it to the body.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, T: Clock> {
        // Before the permit: when this is dropped, the request is aborted first.
        #[pin]
        inner: F,
        // Taken as soon as there is a result, since a finished future may live on.
        permit: Option<Permit<T>>,
        // There if the permit may outlive the headers.
        body: Option<Arc<OpenBody>>,
    }
}

impl<F, T: Clock> ResponseFuture<F, T> {
    pub(crate) const fn new(inner: F, permit: Permit<T>, body: Option<Arc<OpenBody>>) -> Self {
        Self {
            inner,
            permit: Some(permit),
            body,
        }
    }
}

impl<F, B, E, T> Future for ResponseFuture<F, T>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: Into<BoxError>,
    T: Clock,
{
    type Output = Result<Response<ResponseBody<B, T>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match ready!(this.inner.poll(cx)) {
            Ok(response) => {
                let (permit, open) = (this.permit.take(), this.body.take());
                let (head, body) = response.into_parts();
                let body = match (permit, open) {
                    (Some(permit), Some(open)) => {
                        ResponseBody::holding(body, permit, open, head.status)
                    }
                    _ => ResponseBody::free(body),
                };
                Poll::Ready(Ok(Response::from_parts(head, body)))
            }
            Err(error) => {
                drop((this.permit.take(), this.body.take()));
                Poll::Ready(Err(error.into()))
            }
        }
    }
}
