//! A tower layer that measures every request, phase by phase, and keeps the percentiles.
//!
//! [`TimingLayer`] is the outermost layer: it sees a request when its caller makes it and until its body has ended.
//! Each request is recorded exactly once, whatever becomes of it, with its [`Outcome`] and with the time it spent in
//! each [`Phase`]. What it waited for inside, the layers inside say in its
//! [`RequestContext`](egress_context::RequestContext).
//!
//! A [`Recorder`] holds the numbers. It is a handle: clone it to wherever they are read. A [`Snapshot`] has, for each
//! label, the whole lifetime and a rolling minute. Snapshots of several programs merge into one, and their percentiles
//! are those of all requests together, which no average of percentiles is.
//!
//! # What is recorded when
//!
//! With the last frame of the body, its trailers or its error; with the response if that has no body; with the error if
//! there is no response; and if the future or the body is dropped before that, then. Failures, timeouts and cancelled
//! requests count like others: leaving them out makes a service look faster the worse it gets. Zero is a valid
//! duration, and in a Worker the most frequent one.
//!
//! # Precision
//!
//! Percentiles are within 1 % of the nearest-rank percentile of what was recorded, from 8 µs to 4.8 hours; below that
//! within 128 ns. What is longer counts as 4.8 hours. See [`Histogram`].
//!
//! # Cost
//!
//! Three readings of the clock (two if the response has no body), one relaxed addition for each number, and no
//! allocation but the context's, which the layers inside share. (An [`Histogram`] allocates when a magnitude is seen
//! for the first time, at most 32 times in its life.) Writers take no lock except one of them, once in ten seconds for
//! each label. Readers take none at all, so nobody who asks for a report, however often, makes a request wait.
//!
//! Memory for each label: 18 KiB at once, and 512 bytes for each magnitude of each phase of lifetime and windows, about
//! 100 KiB in practice and 580 KiB at most.
//!
//! # Cancel safety
//!
//! Dropping the future or the body records the request as [`Outcome::Cancelled`] and nothing else.
//!
//! # Workers
//!
//! The numbers are those of one isolate and begin anew with it. The clock moves with I/O only: waiting is measured
//! right, computing as zero. A body that is dropped by nobody, because its client went away, is not recorded.
//!
//! # Example
//!
//! ```
//! use egress_time::{Clock, ManualTimer};
//! use egress_timing::{Outcome, Phase, Recorder, TimingLayer};
//! use http::{Method, Request, Response, Uri};
//! use http_body_util::Empty;
//! use std::{convert::Infallible, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let timer = ManualTimer::new();
//! let recorder = Recorder::new(["github", "anthropic"]);
//! let host = |_: &Method, uri: &Uri| (uri.host() == Some("api.github.com")).then_some(0);
//! let client = ServiceBuilder::new()
//!     .layer(TimingLayer::new(timer.clone(), recorder.clone()).with_label(host))
//!     .service(service_fn(|_: Request<()>| async {
//!         timer.advance(Duration::from_millis(250));
//!         Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new()))
//!     }));
//!
//! let request = Request::get("https://api.github.com/zen").body(()).unwrap();
//! timer.run(client.oneshot(request)).unwrap();
//!
//! let snapshot = recorder.snapshot(timer.now());
//! let github = snapshot.label("github").unwrap().minute();
//! assert_eq!(github.outcome(Outcome::Ok), 1);
//! let p99 = github.phase(Phase::Headers).p99().unwrap();
//! assert!(p99.abs_diff(Duration::from_millis(250)) < Duration::from_micros(2500));
//! ```

mod body;
mod bucket;
mod counters;
mod distribution;
mod future;
mod histogram;
mod label;
mod layer;
mod measurement;
mod outcome;
mod recorder;
mod sample;
mod series;
mod service;
mod snapshot;
mod tally;

pub use self::{
    body::ResponseBody,
    distribution::Distribution,
    future::ResponseFuture,
    histogram::Histogram,
    label::{Label, Unlabelled},
    layer::TimingLayer,
    outcome::{Outcome, Phase},
    recorder::Recorder,
    service::Timing,
    snapshot::{Snapshot, Summary, Timings},
    tally::{Spent, Tally},
};
pub use egress_context::RequestHead;
