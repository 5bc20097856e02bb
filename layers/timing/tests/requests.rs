//! Each request is recorded exactly once, with what became of it and where its time went.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

mod probe;

use self::probe::{
    Scripted,
    Step::{self, *},
    assert_once, assert_phase, millis, pass, recorded,
};
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, Instant, ManualTimer};
use egress_timing::{Outcome, Phase, Recorder, ResponseBody, Timing, TimingLayer};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::BodyExt;
use std::{future::Future, time::Duration};
use tower::{Layer, Service, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Answer = Result<Response<Scripted>, &'static str>;

fn status(status: StatusCode, body: Scripted) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    Ok(response)
}

/// Sends one request through a stack that plays the layers inside.
async fn send<F: Future<Output = Answer>>(
    timer: &ManualTimer,
    recorder: &Recorder,
    request: Request<()>,
    mut stack: impl FnMut(RequestContext) -> F,
) -> Result<Response<ResponseBody<Scripted, ManualTimer>>, &'static str> {
    let inner = service_fn(|request: Request<()>| {
        stack(RequestContext::current(request.extensions()).expect("timing makes a context"))
    });
    let layer = TimingLayer::new(timer.clone(), recorder.clone());
    layer.layer(inner).oneshot(request).await
}

/// Sends a `GET` that is answered at once, and returns the response.
fn answered(
    timer: &ManualTimer,
    recorder: &Recorder,
    answer: Answer,
) -> Response<ResponseBody<Scripted, ManualTimer>> {
    let mut answer = Some(answer);
    let answer = send(timer, recorder, Request::new(()), |_| {
        std::future::ready(answer.take().expect("one request"))
    });
    timer.run(answer).expect("a response")
}

/// M1
#[test]
fn every_phase_is_recorded() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    timer.run(async {
        let response = send(&timer, &recorder, Request::new(()), |context| {
            let timer = timer.clone();
            async move {
                for attempt in 1..=3 {
                    assert_eq!(context.begin_attempt(), attempt);
                    pass(&timer, millis(100)).await;
                    context.add_rate_wait(millis(100));
                    pass(&timer, millis(20)).await;
                    context.add_queue_wait(millis(20));
                    context.dispatched_at(timer.now());
                    pass(&timer, millis(500)).await;
                }
                Ok(Response::new(Scripted::new(
                    &timer,
                    [Wait(millis(40)), Data, Wait(millis(40)), Data],
                )))
            }
        });
        response.await.unwrap().collect().await.unwrap();
    });
    let summary = assert_once(&recorder, &timer, Outcome::Ok);
    assert_eq!(summary.attempts(), 3);
    assert_phase(&summary, Phase::RateWait, Some(millis(300)));
    assert_phase(&summary, Phase::QueueWait, Some(millis(60)));
    assert_phase(&summary, Phase::Headers, Some(millis(500)));
    assert_phase(&summary, Phase::Body, Some(millis(80)));
    assert_phase(&summary, Phase::Total, Some(millis(3 * 620 + 80)));
}

/// M1
#[test]
fn where_nobody_says_when_it_was_sent_headers_are_timed_from_the_call() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    timer.run(async {
        let response = send(&timer, &recorder, Request::new(()), |_| {
            let timer = timer.clone();
            async move {
                pass(&timer, millis(70)).await;
                Ok(Response::new(Scripted::new(&timer, [])))
            }
        });
        response.await.unwrap().collect().await.unwrap();
    });
    let summary = assert_once(&recorder, &timer, Outcome::Ok);
    assert_phase(&summary, Phase::Headers, Some(millis(70)));
    assert_eq!(summary.attempts(), 1, "one, where nobody counts them");
}

/// M1: failures count too.
#[test]
fn an_error_is_recorded_as_what_the_layers_inside_say_it_is() {
    for (failure, outcome) in [
        (None, Outcome::Failed),
        (Some(Failure::Refused), Outcome::Refused),
        (Some(Failure::TimedOut), Outcome::TimedOut),
        (Some(Failure::DeadlineExceeded), Outcome::TimedOut),
    ] {
        let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
        let result = timer.run(send(&timer, &recorder, Request::new(()), |context| {
            let timer = timer.clone();
            async move {
                pass(&timer, millis(10)).await;
                context.dispatched_at(timer.now());
                pass(&timer, millis(30)).await;
                if let Some(failure) = failure {
                    context.fail(failure);
                }
                Err("an error")
            }
        }));
        assert_eq!(
            result.map(drop),
            Err("an error"),
            "the error comes through as it is"
        );
        let summary = assert_once(&recorder, &timer, outcome);
        let waited = (outcome != Outcome::Refused).then_some(millis(30));
        assert_phase(&summary, Phase::Headers, waited);
        assert_phase(&summary, Phase::Body, None);
        assert_phase(&summary, Phase::Total, Some(millis(40)));
    }
}

/// M1
#[test]
fn what_was_never_sent_has_no_time_to_headers() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let error = timer.run(send(&timer, &recorder, Request::new(()), |_| async {
        Err("queue full")
    }));
    assert!(error.is_err());
    assert_phase(
        &assert_once(&recorder, &timer, Outcome::Failed),
        Phase::Headers,
        None,
    );
}

/// M1
#[test]
fn a_body_that_fails_is_a_failure() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let body = Scripted::new(&timer, [Data, Wait(millis(5)), Error]);
    let response = answered(&timer, &recorder, Ok(Response::new(body)));
    assert!(timer.run(response.collect()).is_err());
    let summary = assert_once(&recorder, &timer, Outcome::Failed);
    assert_phase(&summary, Phase::Body, Some(millis(5)));
    assert_eq!(summary.abandoned_bodies(), 0);
}

/// M1
#[test]
fn a_body_that_is_out_of_time_is_a_timeout() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let mut context = None;
    let response = timer.run(send(&timer, &recorder, Request::new(()), |inside| {
        context = Some(inside);
        std::future::ready(Ok(Response::new(Scripted::new(&timer, [Data, Error]))))
    }));
    context.expect("it was called").fail(Failure::TimedOut);
    assert!(timer.run(response.unwrap().collect()).is_err());
    assert_once(&recorder, &timer, Outcome::TimedOut);
}

/// M1: whatever becomes of its body.
#[test]
fn an_error_status_is_an_http_error() {
    for code in [400, 404, 429, 500, 503, 529, 599] {
        for script in [vec![], vec![Data], vec![Data, Error]] {
            for read in [false, true] {
                let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
                let code = StatusCode::from_u16(code).expect("a status");
                let response = answered(
                    &timer,
                    &recorder,
                    status(code, Scripted::new(&timer, script.clone())),
                );
                if read {
                    let _ = timer.run(response.collect());
                } else {
                    drop(response);
                }
                let summary = assert_once(&recorder, &timer, Outcome::HttpError);
                assert_eq!(summary.abandoned_bodies(), 0, "nobody cancelled");
            }
        }
    }
}

/// M1
#[test]
fn redirects_and_empty_replies_are_fine() {
    for code in [200, 204, 301, 304, 399] {
        let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
        let code = StatusCode::from_u16(code).expect("a status");
        let body = Scripted::new(&timer, []).knowing_its_end();
        drop(answered(&timer, &recorder, status(code, body)));
        assert_phase(
            &assert_once(&recorder, &timer, Outcome::Ok),
            Phase::Body,
            Some(Duration::ZERO),
        );
    }
}

/// M1: recorded with the response, although nobody reads this body and it does not know its end.
#[test]
fn a_response_without_a_body_is_recorded_at_once() {
    let head = Request::head("/").body(()).unwrap();
    for (request, code) in [
        (head, StatusCode::OK),
        (Request::new(()), StatusCode::NO_CONTENT),
        (Request::new(()), StatusCode::NOT_MODIFIED),
        (Request::new(()), StatusCode::SWITCHING_PROTOCOLS),
    ] {
        let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
        let response = timer.run(send(&timer, &recorder, request, |_| {
            std::future::ready(status(code, Scripted::new(&timer, [Data])))
        }));
        assert_once(&recorder, &timer, Outcome::Ok);
        timer.advance(millis(1000));
        drop(response);
        assert_phase(
            &assert_once(&recorder, &timer, Outcome::Ok),
            Phase::Body,
            Some(Duration::ZERO),
        );
    }
}

/// M1: as early as the end can be known, and not when a body that was read is dropped.
#[test]
fn the_body_ends_with_its_last_frame() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    for (script, knows, frames) in [
        (vec![Data, Data], true, 2),
        (vec![Data, Trailers], false, 2),
        (vec![Data], false, 2),
    ] {
        let before = recorded(&recorder, &timer).requests();
        let mut body = Scripted::new(&timer, script);
        if knows {
            body = body.knowing_its_end();
        }
        let mut body = answered(&timer, &recorder, Ok(Response::new(body))).into_body();
        timer.run(async {
            for _ in 0..frames {
                assert_eq!(recorded(&recorder, &timer).requests(), before, "not yet");
                let _ = body.frame().await;
            }
        });
        assert_eq!(recorded(&recorder, &timer).requests(), before + 1);
        assert_eq!(recorded(&recorder, &timer).outcome(Outcome::Ok), before + 1);
        timer.advance(millis(1000));
        drop(body);
        assert_eq!(recorded(&recorder, &timer).requests(), before + 1);
    }
}

/// M1: polled N times and dropped, for every N from the call to the end of the body.
#[test]
fn whenever_it_is_dropped_it_is_recorded_once() {
    const END: usize = 9;
    for polls in 1..=END {
        let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
        let whole = async {
            let response = send(&timer, &recorder, Request::new(()), |_| {
                let timer = timer.clone();
                async move {
                    for _ in 0..3 {
                        pass(&timer, millis(10)).await;
                    }
                    let script: [Step; 5] =
                        [Wait(millis(10)), Data, Wait(millis(10)), Data, Trailers];
                    Ok(Response::new(Scripted::new(&timer, script)))
                }
            });
            let mut body = response.await.unwrap().into_body();
            pause().await;
            while body
                .frame()
                .await
                .is_some_and(|frame| !frame.unwrap().is_trailers())
            {
                pause().await;
            }
        };
        let mut whole = tokio_test::task::spawn(whole);
        let mut done = false;
        for _ in 0..polls {
            done = whole.poll().is_ready();
            timer.advance(millis(10));
        }
        assert_eq!(done, polls == END, "the script has {END} steps");
        drop(whole);
        let summary = assert_once(
            &recorder,
            &timer,
            if done {
                Outcome::Ok
            } else {
                Outcome::Cancelled
            },
        );
        assert_eq!(timer.sleepers(), 0, "no timer is left");
        let in_body = polls > 3;
        assert_eq!(summary.abandoned_bodies(), u64::from(in_body && !done));
        assert_eq!(summary.phase(Phase::Body).count(), u64::from(in_body));
    }
}

/// Is pending once.
async fn pause() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// M1
#[test]
fn a_future_that_is_never_polled_is_cancelled() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let inner = service_fn(|_: Request<()>| std::future::pending::<Answer>());
    drop(Timing::new(inner, timer.clone(), recorder.clone()).call(Request::new(())));
    assert_phase(
        &assert_once(&recorder, &timer, Outcome::Cancelled),
        Phase::Headers,
        None,
    );
}

/// M1
#[test]
fn a_dropped_future_is_cancelled_with_the_time_it_took() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let mut request =
        tokio_test::task::spawn(send(&timer, &recorder, Request::new(()), |context| {
            let timer = timer.clone();
            async move {
                context.dispatched_at(timer.now());
                std::future::pending().await
            }
        }));
    assert!(request.poll().is_pending());
    timer.advance(millis(800));
    drop(request);
    let summary = assert_once(&recorder, &timer, Outcome::Cancelled);
    assert_phase(&summary, Phase::Headers, Some(millis(800)));
    assert_phase(&summary, Phase::Total, Some(millis(800)));
    assert_eq!(summary.abandoned_bodies(), 0);
}

/// A clock that counts its readings.
#[derive(Clone)]
struct Counting<'a>(&'a std::cell::Cell<u32>);

impl Clock for Counting<'_> {
    fn now(&self) -> Instant {
        self.0.set(self.0.get() + 1);
        Instant::ORIGIN
    }

    fn unix_time(&self) -> Duration {
        Duration::ZERO
    }
}

/// M4: what the crate's documentation says of its cost.
#[test]
fn the_clock_is_read_three_times_and_twice_without_a_body() {
    let timer = ManualTimer::new();
    for (script, readings) in [(vec![Data, Data], 3), (vec![], 2)] {
        let read = std::cell::Cell::new(0);
        let inner = service_fn(|_: Request<()>| {
            std::future::ready(Answer::Ok(Response::new(
                Scripted::new(&timer, script.clone()).knowing_its_end(),
            )))
        });
        let service = Timing::new(inner, Counting(&read), Recorder::unlabelled());
        timer
            .run(async {
                service
                    .oneshot(Request::new(()))
                    .await
                    .unwrap()
                    .collect()
                    .await
            })
            .unwrap();
        assert_eq!(read.get(), readings);
    }
}

/// M3: in a Worker this is the normal case.
#[test]
fn a_clock_that_stands_still_records_zeros() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let response = answered(
        &timer,
        &recorder,
        Ok(Response::new(Scripted::new(&timer, [Data]))),
    );
    timer.run(response.collect()).unwrap();
    let summary = assert_once(&recorder, &timer, Outcome::Ok);
    for phase in Phase::ALL {
        assert_eq!(summary.phase(*phase).p99(), Some(Duration::ZERO), "{phase}");
        assert_eq!(
            summary.phase(*phase).mean(),
            Some(Duration::ZERO),
            "{phase}"
        );
    }
}

/// M3: a negative time is none.
#[test]
fn a_clock_that_steps_back_records_zeros() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let start = timer.now();
    timer.run(async {
        let response = send(&timer, &recorder, Request::new(()), |context| {
            context.dispatched_at(timer.now());
            timer.set(start - Duration::from_secs(600));
            std::future::ready(Ok(Response::new(Scripted::new(&timer, [Data]))))
        });
        let response = response.await.unwrap();
        timer.set(start - Duration::from_secs(1200));
        response.collect().await.unwrap();
    });
    let summary = assert_once(&recorder, &timer, Outcome::Ok);
    for phase in Phase::ALL {
        assert_eq!(summary.phase(*phase).max(), Some(Duration::ZERO), "{phase}");
    }
}

/// M1: two of them in one stack share a context; each counts what happened inside of it.
#[test]
fn a_nested_one_counts_only_its_own() {
    let (timer, outer, inner) = (
        ManualTimer::new(),
        Recorder::unlabelled(),
        Recorder::unlabelled(),
    );
    let wire = service_fn(|request: Request<()>| {
        let context = RequestContext::current(request.extensions());
        let timer = timer.clone();
        async move {
            let context = context.expect("a context");
            context.begin_attempt();
            context.add_rate_wait(millis(5));
            context.add_queue_wait(millis(7));
            pass(&timer, millis(50)).await;
            Ok::<_, &'static str>(Response::new(Scripted::new(&timer, []).knowing_its_end()))
        }
    });
    let measured = Timing::new(wire, timer.clone(), inner.clone());
    let stack = service_fn(|request: Request<()>| {
        let measured = measured.clone();
        let timer = timer.clone();
        async move {
            let context = RequestContext::current(request.extensions()).expect("a context");
            context.begin_attempt();
            context.add_rate_wait(millis(1000));
            context.add_queue_wait(millis(2000));
            context.dispatched_at(timer.now());
            pass(&timer, millis(300)).await;
            measured.oneshot(request).await
        }
    });
    timer
        .run(Timing::new(stack, timer.clone(), outer.clone()).oneshot(Request::new(())))
        .unwrap();

    let outer = assert_once(&outer, &timer, Outcome::Ok);
    assert_eq!(outer.attempts(), 2);
    assert_phase(&outer, Phase::RateWait, Some(millis(1005)));
    assert_phase(&outer, Phase::QueueWait, Some(millis(2007)));
    assert_phase(&outer, Phase::Headers, Some(millis(350)));
    let inner = assert_once(&inner, &timer, Outcome::Ok);
    assert_eq!(inner.attempts(), 1);
    assert_phase(&inner, Phase::RateWait, Some(millis(5)));
    assert_phase(&inner, Phase::QueueWait, Some(millis(7)));
    assert_phase(&inner, Phase::Headers, Some(millis(50)));
    assert_phase(&inner, Phase::Total, Some(millis(50)));
}

/// M2: per API.
#[test]
fn each_label_has_its_own_numbers() {
    let timer = ManualTimer::new();
    let recorder = Recorder::new(["github", "anthropic"]);
    let label = |_: &Method, uri: &Uri| match uri.host() {
        Some("api.github.com") => Some(0),
        Some("api.anthropic.com") => Some(1),
        Some("out.of.range") => Some(99),
        _ => None,
    };
    let wire = service_fn(|_: Request<()>| async {
        Ok::<_, &'static str>(Response::new(Scripted::new(&timer, []).knowing_its_end()))
    });
    let service = TimingLayer::new(timer.clone(), recorder.clone())
        .with_label(label)
        .layer(wire);
    let hosts = [
        "api.github.com",
        "api.github.com",
        "api.anthropic.com",
        "out.of.range",
        "else.where",
    ];
    for host in hosts {
        let request = Request::get(format!("https://{host}/path?token=secret"))
            .body(())
            .unwrap();
        timer.run(service.clone().oneshot(request)).unwrap();
    }
    let snapshot = recorder.snapshot(timer.now());
    let requests: Vec<_> = snapshot
        .labels()
        .map(|(name, label)| (name, label.minute().requests()))
        .collect();
    assert_eq!(requests, [("github", 2), ("anthropic", 1)]);
    assert_eq!(snapshot.label("github").unwrap().lifetime().requests(), 2);
    assert!(snapshot.label("gitlab").is_none());
    assert_eq!(snapshot.unlabelled().lifetime().requests(), 2);
    assert_eq!(snapshot.overall().lifetime().requests(), 5);
}

#[test]
fn frames_trailers_size_and_errors_are_the_inner_bodys() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let body = Scripted::new(&timer, [Data, Trailers, Error]).knowing_its_end();
    let mut body = answered(&timer, &recorder, Ok(Response::new(body))).into_body();
    assert_eq!(body.size_hint().exact(), Some(42));
    assert!(!body.is_end_stream() && !body.get_ref().is_end_stream());
    timer.run(async {
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert_eq!(body.frame().await.unwrap().unwrap_err(), "reset by peer");
        assert!(body.frame().await.is_none());
    });
    assert!(body.is_end_stream());
    assert_once(&recorder, &timer, Outcome::Ok);
}

/// M1: a layer inside may meet a refusal by sending the request another way. Then it was sent, whatever comes of it.
#[test]
fn an_answered_request_after_a_refusal_counts_as_sent() {
    for (refusal, answer, outcome) in [
        (Failure::Refused, Some(vec![Data]), Outcome::Ok),
        (Failure::Refused, Some(vec![Data, Error]), Outcome::Failed),
        (Failure::Refused, None, Outcome::Failed),
        (Failure::DeadlineTooSoon, Some(vec![Error]), Outcome::Failed),
        (Failure::DeadlineTooSoon, None, Outcome::Failed),
    ] {
        let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
        timer.run(async {
            let sent = send(&timer, &recorder, Request::new(()), |context| {
                let (timer, answer) = (timer.clone(), answer.clone());
                async move {
                    context.fail(refusal);
                    pass(&timer, millis(10)).await;
                    context.dispatched_at(timer.now());
                    assert_eq!(context.failure(), None, "the refusal is forgotten");
                    pass(&timer, millis(30)).await;
                    let script = answer.ok_or("reset by peer")?;
                    Ok(Response::new(Scripted::new(&timer, script)))
                }
            });
            if let Ok(response) = sent.await {
                let _ = response.collect().await;
            }
        });
        let summary = assert_once(&recorder, &timer, outcome);
        assert_eq!(summary.attempts(), 1, "{refusal:?}, {answer:?}");
        assert_phase(&summary, Phase::Headers, Some(millis(30)));
    }
}

/// M1: what was answered was sent, also where nobody inside says so.
#[test]
fn an_answer_after_a_refusal_is_one_attempt_where_nobody_says_when_it_was_sent() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    timer.run(async {
        let response = send(&timer, &recorder, Request::new(()), |context| {
            context.fail(Failure::Refused);
            std::future::ready(Ok(Response::new(Scripted::new(&timer, [Data]))))
        });
        response.await.unwrap().collect().await.unwrap();
    });
    let summary = assert_once(&recorder, &timer, Outcome::Ok);
    assert_eq!(summary.attempts(), 1);
}
