//! Clients that go away.

use crate::bridge::{self, Slot};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use worker::web_sys::AbortSignal;

/// Works until the client goes away: then the work is dropped, and `None` is returned.
///
/// Dropping the work aborts its fetches and gives back its places in the queues. Without this the runtime forgets it: its timers
/// end and its connections close, but nothing of it is dropped, so that what it has allocated stays allocated, and a slot of
/// a rate limit that it was given passes unused.
///
/// # Compatibility flag
///
/// It takes `enable_request_signal` in the Worker's configuration. Without it the signal never comes, and the work is done to
/// its end or forgotten, as ever.
///
/// # Cancel safety
///
/// That of the work.
///
/// # Example
///
/// ```no_run
/// # async fn answer() -> worker::Result<worker::Response> { worker::Response::empty() }
/// use tower_egress_worker::until_disconnect;
///
/// async fn fetch(request: worker::Request) -> worker::Result<worker::Response> {
///     match until_disconnect(&request.inner().signal(), answer()).await {
///         Some(response) => response,
///         None => worker::Response::error("nobody reads this", 499),
///     }
/// }
/// ```
pub fn until_disconnect<F: Future>(signal: &AbortSignal, work: F) -> UntilDisconnect<F> {
    let slot = Slot::open();
    let is_gone = bridge::disconnected(signal, slot.id());
    UntilDisconnect {
        work: (!is_gone).then_some(work),
        slot,
    }
}

pin_project! {
    /// The future of [`until_disconnect`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct UntilDisconnect<F> {
        // None once the client is gone, or the work is done.
        #[pin]
        work: Option<F>,
        slot: Slot,
    }
}

impl<F: Future> Future for UntilDisconnect<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let mut this = self.project();
        let Some(work) = this.work.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let done = match this.slot.poll(cx) {
            Poll::Ready(_) => None,
            Poll::Pending => match work.poll(cx) {
                Poll::Ready(done) => Some(done),
                Poll::Pending => return Poll::Pending,
            },
        };
        this.work.set(None);
        Poll::Ready(done)
    }
}
