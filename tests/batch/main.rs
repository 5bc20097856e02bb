//! Batches: when they are handled, what each waiter is told, and that nothing is lost or doubled.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod answers;
mod chunks;
mod flushes;
mod keys;
#[cfg(not(target_arch = "wasm32"))]
mod many;
mod polls;
mod room;
mod schedule;
#[path = "../support/toolbox.rs"]
mod toolbox;
mod when;

use self::toolbox::{SECOND, count, sleep};
use egress_time::{Clock, Instant, ManualTimer};
use futures_util::{
    future::{join, join_all},
    join,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use tokio_test::task;
use tower_egress::{
    SleepUntil,
    batch::{Batch, BatchBuilder, BatchError, process_in_chunks},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Handled = Result<Vec<Result<u32, &'static str>>, &'static str>;

type Error = BatchError<&'static str>;

/// What a handler was given, and when.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<Vec<u32>>>>);

impl Log {
    fn batches(&self) -> Vec<Vec<u32>> {
        self.0.borrow().clone()
    }

    /// A handler that returns each number as it is, after a while.
    fn handler(
        &self,
        timer: &ManualTimer,
        takes: Duration,
    ) -> impl FnMut(Vec<u32>) -> std::pin::Pin<Box<dyn Future<Output = Handled>>> + use<> {
        let (log, timer) = (self.clone(), timer.clone());
        move |items| {
            log.0.borrow_mut().push(items.clone());
            let done = SleepUntil::new(timer.clone(), timer.now() + takes);
            Box::pin(async move {
                done.await;
                Ok(items.into_iter().map(Ok).collect())
            })
        }
    }
}

/// Runs both; the batch must come to its end.
fn run<O>(timer: &ManualTimer, work: impl Future<Output = O>, run: impl Future<Output = ()>) -> O {
    timer.run(join(work, run)).0
}

fn gone(answer: &Result<u32, Error>) -> Option<bool> {
    match answer {
        Err(BatchError::Gone { taken, .. }) => Some(*taken),
        _ => None,
    }
}

#[test]
fn what_holds_on_every_platform() {
    let timer = ManualTimer::new();
    let failed = timer.run(toolbox_suite::run_all(timer.clone()));
    assert!(failed.is_empty(), "{failed:#?}");
}
