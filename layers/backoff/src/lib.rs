//! A tower layer that retries HTTP requests: when the server asks, as late as it asks, and not more than all
//! clients together can bear.
//!
//! [`Backoff`] sends a request, looks at the outcome, and sends the request again if its [`Policy`] says that another
//! attempt may fare better and is safe. The request is resent whole: method, headers, extensions, body, trailers.
//!
//! # When it waits, and how long
//!
//! As long as the server asks (`Retry-After`, rate-limit headers; see [`egress_hints`]), never less and without
//! jitter; else on a [`Schedule`] with full jitter. A wait that is longer than the policy allows, or that would not be over
//! before the request's deadline, is not begun: the response is returned at once. Capping a server's wait and retrying
//! all the same is worse than both, since the early attempt is refused too and often prolongs the ban.
//!
//! # What the caller gets
//!
//! The last response, its body unread. [`RetryInfo`] in its extensions says how many attempts there were, why there was
//! no other, and when the server wants to be asked again. An error after several attempts is a [`RetryError`] around
//! the last one's; a request that was sent once fails with the error as it was.
//!
//! # What it holds
//!
//! A sleeping retry holds nothing: the response that it follows, its body and whatever is tied to that are dropped
//! *before* the sleep, and the inner service is asked for readiness again after it. The [`Budget`] of the client bounds
//! how many retries there are when everything fails. A request is retried by the outermost `Backoff` alone: two
//! of them, one inside the other, would send it sixteen times.
//!
//! # Bodies
//!
//! A body that states its exact size, up to 64 KiB by default, is read into memory before anything is sent, and can be
//! sent again; one that is in memory as a single chunk is not copied. Any other body is streamed, sent once, and the
//! response is returned as it is. The inner service sees a [`ReplayBody`] in both cases.
//!
//! # Where it stacks
//!
//! Outside whatever limits rate and concurrency, so that each attempt pays like any other request; inside whatever
//! sets the deadline and measures the whole. A timeout per attempt belongs inside.
//!
//! # Cancel safety
//!
//! Dropping the future ends everything at once: no later request, no timer, and the price of a retry that was planned is
//! paid back.
//!
//! # Workers
//!
//! Nothing but the budget is shared between requests, and that is plain numbers: no waker crosses from one to another.
//!
//! # Example
//!
//! ```
//! use egress_backoff::{BackoffLayer, Policy, RetryInfo};
//! use egress_time::ManualTimer;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Empty;
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! let timer = ManualTimer::new();
//! let client = ServiceBuilder::new()
//!     .layer(BackoffLayer::new(timer.clone()).with_policy(Policy::new().with_max_retries(1)))
//!     .service(service_fn(async |_request| {
//!         let busy = Response::builder().status(503).header("retry-after", "7");
//!         Ok::<_, BoxError>(busy.body("later").unwrap())
//!     }));
//!
//! let request = Request::new(Empty::<&[u8]>::new());
//! let response = timer.run(client.oneshot(request)).unwrap();
//! assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
//! let info = response.extensions().get::<RetryInfo>().unwrap();
//! assert_eq!(info.attempts, 2);
//! assert_eq!(timer.requested(), [std::time::Duration::from_secs(7)]);
//! ```

mod layer;
mod service;

mod future;
mod original;
mod session;

mod choose;
mod policy;
mod verdict;

mod budget;
mod cause;
mod schedule;

mod body;
mod collect;

mod error;
mod info;

pub use self::{
    body::ReplayBody,
    budget::{Budget, Withdrawal},
    cause::Cause,
    choose::ChoosePolicy,
    error::{BodyFailed, ErrorClass, RetryError, WrongLength},
    future::ResponseFuture,
    info::{GaveUp, RetryInfo},
    layer::BackoffLayer,
    policy::Policy,
    schedule::Schedule,
    service::Backoff,
};
pub use egress_context::RequestHead;
pub use egress_hints::Dialect;

/// Any error; the same type as tower's.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
