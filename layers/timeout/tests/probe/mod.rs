//! A service that keeps count of its readiness, and a body that does what its script says.
#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use egress_time::{Clock, ManualTimer, SleepUntil};
use egress_timeout::{BoxError, TimedOut};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{self, Future},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tower::Service;

/// Returns so many seconds.
pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns the reason of `error`, which must be ours.
pub(crate) fn timed_out(error: &BoxError) -> TimedOut {
    *error
        .downcast_ref()
        .unwrap_or_else(|| panic!("not a timeout: {error}"))
}

/// What is taken while it lives, counted by its clones.
pub(crate) type Tracked = Rc<()>;

/// Returns how many others hold `tracked`.
pub(crate) fn held(tracked: &Tracked) -> usize {
    Rc::strong_count(tracked) - 1
}

/// A future on a timer that answers after `after` and holds `tracked` until then.
pub(crate) async fn answer<B>(
    timer: ManualTimer,
    after: Duration,
    body: B,
    tracked: Tracked,
) -> Result<Response<B>, BoxError> {
    let until = timer.now() + after;
    SleepUntil::new(timer, until).await;
    drop(tracked);
    Ok(Response::new(body))
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Data,
    Trailers,
    Error,
    /// Has nothing for so long.
    Wait(Duration),
    /// Has nothing, ever.
    Stall,
}

/// A body on a script; it ends with `None` and does not know its end, as a chunked one.
pub(crate) struct Scripted {
    timer: ManualTimer,
    script: VecDeque<Step>,
    sleep: Option<Pin<Box<SleepUntil<ManualTimer>>>>,
    _tracked: Tracked,
}

impl Scripted {
    pub(crate) fn new(
        timer: &ManualTimer,
        tracked: &Tracked,
        script: impl IntoIterator<Item = Step>,
    ) -> Self {
        Self {
            timer: timer.clone(),
            script: script.into_iter().collect(),
            sleep: None,
            _tracked: Rc::clone(tracked),
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.script.front().copied() {
                Some(Step::Stall) => return Poll::Pending,
                Some(Step::Wait(duration)) => {
                    let until = self.timer.now() + duration;
                    self.sleep = Some(Box::pin(SleepUntil::new(self.timer.clone(), until)));
                }
                Some(Step::Data) => {
                    self.script.pop_front();
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data")))));
                }
                Some(Step::Trailers) => {
                    self.script.pop_front();
                    return Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new()))));
                }
                Some(Step::Error) => {
                    self.script.pop_front();
                    return Poll::Ready(Some(Err("reset by peer")));
                }
                None => return Poll::Ready(None),
            }
            self.script.pop_front();
        }
    }

    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(42)
    }
}

/// A service with one permit for each unit of its readiness, like a concurrency limit.
///
/// Calling it without readiness panics.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    taken: Rc<RefCell<usize>>,
    ready: bool,
    pub(crate) error: Option<&'static str>,
}

impl Permits {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns a handle on the number of permits taken.
    pub(crate) fn taken(&self) -> Rc<RefCell<usize>> {
        Rc::clone(&self.taken)
    }

    fn give_back(&mut self) {
        if std::mem::take(&mut self.ready) {
            *self.taken.borrow_mut() -= 1;
        }
    }
}

/// A clone has no permit.
impl Clone for Permits {
    fn clone(&self) -> Self {
        Self {
            taken: Rc::clone(&self.taken),
            ready: false,
            error: self.error,
        }
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl<B> Service<Request<B>> for Permits {
    type Response = Response<http_body_util::Empty<Bytes>>;
    type Error = BoxError;
    type Future = future::Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if let Some(error) = self.error {
            self.give_back();
            return Poll::Ready(Err(error.into()));
        }
        if !std::mem::replace(&mut self.ready, true) {
            *self.taken.borrow_mut() += 1;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(self.ready, "called without readiness");
        self.give_back();
        future::ready(Ok(Response::new(http_body_util::Empty::new())))
    }
}
