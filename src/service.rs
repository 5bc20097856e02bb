//! The service that an egress makes: the whole stack under one name.

mod switched;

use self::switched::Switched;
use crate::{
    BoxError, Switch,
    apis::Apis,
    egress::Handles,
    switch::{Compare, Off},
};
use bytes::Bytes;
use egress_backoff::{Backoff, BackoffLayer, ReplayBody};
use egress_body_cleanup::{BodyCleanup, BodyCleanupLayer, Executor, NoExecutor, Task};
use egress_concurrency_limit::{ConcurrencyLimit, ConcurrencyLimitLayer};
use egress_time::Timer;
use egress_timeout::{Deadline, DeadlineLayer, Timeout, TimeoutLayer};
use egress_timing::{Tally, Timing, TimingLayer};
use egress_token_bucket::{TokenBucket, TokenBucketLayer};
use http::{Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tower_layer::Layer;
use tower_service::Service;

// The stack, read from the last line upwards: from the outermost layer to the transport.
type Attempt<S, T> = Timeout<S, T>;
type Limited<S, T> = ConcurrencyLimit<Attempt<S, T>, T>;
type Cleaned<S, B, T, X> = BodyCleanup<Limited<S, T>, LimitedBody<B, T>, T, X>;
type Paced<S, B, T, X> = TokenBucket<Cleaned<S, B, T, X>, Apis, T>;
type Retried<S, B, T, X> = Backoff<Paced<S, B, T, X>, Apis, T>;
type Bounded<S, B, T, X> = Deadline<Retried<S, B, T, X>, T>;
type Stack<S, B, T, X> = Timing<Bounded<S, B, T, X>, T, Apis>;

// What each of them makes of the body.
type LimitedBody<B, T> =
    egress_concurrency_limit::ResponseBody<egress_timeout::ResponseBody<B, T>, T>;
type CleanedBody<B, T, X> = egress_body_cleanup::ResponseBody<LimitedBody<B, T>, T, X>;
type BoundedBody<B, T, X> = egress_timeout::ResponseBody<CleanedBody<B, T, X>, T>;
type StackBody<B, T, X> = egress_timing::ResponseBody<BoundedBody<B, T, X>, T>;

/// The background work of an egress, for its executor: the rest of a body that is to be drained.
pub(crate) type Work<B, T> = Task<LimitedBody<B, T>, T>;

/// The clean-up of the bodies of some services, which find each other's forgotten bodies.
pub(crate) type Cleanup<B, T, X> = BodyCleanupLayer<LimitedBody<B, T>, T, X>;

/// Makes the clean-up that services can share.
pub(crate) fn cleanup<B, T: Timer, X: Clone>(handles: &Handles<T, X>) -> Cleanup<B, T, X> {
    BodyCleanupLayer::new(handles.timer.clone())
        .with_drain(handles.settings.drain)
        .with_capture(handles.settings.capture)
        .with_idle_timeout(handles.settings.idle_timeout)
        .with_stats(handles.bodies.clone())
        .with_executor_or_none(handles.executor.clone())
}

/// Makes the service for a client.
pub(crate) fn service<S, B, T, X>(
    handles: &Handles<T, X>,
    cleanup: &Cleanup<B, T, X>,
    client: S,
) -> EgressService<S, B, T, X>
where
    T: Timer,
    X: Clone,
{
    let switches = handles.switches.clone();
    let switched = switches.map(|switches| Switched::new(switches, handles, cleanup));
    EgressService {
        stack: stack(handles, cleanup, client),
        switched: switched.map(Arc::new),
    }
}

fn stack<S, B, T, X>(
    handles: &Handles<T, X>,
    cleanup: &Cleanup<B, T, X>,
    client: S,
) -> Stack<S, B, T, X>
where
    T: Timer,
    X: Clone,
{
    let timer = || handles.timer.clone();
    let settings = &handles.settings;
    let mut attempt = TimeoutLayer::new(timer())
        .with_timeout(settings.attempt_timeout)
        .with_body_idle(settings.body_stall.unwrap_or(Duration::MAX));
    if settings.attempt_covers_body {
        attempt = attempt.until_body_end();
    }
    let limit = ConcurrencyLimitLayer::with_limiter(handles.limiter.clone());
    let bucket = TokenBucketLayer::new(handles.apis.clone(), timer());
    let backoff = BackoffLayer::new(timer())
        .with_policy(handles.apis.clone())
        .with_budget(handles.budget.clone());
    let mut deadline = DeadlineLayer::new(timer());
    if let Some(total) = settings.deadline {
        deadline = deadline.with_total(total);
    }
    let timing =
        TimingLayer::new(timer(), handles.recorder.clone()).with_label(handles.apis.clone());

    let limited = limit.layer(attempt.layer(client));
    let retried = backoff.layer(bucket.layer(cleanup.layer(limited)));
    timing.layer(deadline.layer(retried))
}

/// A client with the whole stack around it; made by [`Egress::layer`](crate::Egress::layer).
///
/// It is a [`Service`] of HTTP requests, always ready. Its errors are the transport's own or one of the layers' typed
/// reasons; [`ErrorKind::of`](crate::ErrorKind::of) sorts them.
///
/// The client gets requests with a [`ReplayBody`]; one that is generic over its body, as hyper's is, infers that.
///
/// `B` is the body of the client's responses and is inferred, too.
///
/// # Cancel safety
///
/// Dropping the future of a call, or the body of its response, ends everything that goes on for it: no later attempt, no timer,
/// no place in a queue. A slot of a rate limit goes back if its time has not come.
pub struct EgressService<S, B, T: Timer, X = NoExecutor> {
    stack: Stack<S, B, T, X>,
    switched: Option<Arc<Switched<S, B, T, X>>>,
}

impl<S, B, T: Timer, X> EgressService<S, B, T, X> {
    /// Counts the requests of this service, and of those cloned from it, in `tally` as well, and in no other one that it was told of before.
    ///
    /// The tally is [one of this service's egress](crate::Egress::tally). Make a clone for each piece of work whose requests are to be told apart:
    ///
    /// ```
    /// use egress_time::ManualTimer;
    /// use tower_egress::{Api, Egress, FetchExt, ServerTiming};
    /// # let http_client = tower::service_fn(|_| async {
    /// #     Ok::<_, tower::BoxError>(http::Response::new(http_body_util::Full::<bytes::Bytes>::from("hello")))
    /// # });
    ///
    /// # let timer = ManualTimer::new();
    /// let egress = Egress::builder_on(timer.clone()).api(Api::github()).build();
    /// let client = egress.layer(http_client);
    ///
    /// let tally = egress.tally();
    /// let mine = client.clone().with_tally(&tally);
    /// # timer.run(async {
    /// mine.get("https://api.github.com/zen").text().await?;
    /// # Ok::<_, tower_egress::Error>(()) }).unwrap();
    /// assert_eq!(tally.overall().requests(), 1);
    /// assert_eq!(ServerTiming::of(&tally).to_header(), "github;dur=0;desc=\"1 request\"");
    /// ```
    #[must_use]
    pub fn with_tally(mut self, tally: &Tally) -> Self {
        self.stack = self.stack.with_tally(tally.clone());
        self
    }

    /// Returns the client.
    pub const fn get_ref(&self) -> &S {
        client_of(&self.stack)
    }
}

const fn client_of<S, B, T: Timer, X>(stack: &Stack<S, B, T, X>) -> &S {
    let retried = stack.get_ref().get_ref();
    let limited = retried.get_ref().get_ref().get_ref();
    limited.get_ref().get_ref()
}

impl<S, B, T, X, ReqB> Service<Request<ReqB>> for EgressService<S, B, T, X>
where
    S: Service<Request<ReplayBody<ReqB>>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    ReqB: Body,
    ReqB::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Work<B, T>> + Clone,
{
    type Response = Response<ResponseBody<B, T, X>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, ReqB, B, T, X>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let Some(switched) = &self.switched else {
            return ResponseFuture {
                inner: self.stack.call(request),
                compared: None,
            };
        };
        let timer = &switched.timer;
        let (off, trial) = switched.switches.decide(request.extensions(), timer);
        let compared = trial.map(|compare| Compared {
            compare: Some(compare),
            timer: timer.clone(),
        });
        let inner = if off == Off::default() {
            self.stack.call(request)
        } else {
            let mut stack = switched.stack(off, client_of(&self.stack));
            // What is not measured is in no tally.
            if let Some(tally) = self.stack.tally()
                && !off.has(Switch::Timing)
            {
                stack = stack.with_tally(tally.clone());
            }
            stack.call(request)
        };
        ResponseFuture { inner, compared }
    }
}

/// What a request is compared by. Who gives it up has had no answer.
struct Compared<T: Timer> {
    compare: Option<Box<dyn Compare>>,
    timer: T,
}

impl<T: Timer> Compared<T> {
    fn record(&mut self, status: Option<StatusCode>) {
        if let Some(compare) = self.compare.take() {
            compare.record(status, self.timer.now());
        }
    }
}

impl<T: Timer> Drop for Compared<T> {
    fn drop(&mut self) {
        self.record(None);
    }
}

/// A clone shares every limit, and is as ready as the original: always.
impl<S: Clone, B, T: Timer, X: Clone> Clone for EgressService<S, B, T, X> {
    fn clone(&self) -> Self {
        Self {
            stack: self.stack.clone(),
            switched: self.switched.clone(),
        }
    }
}

impl<S: fmt::Debug, B, T: Timer, X> fmt::Debug for EgressService<S, B, T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EgressService")
            .field("client", self.get_ref())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The response of an [`EgressService`], to come.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, ReqB, B, T, X>
    where
        S: Service<Request<ReplayBody<ReqB>>, Response = Response<B>>,
        S: Clone,
        S::Error: Into<BoxError>,
        ReqB: Body,
        ReqB::Error: Into<BoxError>,
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
        T: Timer,
        X: Executor<Work<B, T>>,
        X: Clone,
    {
        #[pin]
        inner: <Stack<S, B, T, X> as Service<Request<ReqB>>>::Future,
        compared: Option<Compared<T>>,
    }
}

impl<S, ReqB, B, T, X> Future for ResponseFuture<S, ReqB, B, T, X>
where
    S: Service<Request<ReplayBody<ReqB>>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    ReqB: Body,
    ReqB::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Work<B, T>> + Clone,
{
    type Output = Result<Response<ResponseBody<B, T, X>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx));
        if let Some(mut compared) = this.compared.take() {
            compared.record(response.as_ref().ok().map(Response::status));
        }
        Poll::Ready(response)
    }
}

impl<S, ReqB, B, T, X> fmt::Debug for ResponseFuture<S, ReqB, B, T, X>
where
    S: Service<Request<ReplayBody<ReqB>>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    ReqB: Body,
    ReqB::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Work<B, T>> + Clone,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// The body of a response from an [`EgressService`].
///
/// Frames, trailers, size and end are those of the client's body. When it ends, in whichever way, its connection's permit is given back and the
/// request is recorded. What it is made of are the layers' own bodies, one in the other; that may change.
///
/// # Errors
///
/// The client's own; and those of the layers, see [`ErrorKind::of`](crate::ErrorKind::of).
pub type ResponseBody<B, T, X = NoExecutor> = StackBody<B, T, X>;
