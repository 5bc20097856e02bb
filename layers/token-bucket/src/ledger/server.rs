//! What the server says of its own count.
//!
//! **Within one window the smallest remainder counts, in whatever order the replies arrive.**

/// How far apart two replies may put the end of one and the same window, because a server that writes "in 30 seconds"
/// rounds.
const WOBBLE: u64 = 2_000_000_000;

/// What one reply says of a quota, in the ledger's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    /// When the window ends.
    pub(crate) resets_at: u64,
    /// When it ends by the server's clock, which tells one window from another.
    pub(crate) window: u64,
    /// Whether it counts requests, so that ours can be deducted.
    pub(crate) counts_requests: bool,
}

/// The server's view of the present window, as far as replies told.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    report: Report,
    /// The least that a reply said remains, without what has departed since.
    told: Option<u64>,
    wobble: u64,
}

impl View {
    /// Merges a reply with what is known. `since` is how many departed after the request it answers.
    pub(super) fn merge(known: Option<Self>, mut new: Report, since: u64, now: u64) -> Self {
        let told = new.remaining;
        if new.counts_requests {
            new.remaining = new
                .remaining
                .map(|remaining| remaining.saturating_sub(since));
        }
        match known.filter(|view| view.report.resets_at > now) {
            Some(mut view) if new.window <= view.report.window.saturating_add(view.wobble) => {
                if new.window >= view.report.window.saturating_sub(view.wobble) {
                    let remaining = [view.report.remaining, new.remaining];
                    view.report.remaining = remaining.into_iter().flatten().min();
                    view.told = [view.told, told].into_iter().flatten().min();
                    view.report.limit = new.limit.or(view.report.limit);
                    view.report.resets_at = view.report.resets_at.max(new.resets_at);
                }
                // Else it was late, and is of an earlier window.
                view
            }
            _ => Self {
                report: new,
                told,
                // Two short windows in a row are two windows.
                wobble: WOBBLE.min(new.resets_at.saturating_sub(now) / 2),
            },
        }
    }

    /// Notes a departure.
    pub(super) fn depart(&mut self) {
        if self.report.counts_requests
            && let Some(remaining) = &mut self.report.remaining
        {
            *remaining = remaining.saturating_sub(1);
        }
    }

    /// Returns until when nothing remains.
    pub(super) fn exhausted(&self, now: u64) -> Option<u64> {
        let until = self.report.resets_at;
        (self.report.remaining == Some(0) && until > now).then_some(until)
    }

    /// Returns the least that the server itself said remains. What departed since may be in it, or not.
    pub(super) const fn told(&self) -> Option<u64> {
        self.told
    }

    pub(super) const fn report(&self) -> &Report {
        &self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SECOND: u64 = 1_000_000_000;

    fn report(remaining: u64, window: u64) -> Report {
        Report {
            limit: Some(100),
            remaining: Some(remaining),
            resets_at: window * SECOND,
            window: window * SECOND,
            counts_requests: true,
        }
    }

    fn merged(reports: &[Report]) -> Report {
        let merge = |view, &report| Some(View::merge(view, report, 0, SECOND));
        *reports.iter().fold(None, merge).unwrap().report()
    }

    /// T8
    #[test]
    fn within_one_window_the_smallest_remainder_counts_in_any_order() {
        assert_eq!(merged(&[report(5, 60), report(7, 60)]).remaining, Some(5));
        assert_eq!(merged(&[report(7, 60), report(5, 60)]).remaining, Some(5));
        let silent = Report {
            remaining: None,
            ..report(0, 60)
        };
        assert_eq!(merged(&[report(7, 60), silent]).remaining, Some(7));
    }

    /// T8
    #[test]
    fn a_later_reset_is_a_new_window_and_an_earlier_one_an_old_reply() {
        assert_eq!(
            merged(&[report(5, 60), report(99, 120)]).remaining,
            Some(99)
        );
        assert_eq!(
            merged(&[report(99, 120), report(5, 60)]).remaining,
            Some(99)
        );
        let over = View::merge(None, report(5, 60), 0, SECOND);
        let next = View::merge(Some(over), report(8, 60), 0, 60 * SECOND);
        assert_eq!(next.report().remaining, Some(8), "the window was over");
    }

    /// T8
    #[test]
    fn a_reset_that_wobbles_is_the_same_window_unless_windows_are_that_short() {
        let wobbling = merged(&[report(5, 60), report(7, 61), report(6, 59)]);
        assert_eq!(
            (wobbling.remaining, wobbling.resets_at),
            (Some(5), 61 * SECOND)
        );
        // The wobble does not creep: the third is two windows after the first.
        assert_eq!(
            merged(&[report(5, 60), report(6, 62), report(9, 64)]).remaining,
            Some(9)
        );
        assert_eq!(merged(&[report(1, 2), report(9, 3)]).remaining, Some(9));
    }

    /// T8
    #[test]
    fn requests_that_departed_since_are_deducted() {
        let view = View::merge(None, report(5, 60), 3, SECOND);
        assert_eq!(view.report().remaining, Some(2));
        let mut view = View::merge(Some(view), report(4, 60), 3, SECOND);
        assert_eq!(view.report().remaining, Some(1));
        assert_eq!(view.exhausted(SECOND), None);
        view.depart();
        assert_eq!(view.exhausted(SECOND), Some(60 * SECOND));
        assert_eq!(view.exhausted(60 * SECOND), None);
        view.depart();
        assert_eq!(view.report().remaining, Some(0));
    }

    /// T8
    #[test]
    fn what_is_not_counted_in_requests_is_not_deducted() {
        let tokens = Report {
            counts_requests: false,
            ..report(5, 60)
        };
        let mut view = View::merge(None, tokens, 3, SECOND);
        view.depart();
        assert_eq!(view.report().remaining, Some(5));
    }
}
