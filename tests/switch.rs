//! Layers that flags switch off while a program runs, for all requests or a share of them.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use futures_util::future::join_all;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use support::{Answer, Server};
use tower::{Service, ServiceExt};
use tower_egress::{
    Api, CapturedBody, Egress, EgressBuilder, Executor, Quota, Switch,
    flags::{Config, FlagKey, Flags, Rule},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: Duration = Duration::from_secs(1);

fn request() -> Request<Full<Bytes>> {
    let request = Request::get("http://example.com/");
    request.body(Full::default()).unwrap()
}

fn layers() -> Flags {
    Flags::builder().layers().build()
}

/// All layers on but this one.
fn without(switch: Switch) -> Flags {
    let flags = layers();
    let off = Config::default().with(switch.as_str(), false);
    flags.apply(&off).unwrap();
    flags
}

fn builder(timer: &ManualTimer) -> EgressBuilder<ManualTimer> {
    Egress::builder_on(timer.clone()).otherwise(Api::new("free"))
}

/// What comes of a 503, which can be sent again.
fn status_after_503(flags: Flags) -> (StatusCode, usize) {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer::status(503));
    let client = builder(&timer).flags(flags).build().layer(server.clone());
    let response = timer.run(client.oneshot(request())).unwrap();
    (response.status(), server.arrivals().len())
}

#[test]
fn without_retries_a_request_is_sent_once() {
    assert_eq!(status_after_503(layers()), (StatusCode::OK, 2));
    let off = status_after_503(without(Switch::Retries));
    assert_eq!(off, (StatusCode::SERVICE_UNAVAILABLE, 1));
}

/// How long it takes to send five requests at once.
fn time_of_five(
    builder: EgressBuilder<ManualTimer>,
    timer: &ManualTimer,
    flags: Flags,
) -> Duration {
    let server = Server::new(timer);
    for _ in 0..5 {
        server.answer(Answer {
            after: SECOND,
            frames: Vec::new(),
            ..Answer::default()
        });
    }
    let client = builder.flags(flags).build().layer(server.clone());
    let start = timer.now();
    let all = timer.run(join_all((0..5).map(|_| {
        let client = client.clone();
        async move {
            client
                .oneshot(request())
                .await
                .unwrap()
                .into_body()
                .collect()
                .await
        }
    })));
    assert!(all.into_iter().all(|body| body.is_ok()));
    timer.now() - start
}

#[test]
fn without_the_connection_limit_nobody_waits_for_another() {
    for (flags, took) in [
        (layers(), 5 * SECOND),
        (without(Switch::RateLimit), 5 * SECOND),
        (without(Switch::ConnectionLimit), SECOND),
    ] {
        let timer = ManualTimer::new();
        let builder = builder(&timer).concurrency(1);
        assert_eq!(time_of_five(builder, &timer, flags), took);
    }
}

#[test]
fn without_the_rate_limit_they_depart_at_once() {
    for (flags, took) in [
        (layers(), 41 * SECOND),
        (without(Switch::ConnectionLimit), 41 * SECOND),
        (without(Switch::RateLimit), SECOND),
    ] {
        let timer = ManualTimer::new();
        let quota = Quota::new(1, 10 * SECOND).unwrap();
        let builder =
            Egress::builder_on(timer.clone()).otherwise(Api::external().with_quota(quota));
        assert_eq!(time_of_five(builder, &timer, flags), took);
    }
}

#[test]
fn those_beyond_the_limit_are_counted_apart() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let flags = Flags::builder()
        .flag("connectionLimit", Rule::on().off_for("fast"))
        .build();
    let egress = builder(&timer).concurrency(1).flags(flags).build();
    let mut client = egress.layer(server);
    let bodies = timer.run(async {
        let limited = client.call(request()).await.unwrap();
        let mut bodies = vec![limited];
        for _ in 0..3 {
            let mut request = request();
            request.extensions_mut().insert(FlagKey("fast".into()));
            bodies.push(client.call(request).await.unwrap());
        }
        bodies
    });
    let connections = egress.status().connections;
    assert_eq!((connections.active, connections.unlimited), (1, 3));
    drop(bodies);
    let connections = egress.status().connections;
    assert_eq!((connections.active, connections.unlimited), (0, 0));
}

#[test]
fn without_clean_up_no_error_is_captured() {
    for (flags, captured) in [(layers(), true), (without(Switch::Cleanup), false)] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer);
        server.answer(Answer::status(404));
        let egress = builder(&timer).flags(flags).build();
        let response = timer.run(egress.layer(server).oneshot(request())).unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let found = response.extensions().get::<CapturedBody>().is_some();
        assert_eq!(found, captured);
    }
}

/// Whether a client that does not answer for an hour is waited for.
fn is_waited_for(builder: EgressBuilder<ManualTimer>, timer: &ManualTimer, flags: Flags) -> bool {
    let server = Server::new(timer);
    server.answer(Answer {
        after: 3600 * SECOND,
        ..Answer::default()
    });
    let client = builder.flags(flags).build().layer(server);
    let mut request = request();
    *request.method_mut() = http::Method::POST;
    timer.run(client.oneshot(request)).is_ok()
}

#[test]
fn without_timeouts_an_attempt_takes_as_long_as_it_likes() {
    for (flags, waits) in [
        (layers(), false),
        (without(Switch::Deadline), false),
        (without(Switch::Timeouts), true),
    ] {
        let timer = ManualTimer::new();
        assert_eq!(is_waited_for(builder(&timer), &timer, flags), waits);
    }
}

#[test]
fn without_the_deadline_a_request_does() {
    for (flags, waits) in [
        (layers(), false),
        (without(Switch::Timeouts), false),
        (without(Switch::Deadline), true),
    ] {
        let timer = ManualTimer::new();
        let builder = builder(&timer).attempt_timeout(None).deadline(60 * SECOND);
        assert_eq!(is_waited_for(builder, &timer, flags), waits);
    }
}

#[test]
fn without_timing_a_request_is_in_no_figure() {
    for (flags, count) in [(layers(), 1), (without(Switch::Timing), 0)] {
        let timer = ManualTimer::new();
        let egress = builder(&timer).flags(flags).build();
        let client = egress.layer(Server::new(&timer));
        let response = timer.run(client.oneshot(request())).unwrap();
        timer.run(response.into_body().collect()).unwrap();
        assert_eq!(egress.status().performance["all"].outcomes["ok"], count);
    }
}

#[test]
fn a_flag_can_be_changed_while_the_program_runs() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let flags = layers();
    let egress = builder(&timer).flags(flags.clone()).build();
    let mut client = egress.layer(server.clone());
    for (rule, sent) in [("true", 2), ("false", 1), ("true", 2)] {
        flags
            .apply_json(&format!("{{\"retries\": {rule}}}"))
            .unwrap();
        let before = server.arrivals().len();
        server.answer(Answer::status(503));
        timer.run(client.call(request())).unwrap();
        assert_eq!(server.arrivals().len() - before, sent, "{rule}");
        // What is left of the script.
        if sent == 1 {
            assert_eq!(egress.status().flags.flags["retries"].percent, 0.0);
        }
    }
}

#[test]
fn a_key_is_always_in_the_same_share_and_others_are_spread() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let flags = Flags::builder()
        .flag("timing", Rule::share(50.0).unwrap())
        .build();
    let egress = builder(&timer).flags(flags.clone()).build();
    let mut client = egress.layer(server);
    let mut counted = |key: Option<&str>| {
        let before = egress.status().performance["all"].outcomes["ok"];
        for _ in 0..100 {
            let mut request = request();
            if let Some(key) = key {
                request
                    .extensions_mut()
                    .insert(FlagKey(key.to_owned().into()));
            }
            let response = timer.run(client.call(request)).unwrap();
            timer.run(response.into_body().collect()).unwrap();
        }
        egress.status().performance["all"].outcomes["ok"] - before
    };
    for key in ["a", "b", "c", "d", "e"] {
        let expected = if flags.is_on("timing", key) { 100 } else { 0 };
        assert_eq!(counted(Some(key)), expected, "{key}");
    }
    let spread = counted(None);
    assert!((25..75).contains(&spread), "{spread} of 100");
}

#[test]
fn a_share_that_does_worse_is_told() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let alerts = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&alerts);
    let flags = Flags::builder()
        .flag("retries", Rule::share(50.0).unwrap())
        .on_alert(move |alert| {
            assert_eq!(alert.flag, "retries");
            assert!(
                !alert.was_on,
                "without them it fails, with them it takes longer"
            );
            told.fetch_add(1, Relaxed);
        })
        .build();
    let egress = builder(&timer).flags(flags).build();
    let mut client = egress.layer(server.clone());
    for _ in 0..1000 {
        server.answer(Answer {
            after: Duration::from_millis(10),
            ..Answer::status(503)
        });
        // One more for those who ask again.
        let response = timer.run(client.call(request())).unwrap();
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            continue;
        }
        assert_eq!(response.status(), StatusCode::OK);
    }
    let status = &egress.status().flags.flags["retries"];
    assert_eq!(status.on.count + status.off.count, 1000);
    assert_eq!((status.on.failed, status.off.failed), (0, status.off.count));
    assert!(status.is_worse);
    assert_eq!(alerts.load(Relaxed), 1);
}

#[test]
fn who_gives_up_has_had_no_answer() {
    let timer = ManualTimer::new();
    let flags = Flags::builder()
        .flag("retries", Rule::share(50.0).unwrap())
        .build();
    let egress = builder(&timer).flags(flags).build();
    let mut client = egress.layer(Server::new(&timer));
    for _ in 0..10 {
        drop(client.call(request()));
    }
    let status = &egress.status().flags.flags["retries"];
    assert_eq!(status.on.failed + status.off.failed, 10);
}

/// K3, whatever is off for whom.
#[test]
fn forgotten_bodies_are_found_by_those_that_something_else_is_off_for() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let flags = Flags::builder()
        .flag("retries", Rule::on().off_for("once"))
        .build();
    let egress = builder(&timer)
        .concurrency(1)
        .idle_timeout(5 * SECOND)
        .flags(flags)
        .build();
    let mut client = egress.layer(server);
    let mut once = request();
    once.extensions_mut().insert(FlagKey("once".into()));
    let forgotten = timer.run(client.call(once)).unwrap();
    let response = timer.run(client.call(request()));
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(egress.status().bodies.idle, 1);
    drop(forgotten);
}

#[test]
fn each_part_has_a_flag_of_its_own_name() {
    let status = layers().status();
    assert_eq!(status.flags.len(), Switch::ALL.len());
    for switch in Switch::ALL {
        assert_eq!(status.flags[switch.as_str()].percent, 100.0);
    }
}

/// Who is named is not there by chance: it would be compared with the rest, and not the flag.
#[test]
fn keys_by_name_are_not_compared() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let rule = Rule::share(50.0).unwrap().on_for("broken").off_for("dull");
    let flags = Flags::builder().flag("retries", rule).build();
    let egress = builder(&timer).flags(flags).build();
    let mut client = egress.layer(server.clone());
    for _ in 0..300 {
        for key in ["broken", "dull"] {
            server.answer(Answer::status(if key == "broken" { 501 } else { 200 }));
            let mut request = request();
            request.extensions_mut().insert(FlagKey(key.into()));
            timer.run(client.call(request)).unwrap();
        }
    }
    let status = &egress.status().flags.flags["retries"];
    assert_eq!((status.on.count, status.off.count), (0, 0));
    assert!(!status.is_worse);
}

/// Another rule compares other groups, and requests that are under way belong to the old ones.
#[test]
fn what_was_decided_by_an_older_rule_is_not_compared_by_the_new_one() {
    let timer = ManualTimer::new();
    let flags = Flags::builder()
        .flag("retries", Rule::share(50.0).unwrap())
        .build();
    let egress = builder(&timer).flags(flags.clone()).build();
    let mut client = egress.layer(Server::new(&timer));
    let under_way: Vec<_> = (0..20).map(|_| client.call(request())).collect();
    flags.apply_json(r#"{"retries": 60}"#).unwrap();
    drop(under_way);
    let count = || {
        let status = &egress.status().flags.flags["retries"];
        status.on.count + status.off.count
    };
    assert_eq!(count(), 0);
    timer.run(client.call(request())).unwrap();
    assert_eq!(count(), 1);
}

/// Counts how often it is cloned, as all is that a stack is made of.
struct Counting(Arc<AtomicU64>);

impl Clone for Counting {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl<F> Executor<F> for Counting {
    fn execute(&self, _: F) {}
}

/// `FetchExt` clones the service for each request, as most callers do. The stacks were those of one clone, and ended with it.
#[test]
fn a_stack_is_made_once_though_the_service_is_cloned_for_each_request() {
    let clones_for_ten = |flags| {
        let timer = ManualTimer::new();
        let clones = Arc::new(AtomicU64::new(0));
        let builder = builder(&timer).executor(Counting(Arc::clone(&clones)));
        let client = builder.flags(flags).build().layer(Server::new(&timer));
        let send = || timer.run(client.clone().oneshot(request())).unwrap();
        send();
        let before = clones.load(Relaxed);
        (0..10).for_each(|_| drop(send()));
        clones.load(Relaxed) - before
    };
    let all_on = clones_for_ten(layers());
    for switch in Switch::ALL {
        let one_off = clones_for_ten(without(switch));
        assert!(one_off <= all_on, "{switch:?}: {one_off}, {all_on}");
    }
}

/// What is needed again and again stays, whatever else was needed once.
#[test]
fn the_stacks_that_were_needed_last_are_kept() {
    let timer = ManualTimer::new();
    let clones = Arc::new(AtomicU64::new(0));
    let builder = builder(&timer).executor(Counting(Arc::clone(&clones)));
    let flags = layers();
    let client = builder.flags(flags.clone()).build();
    let mut client = client.layer(Server::new(&timer));
    let mut clones_without = |switch: Switch| {
        let off = Config::default().with(switch.as_str(), false);
        flags.apply(&off).unwrap();
        let before = clones.load(Relaxed);
        timer.run(client.call(request())).unwrap();
        clones.load(Relaxed) - before
    };
    assert!(clones_without(Switch::Retries) > 0);
    for switch in Switch::ALL {
        if switch != Switch::Retries {
            assert!(clones_without(switch) > 0, "{switch:?}");
            assert_eq!(clones_without(Switch::Retries), 0, "after {switch:?}");
        }
    }
}

/// C7, M1, K5: whatever is switched while requests wait, are under way, and are read, everything adds up in the end.
#[test]
fn everything_adds_up_after_many_switches() {
    (1..=5).for_each(adds_up);
}

fn adds_up(mut random: u64) {
    let mut below = move |n: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % n
    };
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let flags = layers();
    let quota = Quota::new(50, SECOND).unwrap().with_burst(10).unwrap();
    let egress = Egress::builder_on(timer.clone())
        .otherwise(Api::external().with_quota(quota))
        .concurrency(3)
        .flags(flags.clone())
        .build();
    let client = egress.layer(server.clone());
    let (mut calls, mut bodies) = (Vec::new(), Vec::new());
    let (mut timed, mut responses) = (0, 0);
    for _ in 0..3000 {
        match below(8) {
            0 => {
                let rules: Vec<_> = Switch::ALL
                    .iter()
                    .map(|switch| {
                        format!(
                            "\"{}\": {}",
                            switch.as_str(),
                            [0, 50, 100][usize::try_from(below(3)).unwrap()]
                        )
                    })
                    .collect();
                flags
                    .apply_json(&format!("{{{}}}", rules.join(",")))
                    .unwrap();
            }
            1 | 2 => {
                let status = [200, 200, 503, 404][usize::try_from(below(4)).unwrap()];
                server.answer(Answer::status(status));
                let mut request = request();
                let key = format!("key {}", below(1000));
                timed += u64::from(flags.is_on("timing", &key));
                request.extensions_mut().insert(FlagKey(key.into()));
                calls.push(tokio_test::task::spawn(Box::pin(
                    client.clone().call(request),
                )));
            }
            3 => timer.advance(Duration::from_millis(below(200))),
            4 if !calls.is_empty() => {
                let which = usize::try_from(below(calls.len() as u64)).unwrap();
                drop(calls.swap_remove(which));
            }
            5 if !bodies.is_empty() => {
                let which = usize::try_from(below(bodies.len() as u64)).unwrap();
                let body: tower_egress::ResponseBody<_, _, _> = bodies.swap_remove(which);
                match below(2) {
                    0 => drop(body),
                    _ => drop(timer.run(body.collect())),
                }
            }
            _ => {
                for at in (0..calls.len()).rev() {
                    if let std::task::Poll::Ready(response) = calls[at].poll() {
                        drop(calls.swap_remove(at));
                        if let Ok(response) = response {
                            responses += 1;
                            bodies.push(http::Response::into_body(response));
                        }
                    }
                }
            }
        }
    }
    drop((calls, bodies));
    let status = egress.status();
    let connections = &status.connections;
    assert_eq!(
        (
            connections.active,
            connections.unlimited,
            connections.queued
        ),
        (0, 0, 0)
    );
    assert_eq!((connections.open_bodies, server.open()), (0, 0));
    let outcomes = &status.performance["all"].outcomes;
    assert_eq!(outcomes.values().sum::<u64>(), timed, "M1: {outcomes:?}");
    let limit = status.rate_limits.values().next().unwrap();
    assert_eq!(limit.queue_length, 0);
    let ends = &status.bodies;
    assert_eq!(ends.live, 0);
    let ended = ends.ended + ends.cancelled + ends.drained + ends.idle + ends.failed;
    assert!(
        ended >= responses && responses > 200,
        "K5: {ended} of {responses}"
    );
    // And it goes on.
    flags.apply_json("{}").unwrap();
    assert!(timer.run(client.oneshot(request())).is_ok());
}

/// B8: what a request began with, it has to its end.
#[test]
fn who_is_about_to_retry_does_so_though_retries_are_switched_off() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let flags = layers();
    let egress = builder(&timer).flags(flags.clone()).build();
    let mut client = egress.layer(server.clone());
    server.answer(Answer {
        after: SECOND,
        ..Answer::status(503)
    });
    let mut call = tokio_test::task::spawn(client.call(request()));
    assert!(call.poll().is_pending());
    flags.apply_json(r#"{"retries": false}"#).unwrap();
    let response = timer.run(call.into_inner()).unwrap();
    assert_eq!(
        (response.status(), server.arrivals().len()),
        (StatusCode::OK, 2)
    );
    drop(response);
    assert_eq!(egress.status().retries.retries, 1);
}

/// C1, C2: a permit that is held counts again when the limit is switched on again.
#[test]
fn permits_are_held_while_the_limit_is_switched_off_and_on() {
    let timer = ManualTimer::new();
    let flags = layers();
    let egress = builder(&timer).concurrency(1).flags(flags.clone()).build();
    let mut client = egress.layer(Server::new(&timer));
    let limited = timer.run(client.call(request())).unwrap();
    flags.apply_json(r#"{"connectionLimit": false}"#).unwrap();
    let unlimited = timer.run(client.call(request())).unwrap();
    flags.apply_json("{}").unwrap();
    let mut waits = tokio_test::task::spawn(client.call(request()));
    assert!(waits.poll().is_pending());
    let connections = egress.status().connections;
    assert_eq!(
        (
            connections.active,
            connections.queued,
            connections.unlimited
        ),
        (1, 1, 1)
    );
    drop(unlimited);
    assert!(
        !waits.is_woken() && waits.poll().is_pending(),
        "that was not its place"
    );
    drop(limited);
    assert!(waits.is_woken());
    let response = timer.run(waits.into_inner()).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
