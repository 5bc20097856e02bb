//! The retries of one request: what was tried, what it cost, and what comes next.

use crate::{
    BoxError, Budget, Cause, GaveUp, Policy, ReplayBody, RetryError, RetryInfo, Withdrawal,
    collect::Collected, original::Original, verdict::Verdict,
};
use egress_context::{Failure, RequestContext, RetryOwner};
use egress_hints::{Source, Wait};
use egress_time::{Clock, Instant};
use http::{Request, Response};
use std::{ops::ControlFlow, time::Duration};

/// The retries of one request.
pub(crate) struct Session {
    policy: Policy,
    budget: Budget,
    context: RequestContext,
    /// None if an outer layer owns the retries: then the request is sent once, and nothing is said about it.
    owner: Option<RetryOwner>,
    idempotent: bool,
    replayable: bool,
    /// How often the request was handed over, and not refused before it was sent.
    attempts: u32,
    /// How often it was to be; the first time included.
    begun: u32,
    /// How often GitHub refused without naming a time.
    secondary: u32,
    /// What it takes to send the request again, if that can be and may still happen.
    original: Option<Original>,
    /// The price of the next attempt, until it is sent.
    planned: Option<Withdrawal>,
    /// What the present attempt cost.
    spent: u32,
}

impl Session {
    /// Starts a session for the request with this context, and takes its retries unless an outer layer has them.
    pub(crate) fn new(
        policy: Policy,
        budget: Budget,
        context: RequestContext,
        idempotent: bool,
    ) -> Self {
        Self {
            idempotent,
            owner: context.own_retries(),
            policy,
            budget,
            context,
            replayable: false,
            attempts: 0,
            begun: 0,
            secondary: 0,
            original: None,
            planned: None,
            spent: 0,
        }
    }

    pub(crate) const fn context(&self) -> &RequestContext {
        &self.context
    }

    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns up to how many bytes of a body are kept for another attempt.
    pub(crate) fn max_buffered(&self) -> usize {
        self.policy.max_buffered()
    }

    /// Begins the first attempt. What is needed for another is kept, if the body is in memory.
    pub(crate) fn first<B>(&mut self, request: &Request<B>, body: Option<&Collected>) {
        self.begin();
        if let Some(body) = body {
            self.replayable = true;
            if self.owner.is_some() && self.policy.max_retries() > 0 {
                self.original = Some(Original::new(request, body));
            }
        }
    }

    /// Begins another attempt; there is one whenever [`after`](Self::after) has planned it.
    pub(crate) fn again<B>(&mut self) -> Option<Request<ReplayBody<B>>> {
        self.begin();
        // The attempt that must be the last is sent without a copy.
        let original = if self.begun <= self.policy.max_retries() {
            self.original.clone()
        } else {
            self.original.take()
        };
        original.map(|original| original.into_request(&self.context))
    }

    fn begin(&mut self) {
        if self.owner.is_some() {
            self.begun = self.begun.saturating_add(1);
            self.attempts = self.attempts.saturating_add(1);
            self.context.begin_attempt();
        }
    }

    /// Takes note that the attempt was refused before it was sent, so that it was none.
    pub(crate) fn refused(&mut self) {
        if self.owner.is_some() {
            self.attempts = self.attempts.saturating_sub(1);
            self.context.retract_attempt();
        }
    }

    /// Takes note that the attempt is handed over: from here on it may reach the server.
    pub(crate) fn sent(&mut self) {
        self.spent = self.planned.take().map_or(0, Withdrawal::spend);
    }

    /// Decides what comes after an error: another attempt, not before an instant, or the end.
    pub(crate) fn after_error(
        &mut self,
        error: &BoxError,
        clock: &impl Clock,
    ) -> ControlFlow<Option<RetryInfo>, Instant> {
        if self.owner.is_none() {
            return ControlFlow::Break(None);
        }
        let failure = self.context.failure();
        if failure.is_some_and(Failure::is_unsent) {
            // It was not sent after all.
            self.budget.deposit(self.spent);
            self.refused();
        }
        let verdict = Verdict::of_error(&self.policy, error, failure);
        self.follow(verdict, None, clock)
    }

    /// Decides what comes after a response.
    pub(crate) fn after<R>(
        &mut self,
        response: &Response<R>,
        clock: &impl Clock,
    ) -> ControlFlow<Option<RetryInfo>, Instant> {
        if self.owner.is_none() {
            return ControlFlow::Break(None);
        }
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            self.budget.succeed(self.spent);
            return self.follow(Verdict::Settled, None, clock);
        }
        let (verdict, wait) = Verdict::of_response(&self.policy, response, clock.unix_time());
        if verdict == Verdict::Settled && status.is_client_error() {
            // The request is at fault; the server is well.
            self.budget.succeed(self.spent);
        }
        let asked = wait.map(|wait| self.asked(wait));
        self.follow(verdict, asked, clock)
    }

    /// Returns what the server asks for. Where it names no time, GitHub wants a minute, and longer each time.
    fn asked(&mut self, wait: Wait) -> Duration {
        if wait.source != Source::SecondaryLimit {
            return wait.after;
        }
        let asked = wait
            .after
            .saturating_mul(2_u32.saturating_pow(self.secondary));
        self.secondary = self.secondary.saturating_add(1);
        asked
    }

    fn follow(
        &mut self,
        verdict: Verdict,
        asked: Option<Duration>,
        clock: &impl Clock,
    ) -> ControlFlow<Option<RetryInfo>, Instant> {
        let gave_up = match verdict {
            Verdict::Settled => None,
            Verdict::Final => Some(GaveUp::Final),
            Verdict::Retry { cause, any_method } => {
                match self.plan(cause, any_method, asked, clock.now()) {
                    Ok(until) => return ControlFlow::Continue(until),
                    Err(gave_up) => Some(gave_up),
                }
            }
        };
        ControlFlow::Break(self.info(gave_up, asked))
    }

    /// Plans another attempt. Its price is taken last, so that nothing is paid for one that cannot be.
    fn plan(
        &mut self,
        cause: Cause,
        any_method: bool,
        asked: Option<Duration>,
        now: Instant,
    ) -> Result<Instant, GaveUp> {
        let retries = self.begun.saturating_sub(1);
        if !self.idempotent && !any_method {
            return Err(GaveUp::NotIdempotent);
        }
        if !self.replayable {
            return Err(GaveUp::NotReplayable);
        }
        if retries >= self.policy.max_retries() {
            return Err(GaveUp::Exhausted);
        }
        let limit = self.policy.max_hint_wait();
        let wait = match asked {
            Some(wait) if wait > limit => return Err(GaveUp::WaitTooLong { wait, limit }),
            // "Now" is believed once: servers that round down say it until their window has passed.
            Some(wait) if !wait.is_zero() || retries == 0 => wait,
            _ => self
                .policy
                .schedule()
                .delay(cause, retries, |most| fastrand::u64(..=most)),
        };
        let until = now + wait;
        if let Some(deadline) = self.context.deadline()
            && until >= deadline
        {
            let left = deadline - now;
            return Err(GaveUp::DeadlineTooSoon { wait, left });
        }
        let price = self.budget.withdraw(cause, now);
        self.planned = Some(price.ok_or(GaveUp::BudgetEmpty)?);
        Ok(until)
    }

    /// Returns what the caller is told; nothing if the request was sent once, and rightly so.
    pub(crate) fn info(
        &self,
        gave_up: Option<GaveUp>,
        retry_after: Option<Duration>,
    ) -> Option<RetryInfo> {
        (self.begun > 1 || gave_up.is_some()).then_some(RetryInfo {
            attempts: self.attempts,
            gave_up,
            retry_after,
        })
    }

    /// Wraps an error that ends a request which was to be sent more than once.
    pub(crate) fn explain(&self, source: BoxError, info: Option<RetryInfo>) -> BoxError {
        match info {
            Some(info) if self.begun > 1 => RetryError {
                attempts: info.attempts,
                gave_up: info.gave_up,
                source,
            }
            .into(),
            _ => source,
        }
    }

    /// Ends the session: gives up the retries, and whatever was kept for them.
    pub(crate) fn end(&mut self) {
        self.owner = None;
        self.original = None;
        self.planned = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egress_time::ManualTimer;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// B9
    #[test]
    fn no_number_of_attempts_overflows() {
        let policy = Policy::new().with_max_retries(u32::MAX);
        let mut request = Request::new(());
        let context = RequestContext::join(request.extensions_mut());
        let mut session = Session::new(policy, Budget::unlimited(), context, true);
        session.first(&request, Some(&Collected::default()));
        session.attempts = u32::MAX - 1;
        session.begun = u32::MAX - 1;
        session.secondary = u32::MAX - 1;
        let timer = ManualTimer::new();
        for _ in 0..3 {
            let mut response = Response::new(());
            *response.status_mut() = http::StatusCode::BAD_GATEWAY;
            let next = session.after(&response, &timer);
            let ControlFlow::Continue(until) = next else {
                panic!("there are retries left");
            };
            assert!(until - timer.now() <= Duration::from_secs(20));
            assert!(session.again::<()>().is_some());
            let source = Source::SecondaryLimit;
            let after = Duration::from_secs(60);
            let asked = session.asked(Wait { after, source });
            assert_eq!(asked, after.saturating_mul(u32::MAX));
        }
        assert_eq!(session.attempts(), u32::MAX);
    }
}
