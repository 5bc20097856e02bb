//! A tower layer: rate, burst, spacing and a strict window, with reservations that move.
//!
//! A [`Bucket`] holds a request back until the server's [`Quota`] lets it depart, and the server never sees more:
//! in no window of the period more departures than the limit, no more at once than the burst, no two closer than the
//! spacing. [`TokenBucket`] does that for a service.
//!
//! # When it waits
//!
//! In the future, never in `poll_ready`. A request takes a place in the queue, first come first served, and sleeps until
//! its slot. Then the inner service is asked to be ready, and then the bucket again: what counts is the departure. If the
//! inner service took its time, the departures before this one may be too close.
//!
//! It is refused at once, with [`RateLimited`] as the error, if the wait would be longer than
//! [`max_wait`](BucketBuilder::max_wait) or would end after its deadline; and later, if a pause makes it so. The error
//! says when to come back.
//!
//! # When it gives back
//!
//! A request that is dropped while it waits gives back its slot, and everybody behind moves forward, in whatever order
//! and however many leave. When its time has come, a slot is spent: one who is never polled again and never dropped
//! costs that slot and stalls nobody.
//!
//! # What a server says
//!
//! Every reply is read for what it says about coming back (`Retry-After`, rate-limit headers, GitHub's secondary limit;
//! see [`egress_hints`]).
//!
//! - A pause holds for everybody, those who wait included. After it one request goes alone. When it has succeeded the
//!   rest follow, spaced; when it fails or is silent for [`probe_timeout`](BucketBuilder::probe_timeout), the next one
//!   goes alone. A shorter pause never shortens a longer one, and none is longer than
//!   [`max_pause`](BucketBuilder::max_pause).
//! - Refusals that name no time pause for 1 s, GitHub's for 60 s, doubled while they repeat.
//! - When nothing remains of the server's own count, everybody waits for its reset; unless it is the limit that this
//!   bucket keeps itself and has used up, which its own window knows more exactly. It never makes anybody faster.
//! - A reply from a cache (`Age`) says nothing.
//!
//! # Several buckets
//!
//! A [`Route`] says which buckets a request pays. It departs when all agree ([`BucketSet`]), and if one refuses, nothing is
//! spent in the others; those who pay the same ones depart in the [order](BucketSet#order) in which they came. A bucket can be
//! used without HTTP, too: [`Bucket::reserve`], [`Bucket::try_depart`].
//!
//! # Where it stacks
//!
//! Inside retries, so that every attempt pays; outside a concurrency limit, so that nobody sleeps with a connection. A
//! ready inner service is held for 100 ms at most, if the last departure was too close.
//!
//! ```text
//! right: retry(token_bucket(concurrency_limit(client)))
//! wrong: token_bucket(retry(client))                     retries are not counted
//! wrong: concurrency_limit(token_bucket(client))         those who wait for one server keep connections from another
//! ```
//!
//! # How it works
//!
//! A *slot ledger*: the generic cell rate algorithm in exact integers, a spacing, a ring of the last departures, and a
//! queue of reservations that are not tied to times, so that a cancel moves everybody behind it at no cost. With
//! n waiting, joining, leaving and asking cost O(log n). Departures are counted once more, apart from slots, because they
//! are late in practice. One short lock guards it all, and nothing else is shared, so there is no interleaving for a
//! model checker to explore: each operation is one critical section, and wakers are called after it.
//!
//! A plain token bucket with a burst of the limit lets almost twice the limit through in one window. What it
//! saves is the ring: 8 bytes for each call of the limit, up to 32 KiB. For limits above 4096, times are remembered in groups,
//! which lets up to two groups (less than 0.1 %) fewer through and never more.
//!
//! The bound is on departures here. On its way a request may be late, and one more than the limit may then arrive in a
//! window of the server; a quota with a slightly longer period allows for that.
//!
//! # Cancel safety
//!
//! Everything may be dropped at any time.
//!
//! # Workers
//!
//! A bucket is plain data, unless it is built with [`wakeups`](BucketBuilder::wakeups): it may be shared by the requests of
//! an isolate, each of which sleeps on its own timer and asks again from time to time. Nothing relies on a drop: slots and
//! probes of requests that are gone expire by the clock. A clock that stands still gives nobody anything. One that
//! has been set back by more than a second is followed from there: those who wait go on waiting for what was left.
//!
//! # Example
//!
//! ```
//! use egress_time::{Clock, ManualTimer};
//! use egress_token_bucket::{Bucket, Quota, TokenBucketLayer};
//! use http::{Request, Response};
//! use std::{convert::Infallible, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let timer = ManualTimer::new();
//! let bucket = Bucket::builder(Quota::GITHUB).name("github").build();
//! let client = ServiceBuilder::new()
//!     .layer(TokenBucketLayer::new(bucket.clone(), timer.clone()))
//!     .service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
//!
//! let start = timer.now();
//! for _ in 0..12 {
//!     timer.run(client.clone().oneshot(Request::new(())))?;
//! }
//! // Ten departed 100 ms apart; then one in two seconds.
//! assert_eq!(timer.now() - start, Duration::from_secs(4));
//! assert_eq!(bucket.status(timer.now()).totals.departed, 12);
//! # Ok::<_, tower::BoxError>(())
//! ```

mod bucket;
mod builder;
mod cost;
mod invalid_quota;
mod quota;
mod route;
mod set;
mod status;

mod approach;
mod feedback;
mod future;
mod layer;
mod service;
mod waits;

mod admission;
mod claim;
mod departure;
mod each;
mod reservation;
mod tree;
mod turn;
mod wakers;

mod error;
mod ledger;

pub use self::{
    bucket::Bucket,
    builder::BucketBuilder,
    cost::Cost,
    departure::Departure,
    error::{BoxError, RateLimited, Reason},
    future::ResponseFuture,
    invalid_quota::InvalidQuota,
    layer::TokenBucketLayer,
    quota::Quota,
    reservation::Reservation,
    route::Route,
    service::TokenBucket,
    set::BucketSet,
    status::{BucketStatus, ServerView, Totals},
    turn::Ready,
};
pub use egress_context::RequestHead;
