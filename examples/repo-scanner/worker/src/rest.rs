//! What has to outlive the object in memory: until when an API is not to be asked.
//!
//! The platform forgets an object that has nothing to do, and with it what its rate limits know. A new one would have a full
//! bucket, and ask although the server has said "later".

use crate::program::Program;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tower_egress::{Clock, Quota};
use tower_egress_worker::WorkerTimer;
use worker::{Result, State};

const KEY: &str = "rest";

/// What the last one to work has left.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// Whether it was at work, and had no time to say more.
    is_at_work: bool,
    /// When all that an API permits is permitted again, by name, in milliseconds since the Unix epoch.
    until: BTreeMap<String, i64>,
}

impl Rest {
    /// Notes that somebody works.
    pub(crate) async fn begin(state: &State) -> Result<()> {
        let rest = Self {
            is_at_work: true,
            ..Self::default()
        };
        state.storage().put(KEY, rest).await
    }

    /// Notes that nobody works any more, and until when the APIs are to be left in peace by whoever knows no more than this.
    pub(crate) async fn end(state: &State, program: &Program) -> Result<()> {
        let limits = program.web.egress.status().rate_limits;
        let until = quotas(program).map(|(api, quota)| {
            let pause = limits.get(api).and_then(|limit| limit.paused_for_ms);
            let pause = Duration::from_secs_f64(pause.unwrap_or_default() / 1000.0);
            let until = WorkerTimer::new().unix_time() + pause.max(quota.period());
            let until = i64::try_from(until.as_millis()).unwrap_or(i64::MAX);
            (api.to_owned(), until)
        });
        let rest = Self {
            is_at_work: false,
            until: until.collect(),
        };
        state.storage().put(KEY, rest).await
    }

    /// Lets a program that has just been put together keep to what the one before it has left.
    pub(crate) async fn keep_to(state: &State, program: &Program) -> Result<()> {
        let Some(rest) = state.storage().get::<Self>(KEY).await? else {
            return Ok(());
        };
        let now = i64::try_from(WorkerTimer::new().unix_time().as_millis()).unwrap_or(i64::MAX);
        for (api, quota) in quotas(program) {
            let pause = match rest.until.get(api) {
                _ if rest.is_at_work => quota.period(),
                Some(until) => {
                    let left = until.saturating_sub(now).try_into();
                    Duration::from_millis(left.unwrap_or_default())
                }
                None => Duration::ZERO,
            };
            if !pause.is_zero() {
                program.web.egress.pause_for(api, pause);
            }
        }
        Ok(())
    }
}

fn quotas(program: &Program) -> impl Iterator<Item = (&'static str, Quota)> {
    let settings = &program.settings;
    [
        ("github", settings.github.quota),
        ("claude", settings.anthropic.quota),
    ]
    .into_iter()
}
