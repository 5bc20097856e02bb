//! Bodies of any shape against a model of twenty lines.
#![cfg(not(target_arch = "wasm32"))]

mod probe;

use self::probe::{Scripted, Step, Tracked, held};
use egress_time::{Clock, ManualTimer};
use egress_timeout::{Bound, TimedOut, TimeoutLayer};
use http::{Request, Response};
use http_body_util::BodyExt;
use proptest::{collection::vec, option, prelude::*};
use std::{convert::Infallible, time::Duration};
use tower::{Layer, ServiceExt, service_fn};

/// What the owner of a body sees: frames as letters, and why and when it ended.
#[derive(Debug, PartialEq)]
struct Seen {
    frames: String,
    timed_out: Option<Bound>,
    at: Duration,
}

fn real(script: &[Step], end: Duration, idle: Duration) -> Seen {
    let timer = ManualTimer::new();
    let tracked = Tracked::default();
    let start = timer.now();
    let server = service_fn(|_: Request<()>| {
        let body = Scripted::new(&timer, &tracked, script.iter().copied());
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let layer = TimeoutLayer::new(timer.clone())
        .with_timeout(end)
        .until_body_end()
        .with_body_idle(idle);
    let (mut frames, mut timed_out) = (String::new(), None);
    let body = timer.run(async {
        let response = layer.layer(server).oneshot(Request::new(())).await;
        let mut body = response.expect("a response").into_body();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => frames.push(if frame.is_data() { 'd' } else { 't' }),
                Err(error) => {
                    frames.push('e');
                    timed_out = error.downcast_ref().map(TimedOut::bound);
                }
            }
        }
        body
    });
    assert_eq!(timer.sleepers(), 0, "a body at its end holds no timer");
    assert_eq!(
        held(&tracked),
        usize::from(timed_out.is_none()),
        "nor the transport, if it was given up"
    );
    drop(body);
    Seen {
        frames,
        timed_out,
        at: timer.now() - start,
    }
}

fn model(script: &[Step], end: Duration, idle: Duration) -> Seen {
    let (mut at, mut waited, mut overdue) = (Duration::ZERO, Duration::ZERO, false);
    let mut frames = String::new();
    let seen = |frames: &str, timed_out: Option<Bound>, at| Seen {
        frames: format!("{frames}{}", if timed_out.is_some() { "e" } else { "" }),
        timed_out,
        at,
    };
    for step in script.iter().map(Some).chain([None]) {
        if let Some(Step::Wait(wait)) = step {
            waited += *wait;
            continue;
        }
        let stalled = at.saturating_add(idle);
        if waited > Duration::ZERO && at + waited > end.min(stalled) {
            let bound = if end <= stalled {
                Bound::Attempt
            } else {
                Bound::BodyIdle
            };
            return seen(&frames, Some(bound), end.min(stalled).max(at));
        }
        at += std::mem::take(&mut waited);
        match step {
            Some(Step::Data) if overdue => return seen(&frames, Some(Bound::Attempt), at),
            Some(Step::Data) => {
                frames.push('d');
                overdue = at >= end;
            }
            Some(Step::Trailers) => frames.push('t'),
            Some(Step::Error) => frames.push('e'),
            _ => {}
        }
    }
    seen(&frames, None, at)
}

fn scripts() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u64..6).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        Just(Step::Data),
    ];
    let last = prop_oneof![Just(Step::Data), Just(Step::Trailers), Just(Step::Error)];
    (vec(step, 0..12), last).prop_map(|(mut script, last)| {
        script.push(last);
        script
    })
}

fn bound() -> impl Strategy<Value = Duration> {
    option::of(1_u64..20).prop_map(|seconds| seconds.map_or(Duration::MAX, Duration::from_secs))
}

proptest! {
    /// D1, D3
    #[test]
    fn a_body_is_given_up_exactly_when_its_time_is_over(script in scripts(), end in bound(), idle in bound()) {
        prop_assert_eq!(real(&script, end, idle), model(&script, end, idle));
    }
}
