//! What batches, processes, JSON, flags and the monitor must do on every platform: cases that need a timer, but no certain time.
//!
//! A case fails with a sentence.

mod batches;
mod busy;
mod flags;
mod json;
mod monitor;
mod processes;
pub mod schedule;

pub use self::busy::Busy;

use tower_egress::Timer;

/// Runs all cases, and returns the name and the complaint of each that failed.
pub async fn run_all<T: Timer>(timer: T) -> Vec<(&'static str, String)> {
    let mut failed = Vec::new();
    for name in NAMES {
        if let Err(complaint) = run(name, timer.clone()).await {
            failed.push((*name, complaint));
        }
    }
    failed
}

macro_rules! cases {
    ($($module:ident::$case:ident),* $(,)?) => {
        /// The names of the cases.
        pub const NAMES: &[&str] = &[$(concat!(stringify!($module), "::", stringify!($case))),*];

        /// Runs one case.
        ///
        /// # Errors
        ///
        /// What is wrong, or that there is no such case.
        pub async fn run<T: Timer>(name: &str, timer: T) -> Result<(), String> {
            $(if name == concat!(stringify!($module), "::", stringify!($case)) {
                return $module::$case(timer).await;
            })*
            Err(format!("there is no case {name:?}"))
        }
    };
}

cases! {
    batches::a_full_batch_is_handled,
    batches::a_batch_is_handled_when_its_time_has_come,
    batches::a_flush_is_over_when_everything_is_answered,
    batches::a_bad_item_fails_alone,
    batches::a_wrong_count_is_everybodys,
    batches::a_closed_batch_refuses,
    batches::nobody_hangs_when_the_run_is_gone,
    batches::keys_are_handled_apart,
    batches::many_items_are_answered_once,
    batches::chunks_keep_their_order,
    batches::an_end_in_the_middle_loses_nothing,
    processes::results_come_in_order,
    processes::errors_are_collected,
    processes::it_stops_in_order,
    processes::pauses_let_others_run,
    processes::a_consumer_may_use_the_same_limit,
    processes::many_items_are_processed_once,
    processes::an_end_in_the_middle_loses_nothing,
    json::small_sets_are_whole_and_larger_ones_streamed,
    json::an_error_is_no_short_success,
    json::a_part_is_told_from_the_whole,
    json::items_come_one_by_one,
    json::bad_items_are_told,
    flags::users_are_in_the_same_share_everywhere,
    flags::who_is_in_a_share_stays_in_it,
    flags::a_bad_configuration_changes_nothing,
    flags::who_does_worse_is_told_once,
    monitor::a_run_takes_as_long_as_it_waits,
    monitor::what_takes_too_long_is_ended,
    monitor::a_run_that_is_dropped_is_cancelled,
    monitor::memory_is_sampled_and_its_limit_told_once,
    monitor::a_report_is_written_in_each_way,
}

/// Complains unless both are the same.
#[allow(
    clippy::needless_pass_by_value,
    reason = "both are made to be compared"
)]
fn same<V: PartialEq + std::fmt::Debug>(what: &str, is: V, ought: V) -> Result<(), String> {
    if is == ought {
        return Ok(());
    }
    Err(format!("{what}: {is:?} instead of {ought:?}"))
}

fn text<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

/// A count that is not zero.
fn count(count: usize) -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::MIN.saturating_add(count.saturating_sub(1))
}
