//! Processes: order, bounds, limits, how they end, and that nothing is lost or doubled.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod ends;
mod errors;
mod limits;
#[cfg(not(target_arch = "wasm32"))]
mod many;
mod order;
mod pauses;
mod polls;
mod progress;
mod schedule;
#[path = "../support/toolbox.rs"]
mod toolbox;

use self::toolbox::{SECOND, count, sleep};
use egress_concurrency_limit::Config;
use egress_time::{Clock, Instant, ManualTimer};
use futures_util::{StreamExt, future::join, stream};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future,
    rc::Rc,
    time::Duration,
};
use tokio_test::task;
use toolbox_suite::Busy;
use tower_egress::{
    Bucket, Limiter, Quota,
    process::{End, Process},
};

/// Work that takes a second and returns its number.
async fn slowly(timer: &ManualTimer, number: u32) -> Result<u32, String> {
    sleep(timer, SECOND).await;
    Ok(number)
}
