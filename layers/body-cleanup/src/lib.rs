//! A tower layer: no response keeps a connection longer than it is read.
//!
//! A connection belongs to a response until the response's body is over. Bodies are often not read to their
//! end: an error's body is of no interest, a caller returns early, a response is put aside and forgotten.
//! Each such body keeps a connection, and whatever else is tied to it, from those who wait for one.
//! [`BodyCleanup`] sees to three cases, each of which can be switched off by itself:
//!
//! - **A body that is dropped before its end** is [drained](Drain) if that is cheap, so that the connection
//!   can be used again, and else dropped, which closes the connection.
//! - **The body of an error** is [captured](Capture): its first few KiB are read before the response is
//!   handed on. The caller gets a body that needs no connection any more, and whoever wants to know what the
//!   server said finds a copy in the response's extensions ([`CapturedBody`](egress_body_end::CapturedBody)).
//! - **A body that nobody reads** for the [idle timeout](BodyCleanupLayer::with_idle_timeout) is cancelled;
//!   its owner is told at the next poll ([`IdleCancelled`]).
//!
//! # What is idle
//!
//! A body is idle while its owner does not poll it. One that was polled and is waiting for the network is
//! not, however slow the server is: it has its owner's waker. So a body rests from the moment it is handed
//! over, or from the last frame it gave, until its owner asks for the next.
//!
//! An owner that polls a body once, gets `Pending`, and then turns to something else without dropping it looks
//! just like one that waits, until there is something to read: then it is woken and does not come. From the next
//! look on, of which there are four in an idle timeout, its body rests, too. If the server never sends anything, it
//! takes a timeout that is armed inside to end it.
//!
//! No timer is armed for a resting body. It is cancelled by whoever has a task to do it in: a caller that
//! waits for the inner service to become ready – if the inner service is a concurrency limit, somebody who
//! needs just that connection – or a task on the [executor](Executor), if one was handed in. While nobody
//! waits and there is no executor, nobody is harmed and nothing is cancelled.
//!
//! # Where it stacks
//!
//! Outside of what limits connections and inside of what limits rates: a permit that lives until the end of
//! the body is then held while the rest of the body is drained, as the connection is. A retry belongs
//! outside, so that the response it rejects is cleaned up.
//!
//! ```text
//! right:  rate limit → BodyCleanup → concurrency limit → transport
//! wrong:  rate limit → concurrency limit → BodyCleanup → transport     (a waiter cannot rescue itself)
//! ```
//!
//! # Bodies
//!
//! The layer has the inner response body as a type parameter, which inference fills in. This is how somebody
//! other than its owner – a waiter, an executor – can drop an idle body although nothing here is boxed as
//! `dyn`, `Send` or `'static`. One layer therefore serves one type of body. Bodies have `Data = Bytes`, as
//! those of hyper, reqwest and Workers do: a captured part is `Bytes`, and it takes the place of the body.
//! The stack is `Send` exactly when its parts are.
//!
//! # Cancel safety
//!
//! Dropping the [`ResponseFuture`] before the response has come drops the inner future; during a capture it
//! disposes of the body, on the spot. Nothing ever waits for a cancel or a drain to finish, except
//! who is kept waiting by the connection itself.
//!
//! # hyper
//!
//! Draining matters with HTTP/1.1, where an unread rest is in the way of the next response. hyper's own
//! client, when a body is dropped, reads from the socket once more and closes the connection unless that was
//! the end. A response that came in one piece is thus harmless. One of some 20 KiB or more usually closes its
//! connection, and a drain on the spot does not help: hyper hands over a chunk at a time and its connection
//! task has to run in between. With an [executor](BodyCleanupLayer::with_executor) the rest is drained and
//! the connection lives. With HTTP/2 the other streams never suffer; a drain on the spot takes what has
//! already arrived, and if that includes the end, it spares the server a reset.
//!
//! A drain on the spot polls the body inside of `drop`, with a waker that does nothing
//! ([`looking`](egress_body_end::looking)). hyper's bodies are
//! channels and do not mind. A body that touches a runtime's I/O itself may panic when it is dropped outside
//! of that runtime; such a panic is caught and the body dropped. Where panics abort, it does abort. While its
//! owner panics, a body is dropped without being read.
//!
//! # Workers
//!
//! Use [`Drain::NEVER`]: dropping the body cancels the stream, which costs nothing and frees its memory at
//! once, and nothing is polled in a drop, where a panic could not be caught: on wasm32 it takes the whole
//! isolate with it. Make one layer for each invocation, since a body must not be touched by another request's task;
//! [`BodyCleanupLayer::with_stats`] lets all of them count together. Waiters sleep on a timer of their own
//! and no waker is shared, so a task that is forgotten without a drop is in nobody's way; only
//! [`Counts::live`] tells of it for ever.
//!
//! # Example
//!
//! ```
//! use egress_body_cleanup::BodyCleanupLayer;
//! use egress_body_end::CapturedBody;
//! use egress_time::ManualTimer;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! let timer = ManualTimer::new();
//! let layer = BodyCleanupLayer::new(timer.clone());
//! let stats = layer.stats();
//! let service = ServiceBuilder::new().layer(layer).service(service_fn(|_: Request<()>| async {
//!     let mut response = Response::new(Full::from("secondary rate limit"));
//!     *response.status_mut() = StatusCode::FORBIDDEN;
//!     Ok::<_, BoxError>(response)
//! }));
//!
//! let response = timer.run(service.oneshot(Request::new(())))?;
//! let captured = response.extensions().get::<CapturedBody>().ok_or("not captured")?;
//! assert_eq!(captured.bytes(), "secondary rate limit");
//! assert_eq!(stats.counts().live, 0); // the response may be kept, no connection is
//! # Ok::<_, BoxError>(())
//! ```

mod body;
mod future;
mod layer;
mod service;

mod drain;

mod capture;
mod capturing;
mod replay;

mod shelf;
mod shelved;
mod tracked;

mod executor;
mod task;

mod error;
mod shared;
mod stats;

pub use self::{
    body::ResponseBody,
    capture::Capture,
    drain::Drain,
    error::{IdleCancelled, Truncated},
    executor::{Executor, NoExecutor},
    future::ResponseFuture,
    layer::BodyCleanupLayer,
    service::BodyCleanup,
    stats::{Counts, Stats},
    task::Task,
};

/// tower's `BoxError`.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
