//! Bodies on a script, and what a recorder has recorded.
#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use egress_time::{Clock, ManualTimer, SleepUntil};
use egress_timing::{Outcome, Phase, Recorder, Summary};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// Returns so many milliseconds.
pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Sleeps on `timer`.
pub(crate) async fn pass(timer: &ManualTimer, duration: Duration) {
    let until = timer.now() + duration;
    SleepUntil::new(timer.clone(), until).await;
}

/// Returns what was recorded ever, of all requests.
pub(crate) fn recorded(recorder: &Recorder, timer: &ManualTimer) -> Summary {
    recorder.snapshot(timer.now()).overall().lifetime().clone()
}

/// Asserts that exactly one request was recorded, and with this outcome.
#[track_caller]
pub(crate) fn assert_once(recorder: &Recorder, timer: &ManualTimer, outcome: Outcome) -> Summary {
    let summary = recorded(recorder, timer);
    assert_eq!(summary.requests(), 1, "recorded exactly once");
    assert_eq!(
        summary.outcome(outcome),
        1,
        "expected {outcome}: {summary:?}"
    );
    assert_eq!(summary.phase(Phase::Total).count(), 1);
    assert_eq!(summary.phase(Phase::RateWait).count(), 1);
    assert_eq!(summary.phase(Phase::QueueWait).count(), 1);
    summary
}

/// Asserts that `phase` was recorded once, as `expected` within 1 %, or never.
#[track_caller]
pub(crate) fn assert_phase(summary: &Summary, phase: Phase, expected: Option<Duration>) {
    let distribution = summary.phase(phase);
    assert_eq!(
        distribution.count(),
        u64::from(expected.is_some()),
        "{phase}"
    );
    if let (Some(expected), Some(actual)) = (expected, distribution.p50()) {
        assert!(
            actual.abs_diff(expected) <= expected / 100,
            "{phase}: {actual:?} instead of {expected:?}"
        );
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Data,
    Trailers,
    Error,
    /// Has nothing for so long.
    Wait(Duration),
}

/// A body on a script.
pub(crate) struct Scripted {
    timer: ManualTimer,
    script: VecDeque<Step>,
    knows_its_end: bool,
    sleep: Option<Pin<Box<SleepUntil<ManualTimer>>>>,
}

impl Scripted {
    pub(crate) fn new(timer: &ManualTimer, script: impl IntoIterator<Item = Step>) -> Self {
        Self {
            timer: timer.clone(),
            script: script.into_iter().collect(),
            knows_its_end: false,
            sleep: None,
        }
    }

    /// Makes it say so when its script is over.
    pub(crate) fn knowing_its_end(mut self) -> Self {
        self.knows_its_end = true;
        self
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
            return Poll::Ready(match self.script.pop_front() {
                Some(Step::Wait(duration)) => {
                    let until = self.timer.now() + duration;
                    self.sleep = Some(Box::pin(SleepUntil::new(self.timer.clone(), until)));
                    continue;
                }
                Some(Step::Data) => Some(Ok(Frame::data(Bytes::from_static(b"data")))),
                Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
                Some(Step::Error) => Some(Err("reset by peer")),
                None => None,
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.knows_its_end && self.script.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(42)
    }
}
