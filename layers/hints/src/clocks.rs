//! The clocks to measure a server's times by.

use std::{cell::OnceCell, time::Duration};

use http::{HeaderMap, header};

use crate::{http_date, when::When};

/// The end of a window, both ways to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reset {
    /// From the receipt of the response.
    pub(crate) after: Duration,
    /// Since the Unix epoch, by the server's clock.
    pub(crate) at: Duration,
}

/// The two clocks of one exchange: the caller's, and the server's as its `Date` tells it.
#[derive(Debug)]
pub(crate) struct Clocks<'a> {
    headers: &'a HeaderMap,
    unix_now: Duration,
    /// Read when the first time of the server's turns up.
    date: OnceCell<Option<Duration>>,
}

impl<'a> Clocks<'a> {
    /// Two honest clocks differ by less: wrong time zones are the worst that people live with. And few servers name a
    /// time that is further away.
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    pub(crate) fn new(headers: &'a HeaderMap, unix_now: Duration) -> Self {
        Self {
            headers,
            unix_now,
            date: OnceCell::new(),
        }
    }

    fn date(&self) -> Option<Duration> {
        *self.date.get_or_init(|| {
            let dates = self.headers.get_all(header::DATE).iter();
            dates
                .filter_map(|date| http_date::parse(date.as_bytes().trim_ascii(), self.unix_now))
                .min()
        })
    }

    /// What `unix`, a time of the server's, is measured against.
    fn server_now(&self, unix: Duration) -> Duration {
        let Some(date) = self.date() else {
            return self.unix_now;
        };
        if date.abs_diff(self.unix_now) <= Self::DAY {
            return date;
        }
        // One of the two clocks is broken. Where `Date` and the time it came with make sense together, it is the
        // caller's: a wrong `Date` would have to hit the day before that time by chance.
        if unix >= date && unix - date <= Self::DAY {
            return date;
        }
        // Else it cannot be told which: the earlier one gives the longer wait.
        date.min(self.unix_now)
    }

    pub(crate) fn unix_now(&self) -> Duration {
        self.unix_now
    }

    /// How long it is until `unix`; zero if that has passed.
    pub(crate) fn until(&self, unix: Duration) -> Duration {
        unix.saturating_sub(self.server_now(unix))
    }

    pub(crate) fn reset(&self, when: When) -> Reset {
        match when {
            When::In(after) => Reset {
                after,
                // Against the far end of time, so that it does not depend on what is added.
                at: self.server_now(Duration::MAX).saturating_add(after),
            },
            When::At { unix, grain } => Reset {
                after: self.until(unix.saturating_add(grain)),
                at: unix,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// 22 November 2026, noon.
    const NOW: Duration = Duration::from_secs(1_795_348_800);
    const SECOND: Duration = Duration::from_secs(1);

    /// How long it is until `unix` in a response with these dates.
    fn until(unix: Duration, dates: &[&str], unix_now: Duration) -> Duration {
        let mut headers = HeaderMap::new();
        for date in dates {
            headers.append(header::DATE, HeaderValue::from_str(date).unwrap());
        }
        Clocks::new(&headers, unix_now).until(unix)
    }

    #[test]
    fn the_date_of_the_response_takes_skew_out() {
        let ask = NOW + Duration::from_secs(30);
        for skew in [0, 1, 90, 3600, 14 * 3600, 24 * 3600] {
            let skew = Duration::from_secs(skew);
            let date = "Sun, 22 Nov 2026 12:00:00 GMT";
            assert_eq!(
                until(ask, &[date], NOW + skew),
                Duration::from_secs(30),
                "fast by {skew:?}"
            );
            assert_eq!(
                until(ask, &[date], NOW - skew),
                Duration::from_secs(30),
                "slow by {skew:?}"
            );
        }
    }

    #[test]
    fn a_date_beyond_belief_never_shortens_a_wait() {
        let ask = NOW + Duration::from_secs(30);
        assert_eq!(
            until(ask, &["Fri, 01 Jan 2100 00:00:00 GMT"], NOW),
            Duration::from_secs(30)
        );
        assert_eq!(until(ask, &["Thu, 01 Jan 1970 00:00:00 GMT"], NOW), ask);
        assert_eq!(until(ask, &["yesterday"], NOW), Duration::from_secs(30));
        assert_eq!(until(ask, &[], NOW), Duration::from_secs(30));
    }

    /// B4: a caller's clock that was off by days made days of half a minute.
    #[test]
    fn a_clock_beyond_belief_does_not_lengthen_a_wait_that_makes_sense_by_the_date() {
        let date = "Sun, 22 Nov 2026 12:00:00 GMT";
        let day = Clocks::DAY;
        for wait in [Duration::ZERO, Duration::from_secs(30), day] {
            for now in [Duration::ZERO, NOW - 3 * day, NOW + 3 * day, 2 * NOW] {
                assert_eq!(until(NOW + wait, &[date], now), wait, "at {now:?}");
            }
        }
    }

    /// B4: never early, whichever of the two clocks is the broken one.
    #[test]
    fn where_neither_clock_makes_sense_the_longer_wait_counts() {
        let date = "Sun, 22 Nov 2026 12:00:00 GMT";
        let day = Clocks::DAY;
        let beyond = day + Duration::from_secs(1);
        assert_eq!(
            until(NOW + beyond, &[date], NOW - 3 * day),
            beyond + 3 * day
        );
        assert_eq!(
            until(NOW - SECOND, &[date], NOW - 3 * day),
            3 * day - SECOND,
            "a time before the date that came with it"
        );
        assert_eq!(until(NOW + beyond, &[date], NOW + 3 * day), beyond);
        assert_eq!(
            until(NOW + 20 * day, &[date], NOW + 20 * day - SECOND),
            20 * day,
            "it would make sense by our clock, which is the broken one"
        );
    }

    #[test]
    fn of_two_dates_the_earlier_gives_the_longer_wait() {
        let ask = NOW + Duration::from_secs(30);
        let (early, late) = (
            "Sun, 22 Nov 2026 11:59:50 GMT",
            "Sun, 22 Nov 2026 12:00:10 GMT",
        );
        assert_eq!(until(ask, &[early, late], NOW), Duration::from_secs(40));
        assert_eq!(until(ask, &[late, early], NOW), Duration::from_secs(40));
    }

    #[test]
    fn a_cut_time_is_made_whole() {
        let headers = HeaderMap::new();
        let clocks = Clocks::new(&headers, NOW);
        let unix = NOW + Duration::from_secs(30);
        assert_eq!(
            clocks.reset(When::At {
                unix,
                grain: SECOND
            }),
            Reset {
                after: Duration::from_secs(31),
                at: unix
            }
        );
        assert_eq!(
            clocks
                .reset(When::At {
                    unix,
                    grain: Duration::ZERO
                })
                .after,
            Duration::from_secs(30)
        );
        assert_eq!(
            clocks.reset(When::In(Duration::from_secs(30))),
            Reset {
                after: Duration::from_secs(30),
                at: unix
            }
        );
        assert_eq!(
            clocks
                .reset(When::At {
                    unix: Duration::ZERO,
                    grain: SECOND
                })
                .after,
            Duration::ZERO
        );
        assert_eq!(clocks.reset(When::In(Duration::MAX)).at, Duration::MAX);
    }
}
