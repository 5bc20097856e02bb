//! What replies do to a ledger.

use super::{Ledger, Report, server::View};

/// How much later than it is a server may say that its window ends: it counts whole seconds, from those of its reply's date,
/// one is added for those that cut them off, and the reply was on its way for some time.
const ROUNDING: u64 = 3_500_000_000;
/// For how long a server may speak of a window that is over: replies that put its end within two seconds are of one window, as
/// far as anybody can tell, and what was least left in it counts.
const BLUR: u64 = 2_500_000_000;

impl Ledger {
    /// Lets nobody depart until the clock shows that, and one alone after it; a shorter pause than the present one
    /// changes nothing.
    pub(crate) fn pause(&mut self, until: u64, now: u64) {
        self.advance(now);
        self.pause_until(self.time.of_clock(until));
    }

    fn pause_until(&mut self, until: u64) {
        let now = self.time.now();
        if self.gate.pause(until, now, self.counts.departed) {
            self.delays += 1;
            self.reopen(now);
        }
    }

    /// A departure was answered well.
    pub(crate) fn succeeded(&mut self, number: u64, now: u64) {
        let now = self.advance(now);
        if self.gate.succeeded(number) {
            self.strikes = 0;
            self.reopen(now);
        }
    }

    /// A departure was not answered, or not well.
    pub(crate) fn lost(&mut self, number: u64, now: u64) {
        let now = self.advance(now);
        if self.gate.lost(number) {
            self.reopen(now);
        }
    }

    /// The answer to a departure refused it without saying for how long. Returns how often that happened in a row; an
    /// answer to what departed before the last time is no further time.
    pub(crate) fn strike(&mut self, number: u64) -> u32 {
        if self.strikes == 0 || number >= self.struck {
            self.strikes = self.strikes.saturating_add(1);
            self.struck = self.counts.departed;
        }
        self.strikes
    }

    /// Takes note of what the answer to a departure says of the server's count.
    pub(crate) fn observe(&mut self, number: u64, mut report: Report, now: u64) {
        let now = self.advance(now);
        let resets_at = self.time.of_clock(report.resets_at);
        if report.window == report.resets_at {
            report.window = resets_at;
        }
        report.resets_at = resets_at;
        let since = self.counts.departed.saturating_sub(number + 1);
        let view = View::merge(self.view, report, since, now);
        self.view = Some(view);
        self.heed_view();
    }

    /// One more has departed, which the server will count too.
    pub(super) fn count_down(&mut self) {
        if let Some(view) = &mut self.view {
            view.depart();
            self.heed_view();
        }
    }

    /// Pauses when the server has nothing left, unless that was to be expected.
    fn heed_view(&mut self) {
        let now = self.time.now();
        if let Some(view) = self.view
            && let Some(until) = view.exhausted(now)
            && !self.is_expected(view.report().limit, view.told(), until)
        {
            self.pause_until(until);
        }
    }

    /// Whether a server that has nothing left of `limit` until the clock shows that only says what is known anyway.
    pub(crate) fn is_foreseen(&mut self, limit: Option<u64>, until: u64, now: u64) -> bool {
        self.advance(now);
        self.is_expected(limit, Some(0), self.time.of_clock(until))
    }

    /// Whether a server that says that so much is `left` of `limit` until then only says what our own window says more exactly.
    ///
    /// Whoever keeps a limit of 30 in a minute has used all of it after 30 calls, again and again. The window knows to the
    /// nanosecond when the next may go; the server's word for it is in whole seconds, and a pause is followed by a probe.
    /// But if the server permits more than we do, or has counted more than we have sent, somebody else has used the rest; if its
    /// window is longer, ours is not what limits. Then its word counts.
    ///
    /// What it has counted is told by its replies alone. What departed since the request that one answers may be in it or not;
    /// that it is deducted is caution, and nobody else's doing.
    fn is_expected(&self, limit: Option<u64>, left: Option<u64>, until: u64) -> bool {
        let (now, pace, window) = (self.time.now(), self.plan.pace(), self.departures.window());
        let is_ours = limit.is_none_or(|limit| limit == u64::from(pace.limit));
        // Of a limit that it does not tell, all that we may send: less would be a guess.
        let left = limit.and(left).unwrap_or(0);
        let counted = window.limit().saturating_sub(left);
        // If we have sent all that it has counted, this was the first of that.
        let first = window.behind(counted);
        let lasts = pace.period.saturating_add(BLUR);
        let is_recent = |first: u64| now <= first.saturating_add(lasts);
        let is_all_ours = counted == 0 || first.is_some_and(is_recent);
        let (is_all_ours, ends) = if pace.period <= BLUR {
            // Shorter than the server can tell: it sees some of the window before in this one.
            let was_filled = window.filled().is_some_and(is_recent);
            (is_all_ours || was_filled, now.saturating_add(pace.period))
        } else {
            let opens = first.map_or(0, |first| first.saturating_add(pace.period));
            (is_all_ours, opens.max(now))
        };
        is_all_ours && is_ours && until <= ends.saturating_add(ROUNDING)
    }
}
