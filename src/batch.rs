//! Items that are handled together: collected one by one, answered one by one.
//!
//! Many callers have one row, one key or one event each, and something behind them is cheaper by the hundred. A [`Batch`]
//! collects their items, hands them to one handler, and gives each caller the result of its own item.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use tower_egress::{TokioTimer, batch::Batch};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (squares, run) = Batch::builder()
//!     .max_wait(Duration::from_millis(5))
//!     .build(TokioTimer::new(), |numbers: Vec<u64>| async move {
//!         // One round trip for all of them.
//!         Ok(numbers.iter().map(|number| Ok::<_, Infallible>(number * number)).collect())
//!     });
//! let worker = tokio::spawn(run);
//!
//! let (three, four) = tokio::join!(squares.add(3), squares.add(4));
//! assert_eq!((three?, four?), (9, 16));
//! assert_eq!(squares.stats().batches, 1);
//!
//! squares.close().await?;
//! worker.await?;
//! # Ok(()) }
//! ```
//!
//! # When a batch is handled
//!
//! When it is [full](BatchBuilder::max_items), when its first item has waited for [`max_wait`](BatchBuilder::max_wait), when
//! somebody [flushes](Batch::flush), and when the batch is [closed](Batch::close) or its last handle is dropped; then, as
//! soon as one of the [`concurrency`](BatchBuilder::concurrency) handlers is free. Items are taken in the order in which they came. What is added
//! while a handler works goes to the next batch, and what is added after a flush has begun to one after that.
//!
//! # What each waiter is told
//!
//! A handler returns one result for each item, in their order, so a bad item fails alone. A handler that fails,
//! panics, or returns too few or too many results says nothing about single items: each of the batch is answered with a
//! [`BatchError`] that says so. A handler that panicked is called again for the next batch. (Where a panic aborts, as in
//! most Workers, it ends the program.)
//!
//! # Who does the work
//!
//! Nobody spawns. [`build`](BatchBuilder::build) returns a [`Run`], a future that calls the handler; it is polled by whoever is
//! given it, and it ends when everything is answered after a close. When it is dropped earlier, every waiter is told that it is
//! [gone](BatchError::Gone); nobody hangs.
//!
//! # Memory
//!
//! At most [`capacity`](BatchBuilder::capacity) items that nobody waits for, and those that handlers work on. [`Batch::push`] waits
//! for room. The future of [`Batch::add`] waits for a result anyway: its item is its own, wherever it is kept.
//!
//! # Cancel safety
//!
//! Dropping the future of an add before its item was taken withdraws the item; afterwards the item is handled and its result
//! dropped. Dropping the future of a push withdraws an item that was not accepted.
//!
//! # Workers
//!
//! Waiters and [`Run`] wake each other, and on Workers no request may wake another: a batch belongs to one invocation, or
//! to one Durable Object, never to a `static`. Hand `Run` to `wait_until`, and it is finished after the response was sent
//! (30 s at most). With the last handle dropped it ends by itself.
//!
//! ```
//! # struct Context;
//! # impl Context { fn wait_until<F: Future<Output = ()> + 'static>(&self, _: F) {} }
//! use tower_egress::{Timer, batch::{Batch, BatchError}};
//!
//! # async fn write(_: Vec<String>) -> Result<(), String> { Ok(()) }
//! async fn fetch(ctx: Context, timer: impl Timer + 'static) -> Result<&'static str, BatchError<String>> {
//!     let (log, run) = Batch::builder().build(timer, |lines: Vec<String>| async move {
//!         let answers = lines.iter().map(|_| Ok(())).collect();
//!         write(lines).await?;
//!         Ok(answers)
//!     });
//!     ctx.wait_until(run);
//!     log.push("began".to_owned()).await?;
//!     Ok("answered before the lines are written")
//! }
//! # fn main() {}
//! ```
//!
//! Time stands still there between two I/O operations; a wait of 5 ms is a timer of 5 ms all the same.

mod add;
mod answers;
mod builder;
mod chunks;
mod error;
mod flush;
mod handle;
mod handler;
mod keyed;
mod push;
mod queue;
mod run;
mod shared;
mod stats;

pub use self::{
    add::Add,
    builder::BatchBuilder,
    chunks::process_in_chunks,
    error::BatchError,
    flush::Flush,
    handle::Batch,
    handler::{Handler, Keyed, Plain},
    keyed::Batches,
    push::Push,
    run::Run,
    stats::BatchStats,
};
