//! K1: a response that is dropped before its end frees its connection; K5: and is counted once.

mod support;

use egress_body_cleanup::{BodyCleanupLayer, Drain};
use egress_context::RequestContext;
use egress_time::{Clock, ManualTimer};
use http::{Request, StatusCode};
use http_body::SizeHint;
use std::{task::Poll, time::Duration};
use support::{
    LocalExecutor, Probe, Refuses, SECOND, Script, ScriptBody, Step, Step::*, poll, request,
    respond, total,
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Without an idle timeout and an executor, a body stays where it is; else it can be moved. Both must drain
/// alike.
const BOTH: [Option<Duration>; 2] = [None, Some(SECOND)];

struct Dropped {
    counts: egress_body_cleanup::Counts,
    probe: Probe,
}

/// Hands out a body, polls it `polls` times, and drops it.
fn drop_after(
    polls: usize,
    idle_timeout: Option<Duration>,
    drain: Drain,
    body: impl FnOnce(&ManualTimer) -> Script,
) -> Dropped {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone())
        .with_idle_timeout(idle_timeout)
        .with_drain(drain);
    let body = body(&timer);
    let probe = body.probe();
    let mut body = Box::pin(respond(&timer, &layer, StatusCode::OK, body).into_body());
    for _ in 0..polls {
        let _ = poll(&mut body);
    }
    drop(body);
    Dropped {
        counts: layer.stats().counts(),
        probe,
    }
}

fn dropped(
    idle_timeout: Option<Duration>,
    drain: Drain,
    steps: impl IntoIterator<Item = Step>,
) -> Dropped {
    drop_after(0, idle_timeout, drain, |timer| Script::new(timer, steps))
}

/// K1
#[test]
fn what_is_already_there_is_drained_on_the_spot() {
    for idle_timeout in BOTH {
        let steps = [Data("read"), Data("unread"), Trailers];
        let body = drop_after(1, idle_timeout, Drain::new(), |timer| {
            Script::new(timer, steps)
        });
        assert_eq!((body.counts.drained, body.counts.drained_bytes), (1, 6));
        assert_eq!(total(body.counts), 1);
        assert!(body.probe.is_freed());
    }
}

/// K1, K5
#[test]
fn wherever_a_body_is_dropped_it_is_freed_and_counted_once() {
    let drains = [Drain::new(), Drain::NEVER, Drain::new().with_max_bytes(3)];
    let scripts: [&[Step]; 5] = [
        &[],
        &[Data("one"), Wait, Data("two"), Trailers],
        &[Data("one"), Data("two"), Error],
        &[Data(""), Data(""), Stuck],
        &[Wait, Error, Data("never seen")],
    ];
    for idle_timeout in BOTH {
        for drain in drains {
            for steps in scripts {
                for polls in 0..6 {
                    for knows in [false, true] {
                        let body = drop_after(polls, idle_timeout, drain, |timer| {
                            let body = Script::new(timer, steps.iter().copied());
                            if knows {
                                body
                            } else {
                                body.unaware_of_its_end()
                            }
                        });
                        let case = format!("{steps:?} after {polls} polls with {drain:?}");
                        assert!(body.probe.is_freed(), "{case}");
                        assert_eq!(body.counts.live, 0, "{case}");
                        assert_eq!(total(body.counts), 1, "{case}: {:?}", body.counts);
                    }
                }
            }
        }
    }
}

/// K1, K5
#[test]
fn wherever_a_body_is_dropped_the_executor_ends_it_too() {
    let timer = ManualTimer::new();
    for idle_timeout in BOTH {
        for polls in 0..6 {
            let executor = LocalExecutor::default();
            let layer = BodyCleanupLayer::new(timer.clone())
                .with_idle_timeout(idle_timeout)
                .with_executor(executor.clone());
            let body = Script::new(
                &timer,
                [Data("1"), Wait, Data("2"), Sleep(SECOND / 2), Trailers],
            );
            let probe = body.probe();
            let mut body = Box::pin(respond(&timer, &layer, StatusCode::OK, body).into_body());
            for _ in 0..polls {
                let _ = poll(&mut body);
            }
            drop(body);
            executor.run(&timer);
            assert!(probe.is_freed());
            let counts = layer.stats().counts();
            assert_eq!((counts.live, total(counts)), (0, 1));
            assert_eq!(
                counts.drained, 1,
                "after {polls} polls there was still something to drain"
            );
        }
    }
}

/// K1: what Workers use.
#[test]
fn a_body_that_is_never_drained_is_dropped_without_a_poll() {
    for idle_timeout in BOTH {
        let body = dropped(idle_timeout, Drain::NEVER, [Data("unread")]);
        assert_eq!(body.probe.polls(), 0);
        assert!(body.probe.is_freed());
        assert_eq!(body.counts.cancelled, 1);
    }
}

/// K1
#[test]
fn a_pending_body_is_closed_and_not_waited_for() {
    for idle_timeout in BOTH {
        let body = dropped(idle_timeout, Drain::new(), [Data("some"), Stuck]);
        assert_eq!(body.probe.polls(), 2);
        assert_eq!((body.counts.cancelled, body.counts.drained_bytes), (1, 4));
        assert!(body.probe.is_freed());
    }
}

/// K1
#[test]
fn no_more_is_drained_than_the_bound() {
    let ten = Drain::new().with_max_bytes(10);
    for idle_timeout in BOTH {
        let exact = [Zeros(5), Zeros(5)];
        assert_eq!(dropped(idle_timeout, ten, exact).counts.drained, 1);
        let body = drop_after(0, idle_timeout, ten, |timer| {
            Script::new(timer, exact).unaware_of_its_end()
        });
        assert_eq!(
            body.counts.drained, 1,
            "the bound is met, the end comes without a byte"
        );
        let body = dropped(idle_timeout, ten, [Zeros(5), Zeros(6), Zeros(1), Zeros(1)]);
        assert_eq!((body.counts.cancelled, body.probe.polls()), (1, 2));
    }
}

/// K1
#[test]
fn a_body_of_tiny_or_empty_frames_does_not_keep_its_drop_busy() {
    for idle_timeout in BOTH {
        for text in ["", "x"] {
            let body = dropped(idle_timeout, Drain::new(), [Endless(text)]);
            assert_eq!(body.probe.polls(), 64);
            assert_eq!(body.counts.cancelled, 1);
        }
    }
}

/// K1
#[test]
fn a_body_that_says_it_is_too_long_is_not_drained_at_all() {
    for idle_timeout in BOTH {
        let hinting = |bytes| {
            drop_after(0, idle_timeout, Drain::new(), |timer| {
                Script::new(timer, [Data("all")]).hinting(SizeHint::with_exact(bytes))
            })
        };
        let (long, short) = (hinting(64 * 1024 + 1), hinting(64 * 1024));
        assert_eq!((long.counts.cancelled, long.probe.polls()), (1, 0));
        assert_eq!((short.counts.drained, short.probe.polls()), (1, 1));
        assert_eq!(hinting(u64::MAX).probe.polls(), 0);
    }
}

/// K5
#[test]
fn an_error_while_draining_is_no_failure_of_the_owners() {
    for idle_timeout in BOTH {
        let body = dropped(
            idle_timeout,
            Drain::new(),
            [Data("some"), Error, Data("more")],
        );
        assert_eq!((body.counts.cancelled, body.counts.failed), (1, 0));
        assert_eq!(body.probe.polls(), 2, "nothing is polled after an error");
    }
}

/// K1
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_body_that_panics_while_it_is_drained_does_not_panic_its_owner() {
    for idle_timeout in BOTH {
        let body = dropped(idle_timeout, Drain::new(), [Data("some"), Panic]);
        assert!(body.probe.is_freed());
        assert_eq!((body.counts.cancelled, total(body.counts)), (1, 1));
    }
}

/// K1
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn nothing_is_polled_while_its_owner_unwinds() {
    for idle_timeout in BOTH {
        let timer = ManualTimer::new();
        let layer = BodyCleanupLayer::new(timer.clone()).with_idle_timeout(idle_timeout);
        let body = Script::new(&timer, [Panic]);
        let probe = body.probe();
        let response = respond(&timer, &layer, StatusCode::OK, body);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _owned = response;
            panic!("the owner's own");
        }));
        assert!(unwound.is_err());
        assert!(probe.is_freed());
        assert_eq!(probe.polls(), 0);
        assert_eq!(layer.stats().counts().cancelled, 1);
    }
}

fn in_background(
    timer: &ManualTimer,
    drain: Drain,
    body: Script,
) -> (
    BodyCleanupLayer<Script, ManualTimer, LocalExecutor>,
    LocalExecutor,
) {
    let executor = LocalExecutor::default();
    let layer = BodyCleanupLayer::new(timer.clone())
        .with_idle_timeout(None)
        .with_drain(drain)
        .with_executor(executor.clone());
    drop(respond(timer, &layer, StatusCode::OK, body));
    (layer, executor)
}

/// K1
#[test]
fn an_executor_drains_what_is_not_there_yet() {
    let timer = ManualTimer::new();
    let body = Script::new(
        &timer,
        [Data("here"), Sleep(SECOND / 2), Data("late"), Trailers],
    );
    let probe = body.probe();
    let (layer, executor) = in_background(&timer, Drain::new(), body);
    let counts = layer.stats().counts();
    assert_eq!(
        (counts.live, counts.drained_bytes),
        (1, 4),
        "a drain in progress is live"
    );
    assert!(!probe.is_freed(), "and keeps what is tied to the body");
    executor.run(&timer);
    let counts = layer.stats().counts();
    assert_eq!(
        (counts.drained, counts.drained_bytes, total(counts)),
        (1, 8, 1)
    );
    assert!(probe.is_freed());
}

/// K1
#[test]
fn an_executor_gets_nothing_that_is_over_or_known_to_be_too_long() {
    let timer = ManualTimer::new();
    let over = Script::new(&timer, [Data("all")]);
    assert_eq!(in_background(&timer, Drain::new(), over).1.tasks(), 0);
    let long = Script::new(&timer, [Stuck]).hinting(SizeHint::with_exact(320 * 1024 + 1));
    let probe = long.probe();
    assert_eq!(in_background(&timer, Drain::new(), long).1.tasks(), 0);
    assert_eq!(probe.polls(), 0);
    for off in [
        Drain::NEVER,
        Drain::new().with_background(1, Duration::ZERO),
    ] {
        let stuck = Script::new(&timer, [Stuck]);
        assert_eq!(in_background(&timer, off, stuck).1.tasks(), 0);
    }
}

/// K1
#[test]
fn an_executor_gets_nothing_that_became_known_to_be_too_long_for_it() {
    let timer = ManualTimer::new();
    let drain = Drain::new().with_max_bytes(10).with_background(10, SECOND);
    for (left, tasks) in [(10, 1), (11, 0), (20, 0)] {
        let body = Script::new(&timer, [Stuck]).hinting(SizeHint::with_exact(left));
        let probe = body.probe();
        let (layer, executor) = in_background(&timer, drain, body);
        assert_eq!(
            probe.polls(),
            1,
            "both bounds together might have been enough"
        );
        assert_eq!(executor.tasks(), tasks, "{left} bytes are left");
        executor.shut_down();
        assert_eq!(layer.stats().counts().cancelled, 1);
    }
}

/// K1
#[test]
fn a_body_is_freed_when_its_drain_is_done_though_the_task_is_kept() {
    let timer = ManualTimer::new();
    let body = Script::new(&timer, [Wait, Data("late")]);
    let probe = body.probe();
    let (_layer, executor) = in_background(&timer, Drain::new(), body);
    let mut task = executor.take().expect("a drain");
    timer.run(task.as_mut());
    assert!(probe.is_freed());
    drop(task);
}

/// K1
#[test]
fn a_drain_in_the_background_takes_no_longer_than_its_bound() {
    let timer = ManualTimer::new();
    let start = timer.now();
    let body = Script::new(&timer, [Stuck]);
    let probe = body.probe();
    let (layer, executor) = in_background(&timer, Drain::new(), body);
    executor.run(&timer);
    assert_eq!(timer.now() - start, SECOND);
    assert!(probe.is_freed());
    assert_eq!(layer.stats().counts().cancelled, 1);
    assert_eq!(timer.sleepers(), 0);
}

/// A body whose request has a deadline, and what it is dropped into.
fn with_deadline(
    timer: &ManualTimer,
    idle_timeout: Option<Duration>,
    left: Duration,
    body: Script,
) -> (ScriptBody<LocalExecutor>, LocalExecutor) {
    let executor = LocalExecutor::default();
    let layer = BodyCleanupLayer::new(timer.clone())
        .with_idle_timeout(idle_timeout)
        .with_executor(executor.clone());
    let mut get = Request::new(());
    let context = RequestContext::join(get.extensions_mut());
    context.limit_deadline(timer.now() + left);
    let response = request(timer, &layer, get, StatusCode::OK, body);
    // The watch over idle bodies is not what this is about.
    executor.shut_down();
    (response.into_body(), executor)
}

/// D3: a body that its deadline's layer dropped was drained in the background, and its permit was not free.
#[test]
fn beyond_the_deadline_a_connection_is_free_at_once() {
    for idle_timeout in BOTH {
        let timer = ManualTimer::new();
        let body = Script::new(&timer, [Data("here"), Sleep(SECOND / 2), Data("late")]);
        let probe = body.probe();
        let (body, executor) = with_deadline(&timer, idle_timeout, 5 * SECOND, body);
        timer.advance(5 * SECOND);
        drop(body);
        assert!(probe.is_freed());
        assert_eq!(executor.tasks(), 0);
        assert_eq!(probe.polls(), 2, "what was there was read all the same");
    }
}

/// D3
#[test]
fn a_drain_in_the_background_ends_with_the_deadline() {
    for idle_timeout in BOTH {
        for (left, takes) in [(SECOND / 4, SECOND / 4), (5 * SECOND, SECOND)] {
            let timer = ManualTimer::new();
            let start = timer.now();
            let body = Script::new(&timer, [Stuck]);
            let probe = body.probe();
            let (body, executor) = with_deadline(&timer, idle_timeout, left, body);
            drop(body);
            assert_eq!((probe.is_freed(), executor.tasks()), (false, 1));
            executor.run(&timer);
            assert!(probe.is_freed());
            assert_eq!(timer.now() - start, takes);
        }
    }
}

/// K1
#[test]
fn a_drain_in_the_background_reads_no_more_than_its_bound() {
    let timer = ManualTimer::new();
    let drain = Drain::new().with_background(10, SECOND);
    let exact = Script::new(&timer, [Wait, Zeros(5), Zeros(5)]).unaware_of_its_end();
    let (layer, executor) = in_background(&timer, drain, exact);
    executor.run(&timer);
    assert_eq!(layer.stats().counts().drained, 1);
    let more = Script::new(&timer, [Wait, Zeros(5), Zeros(6), Zeros(5), Zeros(5)]);
    let probe = more.probe();
    let (layer, executor) = in_background(&timer, drain, more);
    executor.run(&timer);
    assert_eq!(layer.stats().counts().cancelled, 1);
    assert_eq!(probe.polls(), 3);
}

/// K1
#[test]
fn a_drain_in_the_background_lets_others_run_and_ends_though_every_frame_is_empty() {
    let timer = ManualTimer::new();
    let drain = Drain::new().with_max_bytes(0).with_background(1000, SECOND);
    let body = Script::new(&timer, [Endless("")]);
    let probe = body.probe();
    let (layer, executor) = in_background(&timer, drain, body);
    assert_eq!(probe.polls(), 0, "nothing on the spot");
    executor.poll_once();
    assert_eq!(probe.polls(), 64);
    executor.run(&timer);
    assert_eq!(probe.polls(), 1001);
    assert_eq!(layer.stats().counts().cancelled, 1);
}

/// K1, K5
#[test]
fn an_executor_that_drops_its_tasks_closes_the_connection() {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone()).with_executor(Refuses);
    let body = Script::new(&timer, [Stuck]);
    let probe = body.probe();
    drop(respond(&timer, &layer, StatusCode::OK, body));
    assert!(probe.is_freed());
    assert_eq!(layer.stats().counts().cancelled, 1);

    let body = Script::new(&timer, [Stuck]);
    let probe = body.probe();
    let (layer, executor) = in_background(&timer, Drain::new(), body);
    executor.poll_once();
    executor.shut_down();
    assert!(probe.is_freed());
    assert_eq!(layer.stats().counts().cancelled, 1);
}

/// K1: tokio's spawn panics outside of a runtime.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn an_executor_that_panics_does_not_panic_the_owner_who_drops() {
    #[derive(Clone)]
    struct NoRuntime;
    impl<F> egress_body_cleanup::Executor<F> for NoRuntime {
        fn execute(&self, _: F) {
            panic!("there is no reactor running");
        }
    }
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone())
        .with_idle_timeout(None)
        .with_executor(NoRuntime);
    let body = Script::new(&timer, [Stuck]);
    let probe = body.probe();
    drop(respond(&timer, &layer, StatusCode::OK, body));
    assert!(probe.is_freed());
    assert_eq!(layer.stats().counts().cancelled, 1);
}

/// K5
#[test]
fn bodies_that_are_read_are_counted_by_how_they_ended() {
    for idle_timeout in BOTH {
        let after = |polls, steps: &'static [Step]| {
            drop_after(polls, idle_timeout, Drain::new(), |timer| {
                Script::new(timer, steps.iter().copied())
            })
            .counts
        };
        assert_eq!(after(0, &[]).ended, 1, "at its end from the start");
        assert_eq!(after(1, &[Data("all")]).ended, 1);
        assert_eq!(after(3, &[Data("all"), Wait, Trailers]).ended, 1);
        assert_eq!(after(2, &[Data("some"), Error]).failed, 1);
        assert_eq!(after(9, &[Data("some"), Error, Data("more")]).failed, 1);
    }
}

/// K5
#[test]
fn several_layers_can_count_together() {
    let timer = ManualTimer::new();
    let first = BodyCleanupLayer::new(timer.clone());
    let second = BodyCleanupLayer::new(timer.clone()).with_stats(first.stats());
    for layer in [&first, &second] {
        drop(respond(
            &timer,
            layer,
            StatusCode::OK,
            Script::new(&timer, [Stuck]),
        ));
    }
    assert_eq!(first.stats().counts().cancelled, 2);
    assert_eq!(first.stats().counts(), second.stats().counts());
}

/// K1: a body is freed when it is over, not when its owner gets round to dropping it.
#[test]
fn a_body_that_is_over_is_freed_before_its_owner_drops_it() {
    for idle_timeout in BOTH {
        for steps in [[Data("all"), Trailers], [Data("some"), Error]] {
            let timer = ManualTimer::new();
            let layer = BodyCleanupLayer::new(timer.clone()).with_idle_timeout(idle_timeout);
            let body = Script::new(&timer, steps);
            let probe = body.probe();
            let mut body = Box::pin(respond(&timer, &layer, StatusCode::OK, body).into_body());
            assert!(poll(&mut body).is_ready());
            assert!(!probe.is_freed());
            assert!(poll(&mut body).is_ready());
            assert!(probe.is_freed());
            assert!(matches!(poll(&mut body), Poll::Ready(None)));
        }
    }
}
