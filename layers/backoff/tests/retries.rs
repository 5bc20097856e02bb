//! When an attempt follows another, how long after it, and what the caller gets in the end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use egress_backoff::{
    BackoffLayer, Budget, Cause, Dialect, GaveUp, Policy, RetryError, RetryInfo, Schedule,
};
use egress_context::{Failure, RequestContext, RequestHead};
use egress_time::{Clock, ManualTimer};
use http::{Request, Response};
use std::{
    error::Error,
    future::Future,
    task::{Context, Poll, Waker},
    time::Duration,
};
use support::{
    Reply, SECOND, Scripted, Server, Tracked, backoff, failure, get, request, reset, status,
    with_policy,
};
use tokio_test::task;
use tower::{Layer, Service, ServiceExt};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn plain() -> Policy {
    Policy::new().with_schedule(Schedule::new().without_jitter())
}

fn info(response: &Response<Tracked>) -> RetryInfo {
    *response.extensions().get().expect("it was retried")
}

fn run(timer: &ManualTimer, server: &Server, policy: Policy) -> Response<Tracked> {
    timer
        .run(with_policy(server, timer, policy).oneshot(get()))
        .unwrap()
}

/// B1
#[test]
fn by_default_there_are_three_retries_within_their_intervals() {
    for (code, initial) in [(503, SECOND / 10), (429, SECOND)] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [status(code)]);
        let response = run(&timer, &server, Policy::new());
        assert_eq!(response.status().as_u16(), code);
        assert_eq!(server.requests(), 4);
        let waits = timer.requested();
        assert_eq!(waits.len(), 3);
        for (wait, longest) in waits.into_iter().zip([initial, 2 * initial, 4 * initial]) {
            assert!(wait <= longest, "{wait:?} of at most {longest:?}");
        }
    }
}

/// B1
#[test]
fn the_waits_double_up_to_the_cap_by_cause() {
    let waits = |reply: Reply, retries| {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [reply]);
        let outcome = timer
            .run(with_policy(&server, &timer, plain().with_max_retries(retries)).oneshot(get()));
        drop(outcome);
        timer.requested()
    };
    let seconds =
        |all: &[f64]| -> Vec<_> { all.iter().copied().map(Duration::from_secs_f64).collect() };
    let transient = seconds(&[0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0]);
    assert_eq!(waits(status(500), 10), transient);
    assert_eq!(waits(reset(), 10), transient);
    assert_eq!(waits(failure(Failure::TimedOut), 10), transient);
    let throttled = seconds(&[1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]);
    assert_eq!(waits(status(429), 7), throttled);
}

/// B1: with tower's backoff, all sessions of a process wait for the same times.
#[test]
fn sessions_do_not_share_their_jitter() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503)]);
    let client = backoff(&server, &timer);
    let mut sessions: Vec<_> = (0..20)
        .map(|_| task::spawn(client.clone().oneshot(get())))
        .collect();
    for session in &mut sessions {
        assert!(session.poll().is_pending());
    }
    let mut waits = timer.requested();
    waits.sort();
    waits.dedup();
    assert_eq!(waits.len(), 20, "each drew its own");
    let fractions = waits
        .iter()
        .any(|wait| wait.subsec_nanos() % 1_000_000 != 0);
    assert!(fractions, "and is not cut to whole units");
}

/// B3: others keep the rejected response, with its connection and permit, for the whole sleep.
#[test]
fn the_rejected_response_is_gone_before_the_sleep() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503).header("retry-after", 10), status(200)]);
    let mut response = task::spawn(backoff(&server, &timer).oneshot(get()));
    assert!(response.poll().is_pending());
    assert_eq!(timer.sleepers(), 1);
    assert_eq!(server.bodies_alive(), 0, "while it sleeps");
    assert_eq!(server.readied(), 1, "and nothing is reserved for later");

    timer.advance(10 * SECOND);
    assert!(response.is_woken());
    let Poll::Ready(Ok(last)) = response.poll() else {
        panic!("the second answer is there");
    };
    assert_eq!(
        server.seen()[1].bodies_alive,
        0,
        "nor when the next goes out"
    );
    assert_eq!(server.bodies_alive(), 1);
    drop(last);
    assert_eq!(server.bodies_alive(), 0);
}

/// B4
#[test]
fn a_hint_is_kept_to_the_letter_and_without_jitter() {
    let unix = 1_767_225_600; // what ManualTimer's clock says
    let github = Policy::new().with_dialect(Dialect::GitHub);
    let millis = Duration::from_millis;
    let table = [
        (
            Policy::new(),
            status(429).header("retry-after-ms", 1_250),
            millis(1_250),
        ),
        (
            Policy::new(),
            status(503).header("retry-after", 7),
            millis(7_000),
        ),
        (
            Policy::new(),
            status(503)
                .header("retry-after", 7)
                .header("retry-after-ms", 30),
            millis(30),
        ),
        (
            Policy::new(),
            status(503).header("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT"),
            millis(9_000),
        ),
        (
            // The server's clock is a minute ahead of ours.
            Policy::new(),
            status(503)
                .header("date", "Thu, 01 Jan 2026 00:01:00 GMT")
                .header("retry-after", "Thu, 01 Jan 2026 00:01:09 GMT"),
            millis(9_000),
        ),
        (
            github,
            status(403)
                .header("x-ratelimit-remaining", 0)
                .header("x-ratelimit-reset", unix + 30),
            millis(31_000),
        ),
        (
            Policy::new(),
            status(429).header("ratelimit", r#""default";r=0;t=4"#),
            millis(4_000),
        ),
    ];
    for (policy, reply, wait) in table {
        let message = format!("{reply:?}");
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [reply, status(200)]);
        let start = timer.now();
        let response = run(&timer, &server, policy);
        assert_eq!(timer.requested(), [wait], "{message}");
        assert_eq!(timer.now() - start, wait);
        let expected = (2, None, None);
        let info = info(&response);
        assert_eq!((info.attempts, info.gave_up, info.retry_after), expected);
    }
}

/// B4
#[test]
fn a_timer_that_fires_early_makes_no_early_attempt() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(429).header("retry-after", 5), status(200)]);
    let mut response = task::spawn(backoff(&server, &timer).oneshot(get()));
    assert!(response.poll().is_pending());
    for _ in 0..4 {
        timer.fire_early();
        timer.advance(SECOND);
        assert!(response.poll().is_pending());
        assert_eq!(server.requests(), 1);
    }
    timer.advance(SECOND);
    assert!(response.poll().is_ready());
    let seen = server.seen();
    assert_eq!(seen[1].at - seen[0].at, 5 * SECOND);
}

/// B4: others cap the wait and retry early, or sleep for a month.
#[test]
fn a_wait_beyond_the_cap_fails_at_once_and_says_how_long() {
    for asked in ["66", "1000000", "99999999999999999999999999999999"] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [status(429).header("retry-after", asked)]);
        let response = run(&timer, &server, Policy::new());
        assert_eq!(server.requests(), 1, "{asked}");
        assert!(timer.requested().is_empty(), "nobody slept");
        let info = info(&response);
        let wait = asked.parse().map_or(Duration::MAX, Duration::from_secs);
        let limit = 65 * SECOND;
        assert_eq!(info.gave_up, Some(GaveUp::WaitTooLong { wait, limit }));
        assert_eq!(info.retry_after, Some(wait));
        assert_eq!(info.attempts, 1);
        assert_eq!(support::read(response.into_body()), "1");
    }
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(429).header("retry-after", 65), status(200)]);
    assert_eq!(
        run(&timer, &server, Policy::new()).status(),
        200,
        "the cap itself is allowed"
    );
}

/// B4: a wait that ends after the deadline is time lost.
#[test]
fn a_wait_beyond_the_deadline_fails_at_once() {
    for (reply, wait) in [
        (status(429).header("retry-after", 10), 10 * SECOND),
        (status(429), SECOND),
        (status(503).header("retry-after", 1), SECOND),
    ] {
        for left in [wait / 2, wait] {
            let timer = ManualTimer::new();
            let server = Server::new(&timer, [reply.clone()]);
            let mut request = get();
            let context = RequestContext::join(request.extensions_mut());
            context.limit_deadline(timer.now() + left);
            let client = with_policy(&server, &timer, plain());
            let response = timer.run(client.oneshot(request)).unwrap();
            assert_eq!(server.requests(), 1);
            assert!(timer.requested().is_empty(), "nobody slept");
            let gave_up = GaveUp::DeadlineTooSoon { wait, left };
            assert_eq!(info(&response).gave_up, Some(gave_up));
        }
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [reply, status(200)]);
        let mut request = get();
        let context = RequestContext::join(request.extensions_mut());
        context.limit_deadline(timer.now() + wait + Duration::from_nanos(1));
        let client = with_policy(&server, &timer, plain());
        let response = timer.run(client.oneshot(request)).unwrap();
        assert_eq!(response.status(), 200, "one that ends before it is kept");
    }
}

/// B4: "now" is believed once; a server that rounds down says it until its window has passed.
#[test]
fn a_hint_of_zero_is_now_and_then_the_schedule() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(429).header("retry-after", 0)]);
    run(&timer, &server, plain());
    assert_eq!(server.requests(), 4);
    assert_eq!(timer.requested(), [2 * SECOND, 4 * SECOND]);
}

/// B4: GitHub asks for a minute, and longer each time, where it names none.
#[test]
fn a_secondary_limit_that_names_no_time_doubles() {
    const SECONDARY: &str = r#"{"message":"You have exceeded a secondary rate limit."}"#;
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(403).captured(SECONDARY)]);
    let policy = Policy::new().with_dialect(Dialect::GitHub);
    let response = run(&timer, &server, policy.clone());
    assert_eq!(timer.requested(), [60 * SECOND]);
    let wait = 120 * SECOND;
    let limit = 65 * SECOND;
    let info = info(&response);
    assert_eq!(info.gave_up, Some(GaveUp::WaitTooLong { wait, limit }));
    assert_eq!(info.retry_after, Some(wait));

    let policy = policy
        .with_max_hint_wait(Duration::MAX)
        .with_max_retries(40);
    run(&timer, &server, policy);
    let waits = timer.requested();
    assert_eq!(waits[..4], [60, 120, 240, 480].map(Duration::from_secs));
    assert_eq!(server.requests(), 2 + 41, "and nothing overflows");
}

/// B4
#[test]
fn a_hint_on_a_cached_reply_is_ignored() {
    let timer = ManualTimer::new();
    let cached = status(503).header("retry-after", 50).header("age", 20);
    let server = Server::new(&timer, [cached, status(200)]);
    run(&timer, &server, plain());
    assert_eq!(timer.requested(), [SECOND / 10]);
}

/// B5
#[test]
fn an_empty_budget_returns_the_last_response() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503)]);
    let budget = Budget::new(30).with_free_every(None);
    let layer = BackoffLayer::new(timer.clone()).with_budget(budget);
    let response = timer
        .run(layer.layer(server.clone()).oneshot(get()))
        .unwrap();
    assert_eq!(server.requests(), 3, "30 tokens pay for two retries of 14");
    assert_eq!(info(&response).gave_up, Some(GaveUp::BudgetEmpty));
    assert_eq!(info(&response).attempts, 3);
    assert_eq!(support::read(response.into_body()), "3");

    // Another service of the same layer shares it.
    let response = timer
        .run(layer.layer(server.clone()).oneshot(get()))
        .unwrap();
    assert_eq!(server.requests(), 4);
    assert_eq!(info(&response).gave_up, Some(GaveUp::BudgetEmpty));
    assert_eq!(info(&response).attempts, 1);
}

/// B5
#[test]
fn successes_pay_the_budget_and_failures_do_not() {
    let timer = ManualTimer::new();
    let script = [
        // Three attempts, the last of them good: 28 spent, 14 back.
        (status(503), 86),
        (status(503), 72),
        (status(200), 86),
        // Good at once: 1 back. A 404 is the request's fault, not the server's.
        (status(200), 87),
        (status(404), 88),
        // Not retried, but no success.
        (status(501), 88),
    ];
    let server = Server::new(&timer, script.iter().map(|(reply, _)| reply.clone()));
    let layer = BackoffLayer::new(timer.clone()).with_budget(Budget::new(100));
    let expected = script.map(|(_, after)| after);
    for after in &expected[2..] {
        timer
            .run(layer.layer(server.clone()).oneshot(get()))
            .unwrap();
        assert_eq!(layer.budget().available(), *after);
    }
}

/// B5: a storm of failures is damped to what the budget holds and one retry per second.
#[test]
fn a_storm_is_damped() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(500)]);
    let client = BackoffLayer::new(timer.clone()).layer(server.clone());
    for _ in 0..1_000 {
        timer.run(client.clone().oneshot(get())).unwrap();
    }
    let retries = server.requests() - 1_000;
    let elapsed = usize::try_from((timer.now() - server.seen()[0].at).as_secs()).unwrap();
    assert!(
        retries <= 500 / 14 + elapsed + 1,
        "{retries} retries in {elapsed} s instead of 3000"
    );
    assert_eq!(client.budget().available(), 500 % 14);
}

/// B5, B8: requests that are cancelled while they wait do not use up the budget.
#[test]
fn a_retry_that_is_cancelled_or_refused_costs_nothing() {
    let timer = ManualTimer::new();
    let budget = Budget::new(100);
    let layer = BackoffLayer::new(timer.clone()).with_budget(budget.clone());
    let server = Server::new(&timer, [status(503)]);
    let mut response = task::spawn(layer.layer(server).oneshot(get()));
    assert!(response.poll().is_pending());
    assert_eq!(budget.available(), 86);
    drop(response);
    assert_eq!(budget.available(), 100);

    // Once it is sent it is paid for, whether its answer is waited for or not.
    let server = Server::new(
        &timer,
        [status(503).header("retry-after", 1), Reply::Silence],
    );
    let mut response = task::spawn(layer.layer(server.clone()).oneshot(get()));
    assert!(response.poll().is_pending());
    timer.advance(SECOND);
    assert!(response.poll().is_pending());
    assert_eq!(server.requests(), 2);
    drop(response);
    assert_eq!(budget.available(), 95);

    // Unless a layer further in refuses to send it.
    let server = Server::new(&timer, [status(503), failure(Failure::Refused)]);
    let refused = timer.run(layer.layer(server).oneshot(get()));
    assert!(refused.is_err());
    assert_eq!(budget.available(), 95);
}

/// B7
#[test]
fn when_retries_run_out_the_last_response_is_returned_with_the_number_of_attempts() {
    let timer = ManualTimer::new();
    let script = [500, 502, 503, 504].map(status);
    let server = Server::new(&timer, script);
    let response = run(&timer, &server, Policy::new());
    assert_eq!(response.status(), 504, "the last one");
    assert_eq!(info(&response).attempts, 4);
    assert_eq!(info(&response).gave_up, Some(GaveUp::Exhausted));
    assert_eq!(
        support::read(response.into_body()),
        "4",
        "its body can be read"
    );
}

/// B7
#[test]
fn a_good_answer_tells_of_the_attempts_before_it_only() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(200), status(503), reset(), status(404)]);
    let first = run(&timer, &server, Policy::new());
    assert!(first.extensions().get::<RetryInfo>().is_none());
    let second = run(&timer, &server, Policy::new());
    assert_eq!(second.status(), 404);
    let info = info(&second);
    assert_eq!((info.attempts, info.gave_up), (3, None));
}

/// B7
#[test]
fn the_last_error_is_found_among_the_sources() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [reset()]);
    let error = timer
        .run(backoff(&server, &timer).oneshot(get()))
        .unwrap_err();
    assert_eq!(error.to_string(), "gave up after 4 attempts");
    let retried = error.downcast_ref::<RetryError>().unwrap();
    assert_eq!(retried.attempts, 4);
    assert_eq!(retried.gave_up, Some(GaveUp::Exhausted));
    let original = retried.source().unwrap().downcast_ref::<std::io::Error>();
    assert_eq!(
        original.unwrap().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

/// B7: whoever reads "refused" believes that nothing was sent; after an attempt that would be wrong.
#[test]
fn a_refusal_after_an_attempt_says_that_there_was_one() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503), failure(Failure::Refused)]);
    let error = timer
        .run(backoff(&server, &timer).oneshot(get()))
        .unwrap_err();
    let retried = error.downcast_ref::<RetryError>().unwrap();
    // The second was refused before it was sent.
    assert_eq!((retried.attempts, retried.gave_up), (1, None));
    assert!(retried.source.downcast_ref::<std::io::Error>().is_some());
}

/// B7
#[test]
fn a_service_that_breaks_while_a_retry_sleeps_ends_it() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503)]);
    let mut request = get();
    let context = RequestContext::join(request.extensions_mut());
    let layer = BackoffLayer::new(timer.clone());
    let mut response = task::spawn(layer.layer(server.clone()).oneshot(request));
    assert!(response.poll().is_pending());
    server.broken.set(true);
    timer.advance(SECOND);
    let Poll::Ready(Err(error)) = response.poll() else {
        panic!("it is broken");
    };
    let retried = error.downcast_ref::<RetryError>().unwrap();
    assert_eq!((retried.attempts, context.attempts()), (1, 1));
    assert_eq!(retried.source.to_string(), "the connector is gone");
    assert_eq!(context.failure(), Some(Failure::Refused));
    assert_eq!(
        layer.budget().available(),
        500,
        "what was not sent costs nothing"
    );
}

/// B8
#[test]
fn dropping_the_future_ends_everything_wherever_it_is() {
    let build = || {
        let timer = ManualTimer::new();
        let script = [
            status(503).header("retry-after", 3),
            reset(),
            status(429),
            status(200),
        ];
        let mut server = Server::new(&timer, script);
        server.slow_ready = Some(SECOND);
        let mut request = request("PUT").map(|_| {
            let steps = [support::Step::Pending, support::Step::Data("abc")];
            Scripted::new(3, steps)
        });
        let context = RequestContext::join(request.extensions_mut());
        let budget = Budget::new(1_000);
        let layer = BackoffLayer::new(timer.clone()).with_budget(budget.clone());
        let future = layer.layer(server.clone()).call(request);
        (timer, server, context, budget, future)
    };
    let mut polls = 0;
    loop {
        let (timer, server, context, budget, future) = build();
        let mut future = Box::pin(future);
        let mut cx = Context::from_waker(Waker::noop());
        let mut ready = false;
        for _ in 0..polls {
            if let Poll::Ready(response) = future.as_mut().poll(&mut cx) {
                assert_eq!(response.unwrap().status(), 200);
                ready = true;
                break;
            }
            timer.advance(SECOND / 4);
        }
        let sent = server.requests();
        drop(future);
        assert_eq!(timer.sleepers(), 0, "no timer is left after {polls} polls");
        assert_eq!(server.bodies_alive(), 0);
        assert!(context.own_retries().is_some(), "the retries are given up");
        timer.advance(100 * SECOND);
        assert_eq!(server.requests(), sent, "no later request");
        let spent = [0, 0, 5, 19, 24][sent];
        assert_eq!(
            budget.available(),
            if ready { 981 } else { 1_000 - spent },
            "{sent} were sent"
        );
        if ready {
            break;
        }
        polls += 1;
    }
    assert!(polls > 20, "it stopped everywhere on the way: {polls}");
}

/// B8
#[test]
fn a_finished_future_holds_nothing() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(200)]);
    let mut request = get();
    let context = RequestContext::join(request.extensions_mut());
    let mut client = backoff(&server, &timer);
    let mut future = task::spawn(client.call(request));
    assert!(future.poll().is_ready());
    assert!(context.own_retries().is_some());
    assert!(format!("{future:?}").contains("done"));
}

/// B9
#[test]
fn no_header_however_hostile_breaks_it() {
    const VALUES: &[&str] = &[
        "",
        " ",
        "-1",
        "-0",
        "+5",
        "NaN",
        "inf",
        "1e309",
        "0x10",
        "1,2",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "-9223372036854775808",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 99 Foo 0000 99:99:99 GMT",
        "9999-12-31T23:59:59Z",
        "\"default\";r=0;t=99999999999999999999",
        "\"a\";r=-1;t=-1",
        "true",
        "null",
        "\u{fc}",
    ];
    const NAMES: &[&str] = &[
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-reset",
        "x-ratelimit-remaining",
        "ratelimit",
        "anthropic-ratelimit-requests-reset",
        "date",
        "age",
        "x-should-retry",
    ];
    for code in [403, 429, 503] {
        for name in NAMES {
            for value in VALUES {
                let reply = status(code)
                    .header(name, value)
                    .header("x-ratelimit-remaining", 0)
                    .header("x-ratelimit-reset", "99999999999999999999");
                for reply in [status(code).header(name, value), reply] {
                    let timer = ManualTimer::new();
                    let server = Server::new(&timer, [reply]);
                    let start = timer.now();
                    let response = run(&timer, &server, Policy::new());
                    assert_eq!(response.status().as_u16(), code);
                    assert!(server.requests() <= 4);
                    assert!(timer.now() - start <= 3 * 65 * SECOND, "{name}: {value}");
                }
            }
        }
    }
}

/// B9
#[test]
fn an_endless_policy_saturates() {
    let timer = ManualTimer::new();
    let mut script = vec![status(429).header("retry-after", "9".repeat(40)); 3];
    script.push(status(200));
    let server = Server::new(&timer, script);
    let policy = Policy::new()
        .with_max_retries(u32::MAX)
        .with_max_hint_wait(Duration::MAX);
    let response = run(&timer, &server, policy);
    assert_eq!(response.status(), 200);
    assert_eq!(timer.now(), egress_time::Instant::FAR_FUTURE);

    let timer = ManualTimer::new();
    let mut script = vec![status(500); 2_000];
    script.push(status(200));
    let server = Server::new(&timer, script);
    let schedule = Schedule::new()
        .with_initial(Cause::Transient, Duration::from_nanos(1))
        .without_jitter();
    let policy = Policy::new()
        .with_max_retries(u32::MAX)
        .with_schedule(schedule);
    assert_eq!(info(&run(&timer, &server, policy)).attempts, 2_001);
    assert_eq!(timer.requested().last(), Some(&schedule.cap()));
}

/// B10: nested retries once turned a soft limit into an outage.
#[test]
fn nested_backoffs_send_four_times_and_not_sixteen() {
    for reply in [status(503), reset()] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [reply]);
        let inner = BackoffLayer::new(timer.clone()).layer(server.clone());
        let outer = BackoffLayer::new(timer.clone()).layer(inner);
        let mut request: Request<Scripted> = get();
        let context = RequestContext::join(request.extensions_mut());
        match timer.run(outer.oneshot(request)) {
            Ok(response) => assert_eq!(info(&response).attempts, 4),
            Err(error) => {
                let retried = error.downcast_ref::<RetryError>().unwrap();
                assert_eq!(retried.attempts, 4);
                assert!(retried.source.is::<std::io::Error>(), "wrapped once");
            }
        }
        assert_eq!(server.requests(), 4);
        assert_eq!(context.attempts(), 4, "each is counted once");
    }
}

/// B10
#[test]
fn an_attempt_owned_by_an_outer_layer_is_passed_through() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503).header("retry-after", 1)]);
    let mut request = get();
    let context = RequestContext::join(request.extensions_mut());
    let _owner = context.own_retries();
    let response = timer
        .run(backoff(&server, &timer).oneshot(request))
        .unwrap();
    assert_eq!(server.requests(), 1);
    assert!(response.extensions().get::<RetryInfo>().is_none());
    assert_eq!(context.attempts(), 0, "the owner counts");
}

#[test]
fn a_policy_can_be_chosen_for_each_request() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503)]);
    let (patient, hasty) = (Policy::new(), Policy::new().with_max_retries(1));
    let client = BackoffLayer::new(timer.clone())
        .with_policy(move |request: &RequestHead<'_>| {
            let hasty_path = request.uri.path() == "/search";
            if hasty_path {
                hasty.clone()
            } else {
                patient.clone()
            }
        })
        .layer(server.clone());
    let search = Request::get("/search").body(Scripted::new(0, [])).unwrap();
    timer.run(client.clone().oneshot(search)).unwrap();
    assert_eq!(server.requests(), 2);
    timer.run(client.oneshot(get())).unwrap();
    assert_eq!(server.requests(), 2 + 4);
}
