//! Two tower layers that bound how long a request may take: one attempt from its dispatch, and the whole of it.
//!
//! - [`TimeoutLayer`], the innermost layer, bounds **one attempt**: from the moment it is sent to the response's
//!   headers, or to the end of its body. Time in a queue is not the server's fault and is never counted. It also
//!   bounds how long a body may stall.
//! - [`DeadlineLayer`], outside the retries, bounds **the request**: queues, attempts, sleeps between them and the
//!   body, all together.
//!
//! ```text
//! right: deadline → retries → queues → attempt timeout → transport
//! wrong: attempt timeout → queue → transport    a long queue looks like a slow server
//! wrong: retries → deadline → transport         every attempt gets the whole time anew
//! ```
//!
//! # What happens at expiry
//!
//! The inner future, or the inner body, is dropped first: that aborts the transport and frees every permit. Then the
//! owner gets a [`TimedOut`], which tells what expired, in which [`Phase`] of the request, and when. A response or a
//! frame that is there at the very moment of expiry is delivered, and so is the end of a body: the inner service is
//! asked before the clock is.
//!
//! A body that has expired yields the error once and nothing after it.
//!
//! # Overriding them for one request
//!
//! By extensions of the request: [`AttemptTimeout`], [`BodyIdleTimeout`], [`RequestTimeout`]. A duration of
//! [`Duration::MAX`](std::time::Duration::MAX) means never.
//!
//! # Readiness
//!
//! Both pass it through and reserve nothing. The caller's own wait in `poll_ready` is not counted: there is no request
//! yet. In the stack, the layers below the deadline are always ready and wait in their futures, where it sees them.
//!
//! # Cost and cancel safety
//!
//! No allocation, one reading of the clock for each attempt, and no timer before something has to be waited for. A
//! dropped future or body leaves no timer, and one that has ended holds none.
//!
//! # Workers
//!
//! The clock stands still while code runs and moves with I/O, so an expiry is noticed when something happens or when
//! the timer fires, which is when it matters. Where a client goes away and nothing is dropped, nothing of this
//! crate is shared that could be left behind.
//!
//! # Example
//!
//! ```
//! use egress_time::ManualTimer;
//! use egress_timeout::{Phase, TimedOut, TimeoutLayer};
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use std::{convert::Infallible, future, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! // A server that never answers. The timer is a test's; natively it would be a `TokioTimer`.
//! let timer = ManualTimer::new();
//! let client = ServiceBuilder::new()
//!     .layer(TimeoutLayer::new(timer.clone()).with_timeout(Duration::from_secs(5)))
//!     .service(service_fn(|_: Request<()>| {
//!         future::pending::<Result<Response<Empty<&[u8]>>, Infallible>>()
//!     }));
//!
//! let error = timer.run(client.oneshot(Request::new(()))).unwrap_err();
//! let timed_out = error.downcast_ref::<TimedOut>().unwrap();
//! assert_eq!(timed_out.phase(), Phase::Headers);
//! assert_eq!(timed_out.after(), Duration::from_secs(5));
//! ```

mod body;
mod deadline;
mod error;
mod extensions;
mod future;
mod limits;
mod timeout;
mod wait;

pub use self::{
    body::ResponseBody,
    deadline::{Deadline, DeadlineLayer},
    error::{Bound, BoxError, Phase, TimedOut},
    extensions::{AttemptTimeout, BodyIdleTimeout, RequestTimeout},
    future::ResponseFuture,
    timeout::{Timeout, TimeoutLayer},
};
