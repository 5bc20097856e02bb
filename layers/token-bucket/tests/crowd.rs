//! Many callers against a server, in virtual time, through the service.

mod common;

use common::{Crowd, MILLI, MINUTE, SECOND, quota};
use egress_time::{Clock, Instant, ManualSleep, ManualTimer, SleepUntil, Timer};
use egress_token_bucket::{BoxError, Bucket, Cost, Quota, TokenBucketLayer};
use http::{Request, Response, StatusCode};
use std::{cell::RefCell, rc::Rc, time::Duration};
use tower::{Layer, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A timer that is late by up to a millisecond, and by up to 50 µs when it takes pains.
#[derive(Clone)]
struct Sloppy(ManualTimer, Rc<RefCell<fastrand::Rng>>);

impl Sloppy {
    fn new(timer: &ManualTimer) -> Self {
        let rng = fastrand::Rng::with_seed(11);
        Self(timer.clone(), Rc::new(RefCell::new(rng)))
    }

    fn late(&self, by: Duration) -> Duration {
        let nanos = u64::try_from(by.as_nanos()).expect("short");
        Duration::from_nanos(self.1.borrow_mut().u64(0..=nanos))
    }
}

impl Clock for Sloppy {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn unix_time(&self) -> Duration {
        self.0.unix_time()
    }
}

impl Timer for Sloppy {
    type Sleep = ManualSleep;

    fn sleep_until(&self, deadline: Instant) -> ManualSleep {
        self.0.sleep_until(deadline + self.late(MILLI))
    }

    fn sleep_until_exactly(&self, deadline: Instant) -> ManualSleep {
        self.0.sleep_until(deadline + self.late(MILLI / 20))
    }
}

/// Lets callers call for a while, and returns when the server saw what, and how often it refused.
fn visits(
    bucket: &Bucket,
    callers: usize,
    latency: Duration,
    duration: Duration,
    refuses_until: impl Fn(Duration) -> Option<Duration> + Clone + 'static,
) -> (Vec<Instant>, usize) {
    costly_visits(bucket, Cost::ONE, callers, latency, duration, refuses_until)
}

/// The same, with calls that cost this.
fn costly_visits(
    bucket: &Bucket,
    cost: Cost,
    callers: usize,
    latency: Duration,
    duration: Duration,
    refuses_until: impl Fn(Duration) -> Option<Duration> + Clone + 'static,
) -> (Vec<Instant>, usize) {
    let timer = ManualTimer::new();
    let start = timer.now();
    let seen = Rc::new(RefCell::new((Vec::new(), 0)));
    let server = {
        let (seen, timer) = (Rc::clone(&seen), timer.clone());
        service_fn(move |_: Request<()>| {
            let now = timer.now();
            let mut response = Response::new(());
            seen.borrow_mut().0.push(now);
            if let Some(until) = refuses_until(now - start) {
                seen.borrow_mut().1 += 1;
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                let wait = (start + until - now).as_millis().to_string();
                response
                    .headers_mut()
                    .insert("retry-after-ms", wait.parse().expect("a number"));
            }
            let reply = SleepUntil::new(timer.clone(), now + latency);
            async move {
                reply.await;
                Ok::<_, BoxError>(response)
            }
        })
    };
    let client = TokenBucketLayer::new(bucket.clone(), Sloppy::new(&timer)).layer(server);
    let mut crowd = Crowd::new((0..callers).map(|_| {
        let client = client.clone();
        async move {
            loop {
                let mut request = Request::new(());
                request.extensions_mut().insert(cost);
                client
                    .clone()
                    .oneshot(request)
                    .await
                    .expect("nobody waits that long");
            }
        }
    }));
    let ended: Vec<(usize, Instant, ())> = crowd.run(&timer, start + duration);
    assert!(ended.is_empty());
    drop(crowd);
    seen.take()
}

fn most_in_a_window(visits: &[Instant], window: Duration) -> usize {
    let count = |first: usize| {
        let end = visits[first] + window;
        visits[first..].iter().take_while(|at| **at < end).count()
    };
    (0..visits.len()).map(count).max().unwrap_or(0)
}

fn bucket(quota: Quota, wakeups: bool) -> Bucket {
    Bucket::builder(quota)
        .max_wait(10 * MINUTE)
        .wakeups(wakeups)
        .build()
}

/// T1: late timers and all, 98 % of what is permitted departs.
#[test]
fn a_spacing_of_five_milliseconds_is_used_with_timers_of_one() {
    for wakeups in [false, true] {
        let bucket = bucket(quota(600, SECOND, 10, 5 * MILLI), wakeups);
        let (seen, _) = visits(&bucket, 30, MILLI, 30 * SECOND, |_| None);
        let gaps = seen.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.min().unwrap() >= 5 * MILLI);
        assert!(seen.len() >= 30 * 200 * 98 / 100, "{} of 6000", seen.len());
    }
}

/// T1
#[test]
fn github_sees_thirty_a_minute_and_never_more() {
    for wakeups in [false, true] {
        let bucket = bucket(Quota::GITHUB, wakeups);
        let (seen, _) = visits(&bucket, 12, 200 * MILLI, 10 * MINUTE, |_| None);
        assert!((295..=301).contains(&seen.len()), "{} departed", seen.len());
        assert_eq!(most_in_a_window(&seen, MINUTE), 30);
    }
}

/// T1, T11: calls that count as several, of callers who come back at once.
#[test]
fn costly_calls_use_what_is_permitted_and_never_more() {
    for (units, wakeups) in [2, 3, 10]
        .into_iter()
        .flat_map(|units| [(units, false), (units, true)])
    {
        let quota = quota(60, MINUTE, 10, 100 * MILLI);
        let cost = quota.cost(units).unwrap();
        let bucket = bucket(quota, wakeups);
        let (seen, _) = costly_visits(&bucket, cost, 12, 200 * MILLI, 10 * MINUTE, |_| None);
        let units = usize::try_from(units).unwrap();
        let permitted = 600 / units;
        assert!(
            (permitted * 98 / 100..=permitted + 10 / units).contains(&seen.len()),
            "{} of {permitted} departed",
            seen.len()
        );
        assert_eq!(most_in_a_window(&seen, MINUTE), 60 / units);
    }
}

/// T7: forty callers, and one refusal for thirty seconds.
#[test]
fn one_refusal_stops_forty_callers() {
    for wakeups in [false, true] {
        let bucket = bucket(Quota::EXTERNAL, wakeups);
        let refuses =
            |at: Duration| (at >= 100 * SECOND && at < 130 * SECOND).then_some(130 * SECOND);
        let (seen, refused) = visits(&bucket, 40, 300 * MILLI, 5 * MINUTE, refuses);
        assert!((1..=6).contains(&refused), "{refused} refused");
        assert!(seen.len() >= 255, "{} departed", seen.len());
    }
}

/// T7: when nobody knows how long it lasts, one in a while finds out.
#[test]
fn a_server_that_names_too_short_times_is_asked_once_in_each() {
    let bucket = bucket(Quota::EXTERNAL, true);
    let refuses = |at: Duration| (at < MINUTE).then(|| at + 5 * SECOND);
    let (seen, refused) = visits(&bucket, 40, 10 * MILLI, 2 * MINUTE, refuses);
    assert!(refused <= 14, "{refused} refused");
    let after = seen.iter().filter(|at| **at - seen[0] >= MINUTE).count();
    assert!(after >= 55, "{after} in the minute after");
}
