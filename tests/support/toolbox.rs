//! What tests of batches and processes share.

use egress_time::{Clock, ManualTimer, SleepUntil};
use std::{num::NonZeroUsize, time::Duration};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

pub(crate) async fn sleep(timer: &ManualTimer, time: Duration) {
    SleepUntil::new(timer.clone(), timer.now() + time).await;
}
