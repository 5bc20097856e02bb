//! The work on one item.

use super::{gate::Pass, results::Finished};
use egress_time::Timer;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// The work on one item or chunk, and what it holds meanwhile.
    pub(super) struct Unit<F, T: Timer> {
        pub(super) index: u64,
        pub(super) items: u64,
        #[pin]
        pub(super) work: F,
        pub(super) pass: Option<Pass<T>>,
        pub(super) timer: T,
    }
}

impl<F, T, R, E> Future for Unit<F, T>
where
    F: Future<Output = Result<R, E>>,
    T: Timer,
{
    type Output = Finished<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.work.poll(cx));
        // Here, and not when the consumer has taken the result: it may wait for that very permit.
        if let Some(pass) = this.pass.take()
            && result.is_ok()
        {
            pass.succeeded(this.timer);
        }
        Poll::Ready(Finished {
            index: *this.index,
            items: *this.items,
            result,
        })
    }
}
