//! The `Server-Timing` header.

mod layer;

pub use self::layer::{ServerTimingLayer, TimedResponse, TimedServer};

use egress_timing::{Phase, Spent, Tally};
use http::HeaderValue;
use std::{fmt::Write, time::Duration};

/// Builds a [`Server-Timing`](https://www.w3.org/TR/server-timing/) header: what browsers' tools show of where a response
/// spent its time.
///
/// [`ServerTiming::of`] makes one of what a response has cost in requests to others; a [`ServerTimingLayer`] does that for each response
/// of a server.
///
/// In Workers the clock stands still between two I/O operations, so only what was waited for has a duration.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::ServerTiming;
///
/// let timing = ServerTiming::new()
///     .metric("upstream", Duration::from_millis(120))
///     .described("queue", "wait for a connection", Duration::ZERO);
/// assert_eq!(timing.to_header(), "upstream;dur=120, queue;dur=0;desc=\"wait for a connection\"");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it is to be put into a header"]
pub struct ServerTiming(String);

impl ServerTiming {
    /// Makes one without metrics.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Makes one of what a piece of work asked of others, as far as that is known by now:
    /// `github;dur=183.2;desc="3 requests, 1 retry", rate_wait;dur=40`.
    ///
    /// A metric for each API that was asked has the [time](Phase::Total) of its requests, summed; requests without an API are `other`. `rate_wait` and
    /// `queue_wait` are what of that was spent waiting for rate limits and for connections; they are there from a millisecond on: to find
    /// that there is nothing to wait for takes some time, too.
    pub fn of(tally: &Tally) -> Self {
        let mut timing = Self::new();
        for (name, spent) in tally.labels().chain([("other", tally.unlabelled())]) {
            if spent.requests() > 0 {
                timing = timing.described(name, &in_words(&spent), spent.phase(Phase::Total));
            }
        }
        let overall = tally.overall();
        for phase in [Phase::RateWait, Phase::QueueWait] {
            let waited = overall.phase(phase);
            if waited >= Duration::from_millis(1) {
                timing = timing.metric(phase.as_str(), waited);
            }
        }
        timing
    }

    /// Tells whether there is no metric in it. An empty header is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a metric. What may not stand in the name of one becomes `_`, and so does a name of nothing.
    pub fn metric(mut self, name: &str, duration: Duration) -> Self {
        if !self.0.is_empty() {
            self.0.push_str(", ");
        }
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        self.0
            .extend(name.chars().map(|c| if is_token(c) { c } else { '_' }));
        if name.is_empty() {
            self.0.push('_');
        }
        let milliseconds = duration.as_secs_f64() * 1000.0;
        // Microseconds are more than the clock has. Writing to a string cannot fail.
        let _ = write!(self.0, ";dur={}", (milliseconds * 1000.0).round() / 1000.0);
        self
    }

    /// Adds a metric with words for it. What is no printable ASCII becomes `?`.
    pub fn described(self, name: &str, words: &str, duration: Duration) -> Self {
        let mut timing = self.metric(name, duration);
        timing.0.push_str(";desc=\"");
        for c in words.chars() {
            match c {
                '"' | '\\' => timing.0.extend(['\\', c]),
                ' '..='~' => timing.0.push(c),
                _ => timing.0.push('?'),
            }
        }
        timing.0.push('"');
        timing
    }

    /// Returns the value of the header.
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// Writes `3 requests, 1 retry, 2 not ok`.
fn in_words(spent: &Spent) -> String {
    let some = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    let mut words = some(spent.requests(), "request", "requests");
    if spent.retries() > 0 {
        words += ", ";
        words += &some(spent.retries(), "retry", "retries");
    }
    if spent.errors() > 0 {
        // Writing to a string cannot fail.
        let _ = write!(words, ", {} not ok", spent.errors());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn whatever_is_put_in_comes_out_as_a_header() {
        let timing = ServerTiming::new()
            .metric("a b;c", Duration::from_micros(1500))
            .described("x", "\"\\\r\nü", Duration::from_nanos(1))
            .metric("", Duration::ZERO);
        assert_eq!(
            timing.to_header(),
            r#"a_b_c;dur=1.5, x;dur=0;desc="\"\\???", _;dur=0"#
        );
    }
}
