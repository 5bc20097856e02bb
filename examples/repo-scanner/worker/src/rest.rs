//! What has to outlive the object in memory: until when an API is not to be asked.
//!
//! The platform forgets an object that has nothing to do, and with it what its rate limits know. A new one would have a full
//! bucket, and ask although the server has said "later".

use crate::program::Program;
use std::time::Duration;
use tower_egress::{Clock, Quota};
use tower_egress_worker::WorkerTimer;
use worker::{Result, State};

const KEY: &str = "rest";

/// That somebody is at work, and had no time to say more.
const AT_WORK: &str = "at work";

/// What the last one to work has left: [`AT_WORK`], or a line for each API with its name, and when all that it permits is
/// permitted again, in milliseconds since the Unix epoch.
#[derive(Debug)]
pub(crate) struct Rest(String);

impl Rest {
    /// Notes that somebody works.
    pub(crate) async fn begin(state: &State) -> Result<()> {
        state.storage().put_raw(KEY, AT_WORK).await
    }

    /// Notes that nobody works any more, and until when the APIs are to be left in peace by whoever knows no more than this.
    pub(crate) async fn end(state: &State, program: &Program) -> Result<()> {
        let limits = program.web.egress.status().rate_limits;
        let mut lines = String::new();
        for (api, quota) in quotas(program) {
            let pause = limits.get(api).and_then(|limit| limit.paused_for_ms);
            let pause = Duration::from_secs_f64(pause.unwrap_or_default() / 1000.0);
            let until = WorkerTimer::new().unix_time() + pause.max(quota.period());
            let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
            lines += &format!("{api} {until}\n");
        }
        state.storage().put_raw(KEY, lines).await
    }

    /// Lets a program that has just been put together keep to what the one before it has left.
    pub(crate) async fn keep_to(state: &State, program: &Program) -> Result<()> {
        let Some(rest) = state.storage().get(KEY).await?.map(Self) else {
            return Ok(());
        };
        let now = WorkerTimer::new().unix_time();
        for (api, quota) in quotas(program) {
            let pause = match rest.0.as_str() {
                AT_WORK => quota.period(),
                _ => rest.until(api).unwrap_or_default().saturating_sub(now),
            };
            if !pause.is_zero() {
                program.web.egress.pause_for(api, pause);
            }
        }
        if rest.0 == AT_WORK {
            // The platform may forget this one too before the pause is over, and the next is not to begin another.
            return Self::end(state, program).await;
        }
        Ok(())
    }

    /// Returns when all that an API permits is permitted again.
    fn until(&self, api: &str) -> Option<Duration> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(' '));
        let (_, until) = lines.find(|(name, _)| *name == api)?;
        until.parse().ok().map(Duration::from_millis)
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
