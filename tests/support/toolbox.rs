//! What tests of batches and processes share.

use egress_time::{Clock, ManualTimer, SleepUntil};
#[cfg(not(target_arch = "wasm32"))]
use futures_util::future::{Either, select};
use std::{num::NonZeroUsize, time::Duration};
#[cfg(not(target_arch = "wasm32"))]
use toolbox_suite::schedule::Ending;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

pub(crate) async fn sleep(timer: &ManualTimer, time: Duration) {
    SleepUntil::new(timer.clone(), timer.now() + time).await;
}

/// Runs a law, and returns how it ended and the most bytes that were allocated at once.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn measured<F>(law: impl FnOnce(ManualTimer) -> F) -> (Ending, u64)
where
    F: Future<Output = Result<(Ending, u64), String>>,
{
    let mut ending = None;
    let info = allocation_counter::measure(|| {
        let timer = ManualTimer::new();
        let law = std::pin::pin!(law(timer.clone()));
        // The timer remembers what it was asked for.
        let forget = std::pin::pin!(async {
            loop {
                sleep(&timer, SECOND / 100).await;
                drop(timer.requested());
            }
        });
        let Either::Left((law, _)) = timer.run(select(law, forget));
        ending = Some(law.unwrap().0);
        assert!(timer.sleepers() <= 1, "that of the test");
    });
    (ending.unwrap(), info.bytes_max)
}
