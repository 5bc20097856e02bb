//! What the tests share: a world with a virtual clock, and bodies that do as they are told.
#![allow(dead_code, reason = "every test file uses its part of this")]
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use bytes::Bytes;
use egress_body_end::PolledFrame;
use egress_concurrency_limit::{
    BoxError, ConcurrencyLimit, ConcurrencyLimitError, ConcurrencyLimitLayer, Config, Limiter,
    Permit, ResponseBody, Stats,
};
use egress_time::ManualTimer;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio_test::task::{self, Spawn};
use tower::Layer;
use tower_test::mock::{self, Handle, Mock};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) type Inner = Mock<Request<()>, Response<Scripted>>;
pub(crate) type Client = mock::Spawn<ConcurrencyLimit<Inner, ManualTimer>>;
pub(crate) type Reply = Response<ResponseBody<Scripted, ManualTimer>>;

pub(crate) fn permits(limit: usize) -> NonZeroUsize {
    NonZeroUsize::new(limit).unwrap()
}

/// A limiter on a virtual clock, in front of a service that answers when it is told to.
pub(crate) struct World {
    pub(crate) timer: ManualTimer,
    pub(crate) limiter: Limiter<ManualTimer>,
    pub(crate) server: Handle<Request<()>, Response<Scripted>>,
    inner: Inner,
}

impl World {
    pub(crate) fn new(limit: usize) -> Self {
        Self::with_config(limit, Config::new())
    }

    pub(crate) fn with_config(limit: usize, config: Config) -> Self {
        let timer = ManualTimer::new();
        let (inner, server) = mock::pair();
        Self {
            limiter: Limiter::with_config(permits(limit), config, timer.clone()),
            timer,
            server,
            inner,
        }
    }

    /// One more service that shares the permits.
    pub(crate) fn client(&self) -> Client {
        let layer = ConcurrencyLimitLayer::with_limiter(self.limiter.clone());
        mock::Spawn::new(layer.layer(self.inner.clone()))
    }

    /// Sends `request` with a client that is ready, and answers it.
    pub(crate) fn exchange(
        &mut self,
        client: &mut Client,
        request: Request<()>,
        response: Response<Scripted>,
    ) -> Reply {
        let mut future = task::spawn(client.call(request));
        let (_, answer) = self.next_request();
        answer.send_response(response);
        match future.poll() {
            Poll::Ready(reply) => reply.unwrap(),
            Poll::Pending => panic!("an answered request is pending"),
        }
    }

    pub(crate) fn next_request(&mut self) -> (Request<()>, mock::SendResponse<Response<Scripted>>) {
        let mut next = task::spawn(self.server.next_request());
        match next.poll() {
            Poll::Ready(request) => request.expect("the service is gone"),
            Poll::Pending => panic!("no request has arrived"),
        }
    }

    /// Sends a `GET` for `uri`, and leaves its response's body open and untouched.
    pub(crate) fn open(&mut self, uri: &str) -> (Reply, Remote) {
        let (body, remote) = Scripted::new([], true);
        let mut client = self.client();
        assert_ready(&mut client);
        let reply = self.exchange(&mut client, get(uri), Response::new(body));
        assert!(reply.body().holds_permit());
        (reply, remote)
    }

    /// The figures, checked for balance. C7.
    pub(crate) fn stats(&self) -> Stats {
        let stats = self.limiter.stats();
        assert_balanced(&stats);
        stats
    }
}

pub(crate) fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

pub(crate) fn assert_ready(client: &mut Client) {
    match client.poll_ready() {
        Poll::Ready(Ok(())) => {}
        other => panic!("the client should be ready: {other:?}"),
    }
}

/// The typed reason of an error.
pub(crate) fn reason(error: &BoxError) -> &ConcurrencyLimitError {
    error
        .downcast_ref()
        .expect("the reason is not a ConcurrencyLimitError")
}

/// The reason why a client is not ready.
pub(crate) fn failure(client: &mut Client) -> ConcurrencyLimitError {
    match client.poll_ready() {
        Poll::Ready(Err(error)) => reason(&error).clone(),
        other => panic!("the client should fail: {other:?}"),
    }
}

/// C7
#[track_caller]
pub(crate) fn assert_balanced(stats: &Stats) {
    let now = u64::try_from(stats.queued + stats.in_flight).unwrap();
    assert_eq!(
        stats.submitted,
        stats.served + stats.timed_out + stats.refused + stats.cancelled + now,
        "the figures do not add up: {stats:?}"
    );
}

/// Polls a wait for a permit.
pub(crate) type Wait = Spawn<egress_concurrency_limit::Acquire<ManualTimer>>;

pub(crate) fn wait(limiter: &Limiter<ManualTimer>) -> Wait {
    task::spawn(limiter.acquire())
}

/// Starts a wait that has to queue.
pub(crate) fn queue(limiter: &Limiter<ManualTimer>) -> Wait {
    let mut wait = wait(limiter);
    assert!(wait.poll().is_pending(), "there was a permit");
    wait
}

#[track_caller]
pub(crate) fn granted(wait: &mut Wait) -> Permit<ManualTimer> {
    match wait.poll() {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("there should be a permit: {other:?}"),
    }
}

#[derive(Debug)]
pub(crate) enum Step {
    Data,
    Trailers,
    Error,
    End,
}

#[derive(Debug)]
struct Script {
    steps: VecDeque<Step>,
    knows_its_end: bool,
    ended: bool,
    waker: Option<Waker>,
}

/// A body that does what its script says, and is pending when that says nothing more.
#[derive(Debug)]
pub(crate) struct Scripted(Arc<Mutex<Script>>);

/// Writes the script of a body while that is read.
#[derive(Debug)]
pub(crate) struct Remote(Arc<Mutex<Script>>);

impl Scripted {
    /// `knows_its_end`: whether `is_end_stream` tells of an end that comes next.
    pub(crate) fn new(
        steps: impl IntoIterator<Item = Step>,
        knows_its_end: bool,
    ) -> (Self, Remote) {
        let script = Arc::new(Mutex::new(Script {
            steps: steps.into_iter().collect(),
            knows_its_end,
            ended: false,
            waker: None,
        }));
        (Self(Arc::clone(&script)), Remote(script))
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }
}

impl Remote {
    pub(crate) fn push(&self, step: Step) {
        let waker = {
            let mut script = self.0.lock().unwrap();
            script.steps.push_back(step);
            script.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let mut script = self.script();
        if script.ended {
            return Poll::Ready(None);
        }
        let Some(step) = script.steps.pop_front() else {
            script.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(match step {
            Step::Data => Some(Ok(Frame::data(Bytes::from_static(b"data")))),
            Step::Trailers => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Step::Error => Some(Err("reset by peer")),
            Step::End => {
                script.ended = true;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        let script = self.script();
        script.knows_its_end && (script.ended || matches!(script.steps.front(), Some(Step::End)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(4)
    }
}

/// Polls a body once, with a waker of its own.
pub(crate) fn poll_body<B: Body + Unpin>(body: &mut B) -> PolledFrame<B> {
    struct Owner;
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    let owner = Waker::from(Arc::new(Owner));
    Pin::new(body).poll_frame(&mut Context::from_waker(&owner))
}
