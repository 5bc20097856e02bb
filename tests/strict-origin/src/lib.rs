//! A loopback server that plays GitHub's and Anthropic's documented rules and keeps score of its
//! client.
//!
//! It is what a client of rate-limited APIs is tested against when mocks are not enough: real
//! sockets, HTTP/1.1 and HTTP/2 with prior knowledge on one port, limits that are enforced to the
//! request, faults that a seed repeats, and a [`Score`] that says what the client did.
//!
//! ```
//! use strict_origin::{Api, StrictOrigin};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let origin = StrictOrigin::builder()
//!     .github("600/1s,burst=10,spacing=5ms".parse()?)
//!     .start()
//!     .await?;
//! // … point the client at origin.url() and let it work …
//! let score = origin.shutdown().await;
//! assert_eq!(score.complaints(), Vec::<String>::new());
//! assert_eq!(score.api(Api::Github).over_limit, 0);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
//! ```
//!
//! # Routes
//!
//! GitHub:
//! - `GET /repos/{owner}/{name}` and `GET /repos/{owner}/{name}/languages`
//! - `GET /users/{login}/repos` and `GET /orgs/{org}/repos`, in pages
//! - `GET /search/repositories?q=`, in pages, which is GitHub Search
//! - `GET /repositories/{id}` and `GET /repositories/{id}/languages`, to which a repository that was
//!   [renamed](Builder::renamed) is redirected
//!
//! Repositories follow from their names; with a [`Catalogue`] only those in it exist. Responses have
//! entity tags, and "not modified" costs no quota.
//!
//! Anthropic:
//! - `POST /v1/messages`, not streamed
//!
//! External:
//! - `/anything/…` describes the request, `POST /echo` returns its body
//! - `GET /bytes/{n}` and `GET /slow-body/{n}?ms=&pieces=` return so many bytes
//! - `GET /delay/{ms}` and `/status/{code}` do what they say
//! - `PUT` and `POST /items/{id}` count writes, and `GET` tells them
//!
//! A POST with an `idempotency-key` takes place once for each path, be it at `/items`, at `/echo` or
//! at Anthropic.
//!
//! The origin's own, which do not count:
//! - `GET /__score`, `POST /__reset` and `GET /__health`
//!
//! # What is enforced
//!
//! A [`Rule`] admits at most so many requests in every half-open window, by the arrival of their
//! heads; a request that is refused takes no room. The answer is in the [API's](Api) own dialect,
//! and so are the headers of every response that is served: they are true, and times in them are
//! rounded up, so that nobody is asked back before there is room. Of several refused requests each
//! is told a time of its own. The window slides: GitHub's `x-ratelimit-reset` and the draft's `t`
//! say when the next unit comes back, and Anthropic's reset, as documented, when all have.
//!
//! # What is scored
//!
//! - Spacing and burst, with an allowance for jitter: see [`Rule::with_jitter`].
//! - Early returns: a request that was told a time and comes back more than a millisecond before it
//!   is an [early retry](ApiScore::early_retries). If the telling was a refusal (403, 429),
//!   everyone is meant: another request of the same API in that time is a [pause
//!   violation](ApiScore::pause_violations), unless it was told a time of its own, or arrived so
//!   soon that it may have been under way. A 503 with `Retry-After` means its own request only.
//! - Requests waiting for response heads, open bodies and connections, now and at most; bodies and
//!   requests that the client gave up; writes sent twice.
//!
//! # Faults
//!
//! A [`FaultPlan`] hits requests by a pure function of seed, request and attempt; a [`Script`] says
//! what a path answers first, second and third. [`FaultKind`] lists what can go wrong.
//!
//! # Its own thread
//!
//! The origin runs on a thread and a runtime of its own. On the client's runtime the origin's clock
//! would be read when the client's tasks permit it, and a client that computes would look like one
//! that sends in bursts.
//!
//! Architecture invariant: arithmetic (`window`, `ledger`, `returns`, `faults::plan`) knows neither sockets
//! nor clocks; only `exchange` knows them all.

mod api;
mod body;
mod builder;
mod catalogue;
mod clock;
mod connection;
mod content;
mod control;
mod dates;
mod dialect;
mod errors;
mod exchange;
mod faults;
mod hash;
mod ledger;
mod origin;
mod query;
mod renames;
mod returns;
mod routes;
mod rule;
mod score;
mod script;
mod server;
mod state;
mod tally;
mod window;
mod writes;

pub use self::{
    api::{Api, UnknownApi},
    builder::{Builder, HeaderSlots},
    catalogue::{Catalogue, CatalogueError},
    faults::{FaultKind, FaultPlan, FaultPlanError, UnknownFault},
    origin::{StartError, StrictOrigin},
    rule::{NamedRule, Rule, RuleError},
    score::{ApiScore, Score},
    script::{Answer, Reply, Script},
};
