//! A server that follows a script, and remembers what it was sent.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "included by each test file")]

use bytes::Bytes;
use egress_backoff::{Backoff, BackoffLayer, BoxError, Budget, Policy, ReplayBody};
use egress_body_end::CapturedBody;
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, Instant, ManualTimer};
use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body::{Body, Frame};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower::{Layer, Service};

pub const SECOND: Duration = Duration::from_secs(1);

/// What the server does with one request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        captured: Option<&'static str>,
    },
    /// Fails, and says so in the request's context if it is not the transport's failure.
    Error(Option<Failure>, std::io::ErrorKind),
    /// Never answers.
    Silence,
}

impl Reply {
    pub fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.to_string()));
        }
        self
    }

    pub fn captured(mut self, body: &'static str) -> Self {
        if let Self::Answer { captured, .. } = &mut self {
            *captured = Some(body);
        }
        self
    }
}

pub fn status(status: u16) -> Reply {
    Reply::Answer {
        status,
        headers: Vec::new(),
        captured: None,
    }
}

pub fn reset() -> Reply {
    Reply::Error(None, std::io::ErrorKind::ConnectionReset)
}

pub fn refused_connection() -> Reply {
    Reply::Error(None, std::io::ErrorKind::ConnectionRefused)
}

pub fn failure(failure: Failure) -> Reply {
    Reply::Error(Some(failure), std::io::ErrorKind::Other)
}

/// One request as the server got it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    pub extensions: Extensions,
    pub size: Option<u64>,
    pub whole: Option<Bytes>,
    pub data: Vec<Bytes>,
    pub trailers: Option<HeaderMap>,
    /// How many attempts the request's context counts.
    pub attempt: u32,
    /// How many response bodies of this server were alive.
    pub bodies_alive: usize,
}

impl Seen {
    pub fn text(&self) -> String {
        String::from_utf8(self.data.concat()).unwrap()
    }
}

#[derive(Debug, Default)]
struct Log {
    script: VecDeque<Reply>,
    last: Option<Reply>,
    seen: Vec<Seen>,
    readied: usize,
}

/// `!Send` on purpose. A clone is not ready, and calling it unready panics.
pub struct Server {
    timer: ManualTimer,
    log: Rc<RefCell<Log>>,
    alive: Rc<Cell<usize>>,
    ready: bool,
    /// How often `poll_ready` says pending before each readiness, and for how long that takes.
    pub slow_ready: Option<Duration>,
    slept: Option<Pin<Box<egress_time::SleepUntil<ManualTimer>>>>,
    /// Makes every clone's `poll_ready` fail.
    pub broken: Rc<Cell<bool>>,
}

impl Clone for Server {
    fn clone(&self) -> Self {
        Self {
            timer: self.timer.clone(),
            log: Rc::clone(&self.log),
            alive: Rc::clone(&self.alive),
            ready: false,
            slow_ready: self.slow_ready,
            slept: None,
            broken: Rc::clone(&self.broken),
        }
    }
}

impl Server {
    /// Gives these replies in turn, and the last of them for ever.
    pub fn new(timer: &ManualTimer, script: impl IntoIterator<Item = Reply>) -> Self {
        let mut script: VecDeque<_> = script.into_iter().collect();
        let last = script.pop_back();
        Self {
            timer: timer.clone(),
            log: Rc::new(RefCell::new(Log {
                script,
                last,
                ..Log::default()
            })),
            alive: Rc::default(),
            ready: false,
            slow_ready: None,
            slept: None,
            broken: Rc::default(),
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.log.borrow().seen.clone()
    }

    pub fn requests(&self) -> usize {
        self.log.borrow().seen.len()
    }

    pub fn readied(&self) -> usize {
        self.log.borrow().readied
    }

    /// How many response bodies are alive.
    pub fn bodies_alive(&self) -> usize {
        self.alive.get()
    }
}

impl<B> Service<Request<ReplayBody<B>>> for Server
where
    B: Body,
    B::Error: fmt::Debug,
{
    type Response = Response<Tracked>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Tracked>, BoxError>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.broken.get() {
            return Poll::Ready(Err("the connector is gone".into()));
        }
        if let (Some(wait), false) = (self.slow_ready, self.ready) {
            let timer = &self.timer;
            let slept = self.slept.get_or_insert_with(|| {
                Box::pin(egress_time::SleepUntil::new(
                    timer.clone(),
                    timer.now() + wait,
                ))
            });
            std::task::ready!(slept.as_mut().poll(cx));
            self.slept = None;
        }
        self.ready = true;
        self.log.borrow_mut().readied += 1;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<B>>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        let context = RequestContext::current(request.extensions());
        let (parts, body) = request.into_parts();
        let mut seen = Seen {
            at: self.timer.now(),
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            headers: parts.headers,
            extensions: parts.extensions,
            size: body.size_hint().exact(),
            whole: body.as_bytes().cloned(),
            data: Vec::new(),
            trailers: None,
            attempt: context.as_ref().map_or(0, RequestContext::attempts),
            bodies_alive: self.alive.get(),
        };
        let mut body = pin!(body);
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
            match frame.unwrap().into_data() {
                Ok(data) => seen.data.push(data),
                Err(frame) => seen.trailers = frame.into_trailers().ok(),
            }
        }
        let mut log = self.log.borrow_mut();
        log.seen.push(seen);
        let reply = log.script.pop_front().or_else(|| log.last.clone());
        let outcome = match reply.expect("the script is empty") {
            Reply::Silence => return Box::pin(std::future::pending()),
            Reply::Error(failure, kind) => {
                if let (Some(failure), Some(context)) = (failure, context) {
                    context.fail(failure);
                }
                Err(std::io::Error::from(kind).into())
            }
            Reply::Answer {
                status,
                headers,
                captured,
            } => {
                let mut response = Response::new(Tracked::new(&self.alive, log.seen.len()));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().append(name, value.parse().unwrap());
                }
                if let Some(captured) = captured {
                    let captured = CapturedBody::new(Bytes::from_static(captured.as_bytes()), true);
                    response.extensions_mut().insert(captured);
                }
                Ok(response)
            }
        };
        Box::pin(std::future::ready(outcome))
    }
}

/// A response body that counts while it lives; its text is the number of the request, from 1.
#[derive(Debug)]
pub struct Tracked {
    alive: Rc<Cell<usize>>,
    text: Option<String>,
}

impl Tracked {
    fn new(alive: &Rc<Cell<usize>>, number: usize) -> Self {
        alive.set(alive.get() + 1);
        Self {
            alive: Rc::clone(alive),
            text: Some(number.to_string()),
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.alive.set(self.alive.get() - 1);
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.text.take().map(|text| Ok(Frame::data(text.into()))))
    }
}

/// What a request body does, frame by frame.
#[derive(Clone, Debug)]
pub enum Step {
    Data(&'static str),
    Trailers(HeaderMap),
    Pending,
    Error,
}

/// A request body with a script; without a size it is of unknown length.
#[derive(Clone, Debug)]
pub struct Scripted {
    pub steps: VecDeque<Step>,
    pub size: Option<u64>,
}

impl Scripted {
    pub fn new(size: impl Into<Option<u64>>, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            size: size.into(),
        }
    }
}

impl Body for Scripted {
    type Data = &'static [u8];
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<&'static [u8]>, BoxError>>> {
        match self.steps.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data.as_bytes())))),
            Some(Step::Trailers(map)) => Poll::Ready(Some(Ok(Frame::trailers(map)))),
            Some(Step::Error) => Poll::Ready(Some(Err("the disk is gone".into()))),
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.size
            .map_or_else(Default::default, http_body::SizeHint::with_exact)
    }
}

pub fn request(method: &str) -> Request<Scripted> {
    Request::builder()
        .method(method)
        .uri("https://api.example.com/things?page=2")
        .body(Scripted::new(0, []))
        .unwrap()
}

pub fn get() -> Request<Scripted> {
    request("GET")
}

/// The layer on a server, with the default policy and a budget that is never felt.
pub fn backoff(server: &Server, timer: &ManualTimer) -> Backoff<Server, Policy, ManualTimer> {
    with_policy(server, timer, Policy::default())
}

pub fn with_policy(
    server: &Server,
    timer: &ManualTimer,
    policy: Policy,
) -> Backoff<Server, Policy, ManualTimer> {
    BackoffLayer::new(timer.clone())
        .with_policy(policy)
        .with_budget(Budget::unlimited())
        .layer(server.clone())
}

pub fn read<B>(body: B) -> String
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Debug,
{
    let mut body = pin!(body);
    let mut cx = Context::from_waker(Waker::noop());
    let mut text = Vec::new();
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    String::from_utf8(text).unwrap()
}
