//! Scripted bodies, and what they are served and run with.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use egress_body_cleanup::{BodyCleanupLayer, Counts, Executor, ResponseBody, Task};
use egress_body_end::PolledFrame;
use egress_time::{Clock, ManualTimer, SleepUntil};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    future::{Future, Ready, ready},
    marker::PhantomPinned,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower::{Layer, Service};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Data(&'static str),
    Zeros(usize),
    Trailers,
    Error,
    /// Pending once; it wakes.
    Wait,
    Sleep(Duration),
    /// Pending for ever.
    Stuck,
    /// One frame after another, for ever.
    Endless(&'static str),
    Panic,
}

/// What a test can see of a body that it has given away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe(Rc<ProbeState>);

#[derive(Debug, Default)]
struct ProbeState {
    polls: Cell<u32>,
    dropped: Cell<bool>,
}

impl Probe {
    pub(crate) fn polls(&self) -> u32 {
        self.0.polls.get()
    }

    /// Whether the body was dropped: cancelled, as the transport sees it, unless it was over.
    pub(crate) fn is_freed(&self) -> bool {
        self.0.dropped.get()
    }
}

struct Dropped(Probe);

impl Drop for Dropped {
    fn drop(&mut self) {
        assert!(!self.0.0.dropped.replace(true));
    }
}

pin_project! {
    /// A body that does what its script says. It cannot be moved once it is polled, and it is not `Send`.
    pub(crate) struct Script {
        steps: VecDeque<Step>,
        knows_its_end: bool,
        hint: Option<SizeHint>,
        knows_its_size: bool,
        sleep: Option<Pin<Box<SleepUntil<ManualTimer>>>>,
        timer: ManualTimer,
        probe: Probe,
        // Dropped with the body.
        holds: Vec<Box<dyn Any>>,
        dropped: Dropped,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl Script {
    pub(crate) fn new(timer: &ManualTimer, steps: impl IntoIterator<Item = Step>) -> Self {
        let probe = Probe::default();
        Self {
            steps: steps.into_iter().collect(),
            knows_its_end: true,
            hint: None,
            knows_its_size: false,
            sleep: None,
            timer: timer.clone(),
            dropped: Dropped(probe.clone()),
            probe,
            holds: Vec::new(),
            _pinned: PhantomPinned,
        }
    }

    pub(crate) fn unaware_of_its_end(mut self) -> Self {
        self.knows_its_end = false;
        self
    }

    pub(crate) fn hinting(mut self, hint: SizeHint) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Makes it tell how much is left.
    pub(crate) fn sized(mut self) -> Self {
        self.knows_its_size = true;
        self
    }

    pub(crate) fn holding(mut self, value: impl Any) -> Self {
        self.holds.push(Box::new(value));
        self
    }

    pub(crate) fn probe(&self) -> Probe {
        self.probe.clone()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionReset;

impl std::fmt::Display for ConnectionReset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection reset")
    }
}

impl std::error::Error for ConnectionReset {}

impl Body for Script {
    type Data = Bytes;
    type Error = ConnectionReset;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionReset>>> {
        let this = self.project();
        this.probe.0.polls.set(this.probe.0.polls.get() + 1);
        loop {
            if let Some(sleep) = this.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                *this.sleep = None;
            }
            return Poll::Ready(match this.steps.pop_front() {
                None => None,
                Some(Step::Data(text)) => {
                    Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
                }
                Some(Step::Zeros(len)) => Some(Ok(Frame::data(Bytes::from(vec![0; len])))),
                Some(Step::Trailers) => {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("checksum", http::HeaderValue::from_static("ok"));
                    Some(Ok(Frame::trailers(trailers)))
                }
                Some(Step::Error) => Some(Err(ConnectionReset)),
                Some(Step::Wait) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Sleep(for_)) => {
                    let deadline = this.timer.now() + for_;
                    *this.sleep = Some(Box::pin(SleepUntil::new(this.timer.clone(), deadline)));
                    continue;
                }
                Some(Step::Stuck) => {
                    this.steps.push_front(Step::Stuck);
                    return Poll::Pending;
                }
                Some(Step::Endless(text)) => {
                    this.steps.push_front(Step::Endless(text));
                    Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
                }
                Some(Step::Panic) => panic!("the body's own"),
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.knows_its_end && self.steps.is_empty() && self.sleep.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint.unwrap_or_else(|| {
            if self.knows_its_size {
                let left = self.steps.iter().map(|step| match *step {
                    Step::Data(text) => text.len(),
                    Step::Zeros(len) => len,
                    _ => 0,
                });
                return SizeHint::with_exact(u64::try_from(left.sum::<usize>()).unwrap());
            }
            let mut hint = SizeHint::new();
            if self.knows_its_end && self.steps.is_empty() {
                hint.set_exact(0);
            }
            hint
        })
    }
}

pub(crate) type LocalTask = Pin<Box<dyn Future<Output = ()>>>;

/// An executor that runs nothing by itself.
#[derive(Clone, Default)]
pub(crate) struct LocalExecutor(Rc<RefCell<Vec<LocalTask>>>);

impl<F: Future<Output = ()> + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        self.0.borrow_mut().push(Box::pin(future));
    }
}

impl LocalExecutor {
    pub(crate) fn tasks(&self) -> usize {
        self.0.borrow().len()
    }

    /// Takes the task that came last.
    pub(crate) fn take(&self) -> Option<LocalTask> {
        self.0.borrow_mut().pop()
    }

    /// Drops every task, as a runtime does that shuts down.
    pub(crate) fn shut_down(&self) {
        let tasks = std::mem::take(&mut *self.0.borrow_mut());
        drop(tasks);
    }

    /// Polls every task once.
    pub(crate) fn poll_once(&self) {
        let tasks = std::mem::take(&mut *self.0.borrow_mut());
        for mut task in tasks {
            let mut cx = Context::from_waker(Waker::noop());
            if task.as_mut().poll(&mut cx).is_pending() {
                self.0.borrow_mut().push(task);
            }
        }
    }

    /// Runs every task to its end.
    pub(crate) fn run(&self, timer: &ManualTimer) {
        loop {
            let Some(task) = self.take() else {
                return;
            };
            timer.run(task);
        }
    }
}

/// An executor that drops what it gets.
#[derive(Clone)]
pub(crate) struct Refuses;

impl<F> Executor<F> for Refuses {
    fn execute(&self, future: F) {
        drop(future);
    }
}

/// A transport with one response.
#[derive(Clone)]
pub(crate) struct Once(pub(crate) Rc<RefCell<Option<Response<Script>>>>);

impl Once {
    pub(crate) fn new(status: StatusCode, body: Script) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Self(Rc::new(RefCell::new(Some(response))))
    }
}

impl Service<Request<()>> for Once {
    type Response = Response<Script>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Script>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.borrow_mut().take().expect("called once")))
    }
}

pub(crate) type ScriptLayer<X> = BodyCleanupLayer<Script, ManualTimer, X>;
pub(crate) type ScriptBody<X> = ResponseBody<Script, ManualTimer, X>;

/// Sends one request through the layer; the transport answers with this body.
pub(crate) fn respond<X>(
    timer: &ManualTimer,
    layer: &ScriptLayer<X>,
    status: StatusCode,
    body: Script,
) -> Response<ScriptBody<X>>
where
    X: Executor<Task<Script, ManualTimer>> + Clone,
{
    request(timer, layer, Request::new(()), status, body)
}

pub(crate) fn request<X>(
    timer: &ManualTimer,
    layer: &ScriptLayer<X>,
    request: Request<()>,
    status: StatusCode,
    body: Script,
) -> Response<ScriptBody<X>>
where
    X: Executor<Task<Script, ManualTimer>> + Clone,
{
    let mut service = layer.layer(Once::new(status, body));
    timer.run(service.call(request)).unwrap()
}

/// Polls once.
pub(crate) fn poll<B: Body + Unpin>(body: &mut B) -> PolledFrame<B> {
    pin!(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// Polls to the end; returns the data, whether there were trailers, and the error.
pub(crate) fn read_all<B>(
    timer: &ManualTimer,
    body: &mut Pin<Box<B>>,
) -> (String, bool, Option<B::Error>)
where
    B: Body<Data = Bytes>,
{
    let (mut text, mut trailers) = (Vec::new(), false);
    loop {
        let frame = timer.run(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)));
        match frame {
            None => return (String::from_utf8(text).unwrap(), trailers, None),
            Some(Err(error)) => return (String::from_utf8(text).unwrap(), trailers, Some(error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => text.extend_from_slice(&data),
                Err(_) => trailers = true,
            },
        }
    }
}

/// Every body is in exactly one of these.
pub(crate) fn total(counts: Counts) -> u64 {
    counts.live + counts.ended + counts.cancelled + counts.drained + counts.idle + counts.failed
}
