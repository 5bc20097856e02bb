//! repo-scanner's core: what it does, without the runtime, the transport or the database that it does it with.
//!
//! A [`Scanner`] takes repository names, fetches each through a client that carries the whole stack of
//! `tower-egress`, and hands each [`Outcome`] to whoever keeps it. It holds a bounded number of
//! repositories at any time, however long the list.

mod analyst;
mod anthropic;
mod budget;
mod github;
mod job;
mod options;
mod outcome;
mod read;
mod reason;
mod repos;
mod scan;
mod scans;
mod stack;
mod store;
mod switches;
mod target;
mod thin;
mod web;

pub use self::{
    analyst::Analyst,
    anthropic::{Anthropic, NoKey},
    budget::{Budget, Budgeted, BudgetedDatabase, BudgetedFuture, Operations},
    github::{Fetched, GitHub, NextPage, NotFetched, Page, Repository},
    job::{Ended, Job, JobError, Slice},
    options::ScanOptions,
    outcome::{Failed, Outcome, Scanned, Stopped, Summary},
    repos::{List, ListKey, NotARepository, RepoName, ReposError, repos},
    scan::Scanner,
    scans::{Begun, Scans},
    stack::stack,
    store::{
        BeginError, Business, Cursor, KEPT_FOR, MIGRATIONS, Metrics, Moment, NoCursor, Order,
        Query, Recurring, Run, Running, ScanState, ScanStatus, Sort, Store, StoreError, Stored,
    },
    switches::{Switches, flags},
    target::Target,
    web::{AnswerBody, CATALOGUE_KEY, Cause, Problem, Scope, Web},
};

/// The 1,200 repositories that ship with the program, `owner/name` a line.
pub const CATALOGUE: &str = include_str!(concat!(env!("OUT_DIR"), "/catalogue.txt"));
