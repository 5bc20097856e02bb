//! A server in virtual time, for tests of whole stacks.
#![allow(dead_code, reason = "each test file uses a part of it")]

use bytes::Bytes;
use egress_time::{Clock, Instant, ManualTimer, SleepUntil};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};
use tower::Service;

/// What a client did to a server, and what the server answers next.
///
/// It counts what is open by drop guards, so that it sees what a real server sees: connections, not intentions. It is not
/// `Send`, and neither is the stack around it.
#[derive(Clone)]
pub(crate) struct Server {
    timer: ManualTimer,
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    answers: RefCell<VecDeque<Answer>>,
    arrivals: RefCell<Vec<(Instant, String)>>,
    waiting: Cell<usize>,
    open: Cell<usize>,
    peak: Cell<usize>,
}

/// One answer: how long it takes, and what it is.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) after: Duration,
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) frames: Vec<(Duration, &'static str)>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            after: Duration::from_millis(10),
            status: StatusCode::OK,
            headers: Vec::new(),
            frames: vec![
                (Duration::from_millis(5), "\"hello, "),
                (Duration::from_millis(5), "world\""),
            ],
        }
    }
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a status"),
            ..Self::default()
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl Server {
    pub(crate) fn new(timer: &ManualTimer) -> Self {
        Self {
            timer: timer.clone(),
            state: Rc::default(),
        }
    }

    /// Answers the next request like this; after the last of them, all like the default.
    pub(crate) fn answer(&self, answer: Answer) -> &Self {
        self.state.answers.borrow_mut().push_back(answer);
        self
    }

    /// Requests that arrived, and when.
    pub(crate) fn arrivals(&self) -> Vec<(Instant, String)> {
        self.state.arrivals.borrow().clone()
    }

    /// Requests that wait for headers, and bodies that are open.
    pub(crate) fn open(&self) -> usize {
        self.state.waiting.get() + self.state.open.get()
    }

    /// The most that were open at once.
    pub(crate) fn peak(&self) -> usize {
        self.state.peak.get()
    }
}

impl<B> Service<Request<B>> for Server {
    type Response = Response<ScriptedBody>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { timer, state } = self.clone();
        let target = format!("{} {}", request.method(), request.uri().path());
        state.arrivals.borrow_mut().push((timer.now(), target));
        let answer = state.answers.borrow_mut().pop_front().unwrap_or_default();
        let waiting = Open::one_more(&state, Counter::Waiting);
        Box::pin(async move {
            SleepUntil::new(timer.clone(), timer.now() + answer.after).await;
            drop(waiting);
            let open = Open::one_more(&state, Counter::Open);
            let frames = answer
                .frames
                .iter()
                .map(|(after, data)| (*after, Bytes::from_static(data.as_bytes())));
            let body = ScriptedBody {
                sleep: None,
                frames: frames.collect(),
                timer,
                open: Some(open),
            };
            let mut response = Response::new(body);
            *response.status_mut() = answer.status;
            for (name, value) in answer.headers {
                response
                    .headers_mut()
                    .append(name, value.parse().expect("a header"));
            }
            Ok(response)
        })
    }
}

#[derive(Clone, Copy)]
enum Counter {
    Waiting,
    Open,
}

/// Something that is open until it is dropped.
struct Open(Rc<State>, Counter);

impl Open {
    fn one_more(state: &Rc<State>, counter: Counter) -> Self {
        let open = Self(Rc::clone(state), counter);
        open.cell().set(open.cell().get() + 1);
        let now = state.waiting.get() + state.open.get();
        state.peak.set(state.peak.get().max(now));
        open
    }

    fn cell(&self) -> &Cell<usize> {
        match self.1 {
            Counter::Waiting => &self.0.waiting,
            Counter::Open => &self.0.open,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.cell().set(self.cell().get() - 1);
    }
}

pin_project! {
    /// A body whose frames take time.
    pub struct ScriptedBody {
        #[pin]
        sleep: Option<SleepUntil<ManualTimer>>,
        frames: VecDeque<(Duration, Bytes)>,
        timer: ManualTimer,
        open: Option<Open>,
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        let Some((after, _)) = this.frames.front() else {
            *this.open = None;
            return Poll::Ready(None);
        };
        if this.sleep.is_none() {
            let due = this.timer.now() + *after;
            this.sleep
                .set(Some(SleepUntil::new(this.timer.clone(), due)));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            std::task::ready!(sleep.poll(cx));
        }
        this.sleep.set(None);
        let frame = this
            .frames
            .pop_front()
            .map(|(_, data)| Ok(Frame::data(data)));
        if this.frames.is_empty() {
            *this.open = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self
            .frames
            .iter()
            .map(|(_, data)| data.len())
            .sum::<usize>();
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}
