#![doc = include_str!("../README.md")]

mod api;
mod apis;
pub mod batch;
mod builder;
mod egress;
mod error;
#[cfg(feature = "tokio")]
mod executor;
mod ext;
mod fetch;
pub mod flags;
#[cfg(any(doc, doctest))]
#[doc = include_str!("guide.md")]
pub mod guide {}
pub mod json;
mod keyed;
pub mod monitor;
mod numbered;
mod ordered;
mod place;
pub mod process;
mod server_timing;
mod service;
pub mod sql;
mod status;
mod switch;

#[cfg(feature = "tokio")]
pub use self::executor::TokioExecutor;
/// tower's `BoxError`: what every layer fails with, when it is not the transport's own error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(feature = "tokio")]
pub use egress_time::TokioTimer;
pub use {
    egress_backoff::{
        Budget, ErrorClass, GaveUp, Policy, ReplayBody, RetryError, RetryInfo, Schedule,
    },
    egress_body_cleanup::{Capture, Drain, Executor, NoExecutor},
    egress_body_end::CapturedBody,
    egress_concurrency_limit::{ConcurrencyLimitError, Limiter, ReleaseAt},
    egress_hints::Dialect,
    egress_time::{Clock, Instant, SleepUntil, Timer},
    egress_timeout::{AttemptTimeout, RequestTimeout, TimedOut},
    egress_timing::{Spent, Tally},
    egress_token_bucket::{Bucket, InvalidQuota, Quota, RateLimited},
};

/// The crates of the layers, for what is not named here.
pub mod layers {
    pub use egress_backoff as backoff;
    pub use egress_body_cleanup as body_cleanup;
    pub use egress_concurrency_limit as concurrency_limit;
    pub use egress_timeout as timeout;
    pub use egress_timing as timing;
    pub use egress_token_bucket as token_bucket;
}

pub use self::{
    api::{Api, UseApi},
    builder::EgressBuilder,
    egress::{Egress, EgressLayer},
    error::{Error, ErrorKind, classify},
    ext::ServiceBuilderExt,
    fetch::{
        BatchFetch, DEFAULT_MAX_BYTES, DecodeError, FetchExt, RequestBuilder, ResponseExt,
        batch_fetch,
    },
    server_timing::{ServerTiming, ServerTimingLayer, TimedResponse, TimedServer},
    service::{EgressService, ResponseBody, ResponseFuture},
    status::{
        BodyStatus, ConnectionStatus, PerformanceStatus, PhaseStatus, RateLimitStatus, RetryStatus,
        ServerView, Status,
    },
    switch::Switch,
};
