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
        let result = ready!(this.inner.poll(cx));
        let mut measurement = this
            .measurement
            .take()
            .expect("a response was polled again after it was ready");
        Poll::Ready(match result {
            Ok(response) => {
                measurement.on_response(&response);
                Ok(response.map(|body| ResponseBody::new(body, measurement)))
            }
            Err(error) => {
                measurement.on_error();
                Err(error)
            }
        })
    }
}
