//! A tower layer: at most N requests in flight, counted to the headers or to the end of the body.
//!
//! A connection is taken from the moment a request is sent until the body of its response has ended. tower's own
//! `ConcurrencyLimit` gives its permit back when the headers arrive, and the next request goes out while the bodies of
//! the last ones still occupy their connections. [`ConcurrencyLimit`] keeps the permit in the response body, unless it
//! is told otherwise ([`ReleaseAt`]).
//!
//! # When it waits
//!
//! In `poll_ready`, for a free permit and then for the inner service. Those who wait are served in the order of their
//! arrival: a permit that comes back goes to the head of the queue before any newcomer can see it. A wait ends after
//! [`queue_timeout`](Config::queue_timeout), and is refused at once if the queue is [full](Config::max_queued).
//!
//! An error of these two kinds ([`ConcurrencyLimitError`]) is not the end of the service: the next `poll_ready` queues
//! anew.
//!
//! # When it gives back
//!
//! - at the end of the body: last frame, trailers, error, or drop; with [`ReleaseAt::Headers`], when the headers arrive;
//! - at once if there is no body to wait for: after `HEAD`, with 204 and 304, and if the body is at its end already.
//!   A connection that is upgraded (`CONNECT`, 101) is no longer counted;
//! - when the call fails, its future is dropped, or the inner service's `poll_ready` fails;
//! - when a service that was ready is dropped. **A service that is kept ready and not called keeps its permit**, and
//!   so does one whose turn has come and that nobody polls.
//!
//! # Bodies that nobody reads
//!
//! A program that holds as many unread responses as there are permits, and then asks for one more, waits for itself.
//! A waiter that has waited for [`unread_after`](Config::unread_after) looks for that: if as many bodies as there are
//! permits were left alone by their owners for as long, it says so once, as a `tracing` event of level `WARN` and in
//! [`Stats::unread_episodes`], with method, host and path of the requests. It fails if
//! [`fail_on_unread`](Config::fail_on_unread) is set. "Left alone" is about the owner, not about the server:
//!
//! - an owner that polls, and is told to wait, is reading, however slow the server is;
//! - an owner that was given a frame and has not come back for more is not.
//!
//! An owner that polled, was told to wait, and then gave up without dropping the body cannot be told from one that
//! waits. It counts as reading: no alarm is better than a false one, and the queue timeout still ends the wait.
//!
//! # Where it stacks
//!
//! Inside retries and rate limits, so that nobody holds a permit while asleep; inside whatever drains bodies, so that
//! a drain still counts; outside a timeout for single attempts, so that the time in the queue is not theirs.
//!
//! # Why no semaphore
//!
//! A semaphore hands a permit to a waiter without telling anybody, so figures kept beside it cannot add up at every
//! moment, and it cannot lower its limit below what is in use. Figures need a lock anyway; under the same
//! lock, the queue is one ordered map. With a permit free, nothing is allocated and no timer is made.
//!
//! # Cancel safety
//!
//! Everything may be dropped at any time. Whoever is dropped while it waits leaves the queue, and a permit that it
//! was given without knowing goes to the next.
//!
//! # Workers
//!
//! The queue holds wakers. On Cloudflare Workers, waking a task of another request runs it in the wrong context, where
//! it fails or hangs. So a [`Limiter`] belongs to one invocation or one Durable Object there, never to a
//! `static`. The platform itself counts a connection until its headers only: [`ReleaseAt::Headers`].
//!
//! # Example
//!
//! ```
//! use egress_concurrency_limit::{ConcurrencyLimitLayer, Limiter};
//! use egress_time::TokioTimer;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use std::{convert::Infallible, num::NonZeroUsize};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio_test::block_on(async {
//! let limiter = Limiter::new(NonZeroUsize::new(6).ok_or("zero")?, TokioTimer::new());
//! let mut client = ServiceBuilder::new()
//!     .layer(ConcurrencyLimitLayer::with_limiter(limiter.clone()))
//!     .service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Full::new(&b"hello"[..]))) });
//!
//! let response = client.ready().await?.call(Request::new(())).await?;
//! assert_eq!(limiter.stats().in_flight, 1, "the headers are here, the body is not");
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! assert_eq!(limiter.stats().in_flight, 0);
//! # Ok::<_, tower::BoxError>(())
//! # }).unwrap();
//! ```

mod acquire;
mod body;
mod config;
mod error;
mod future;
mod holder;
mod layer;
mod limiter;
mod open_bodies;
mod permit;
mod place;
mod queue;
mod service;
mod slots;
mod stats;

pub use self::{
    acquire::Acquire,
    body::ResponseBody,
    config::{Config, ReleaseAt},
    error::{BoxError, ConcurrencyLimitError, Congestion},
    future::ResponseFuture,
    holder::Holder,
    layer::ConcurrencyLimitLayer,
    limiter::Limiter,
    permit::Permit,
    service::ConcurrencyLimit,
    stats::Stats,
};
