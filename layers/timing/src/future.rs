//! The future that is measured.

use crate::{ResponseBody, measurement::Measurement};
use egress_time::Clock;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// Waits for the response and records the request if none comes; otherwise its body does.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready records the request as cancelled.
    ///
    /// # Panics
    ///
    /// When it is polled after it was ready.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, T: Clock> {
        // Before the measurement: what is told to the context while the inner future is dropped is recorded.
        #[pin]
        inner: F,
        // Taken with the response.
        measurement: Option<Measurement<T>>,
    }
}

impl<F, T: Clock> ResponseFuture<F, T> {
    pub(crate) const fn new(inner: F, measurement: Measurement<T>) -> Self {
        Self {
            inner,
            measurement: Some(measurement),
        }
    }
}

impl<F, T, B, E> Future for ResponseFuture<F, T>
where
    F: Future<Output = Result<Response<B>, E>>,
    T: Clock,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B, T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match ready!(this.inner.poll(cx)) {
            Ok(response) => {
                let mut measurement = take(this.measurement);
                measurement.on_response(&response);
                // In parts: a response is moved as seldom as can be.
                let (head, body) = response.into_parts();
                Poll::Ready(Ok(Response::from_parts(
                    head,
                    ResponseBody::new(body, measurement),
                )))
            }
            Err(error) => {
                take(this.measurement).on_error();
                Poll::Ready(Err(error))
            }
        }
    }
}

fn take<T: Clock>(measurement: &mut Option<Measurement<T>>) -> Measurement<T> {
    let measurement = measurement.take();
    measurement.expect("a response was polled again after it was ready")
}
