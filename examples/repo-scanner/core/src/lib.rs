//! repo-scanner's core: what it does, without the runtime, the transport or the database that it does it with.
//!
//! A [`Scanner`] takes repository names, fetches each through a client that carries the whole stack of
//! `tower-egress`, and hands each [`Outcome`] to whoever keeps it. It holds a bounded number of
//! repositories at any time, however long the list.

mod github;
mod options;
mod outcome;
mod reason;
mod repos;
mod scan;

pub use self::{
    github::{GitHub, NotFetched, Repository},
    options::ScanOptions,
    outcome::{Failed, Outcome, Scanned, Stopped, Summary},
    repos::{NotARepository, RepoName, ReposError, repos},
    scan::Scanner,
};
