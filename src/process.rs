//! Many items, a few at a time: work on each item of a stream, and do something with each result.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use tower_egress::{TokioTimer, process::Process};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # async fn stars(repo: u32) -> Result<u32, String> { if repo == 3 { Err("gone".into()) } else { Ok(repo * 10) } }
//! let mut sum = 0;
//! let outcome = Process::iter(1..=5, TokioTimer::new())
//!     .concurrency(NonZeroUsize::new(2).unwrap())
//!     .for_each(stars, async |stars| {
//!         sum += stars;
//!         Ok(())
//!     })
//!     .await;
//! assert_eq!((outcome.done, outcome.failed, sum), (4, 1, 120));
//! assert_eq!((outcome.errors[0].index, outcome.errors[0].error.as_str()), (2, "gone"));
//! # }
//! ```
//!
//! Anything that is a [`Stream`](futures_core::Stream) can be processed, and with [`Process::iter`] anything that can be iterated.
//! [`chunks`](Process::chunks) hands over several items at once:
//!
//! ```
//! use std::{convert::Infallible, num::NonZeroUsize};
//! use tower_egress::{TokioTimer, process::Process};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let size = NonZeroUsize::new(40).unwrap();
//! let write = |rows: Vec<u32>| async move { Ok::<_, Infallible>(rows.len()) };
//! let (written, outcome) = Process::iter(0..100, TokioTimer::new()).chunks(size).collect(write).await;
//! assert_eq!((written, outcome.done), (vec![40, 40, 20], 100));
//! # }
//! ```
//!
//! # Why the results are no stream
//!
//! `buffer_unordered` is one, and it stops when nobody asks for the next item. A consumer that fetches something itself
//! between two items does not ask. The work in the buffer then sits on its connections unpolled, and the consumer waits
//! for one of those for ever ([futures-rs#2387](https://github.com/rust-lang/futures-rs/issues/2387)). So here the
//! consumer is handed in ([`for_each`](Process::for_each)), and it is polled together with the work: while it waits, the
//! work goes on, ends, and gives back what it holds. A result that still holds something, such as a response with an unread body,
//! keeps it until the consumer takes it; read it in the work.
//!
//! # Memory
//!
//! At most [`concurrency`](Process::concurrency) items (or chunks) are worked on, and together with the results that
//! the consumer has not taken they are at most twice as many; the stream is not asked for more. Of the errors, the first
//! [`keep_errors`](Process::keep_errors) are kept.
//!
//! # How it ends
//!
//! With the stream; when somebody [stops](ProcessHandle::stop) it; or, if asked to, [at the first
//! error](Process::stop_at_first_error). In each case what has begun is finished and its results are consumed, so that each item was either
//! begun and accounted for, or not: the [`Outcome`] says how many were. Of those that were not, some may have been taken from the
//! stream already, and are dropped: a part of a chunk, or what waited for its turn. So a stream that others read on from has lost them.
//!
//! # Cancel safety
//!
//! Dropping the future drops the work under way, in whatever state it is. To end in order, stop it.
//!
//! # Workers
//!
//! A process and its handles belong to one invocation: stopping it wakes it. A long one that computes more than it waits should
//! [pause](Process::pause_every), or nothing else of the invocation runs.

mod builder;
mod chunks;
mod drive;
mod gate;
mod handle;
mod outcome;
mod producer;
mod progress;
mod results;
mod unit;

pub use self::{
    builder::Process,
    chunks::Chunks,
    handle::ProcessHandle,
    outcome::{End, Failed, Outcome},
    progress::Progress,
};
