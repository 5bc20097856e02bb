//! What one piece of work asked of servers: counted apart, and told in `Server-Timing`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use egress_timing::{Outcome, Phase};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::{convert::Infallible, time::Duration};
use support::{Answer, Server};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_egress::{
    Api, Egress, EgressBuilder, FetchExt, Quota, ServerTiming, ServerTimingLayer, Switch, Tally,
    flags::{Config, Flags},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MILLISECOND: Duration = Duration::from_millis(1);

/// One connection, and one request to `github` in 100 ms.
fn builder(timer: &ManualTimer) -> EgressBuilder<ManualTimer> {
    let quota = Quota::new(1, 100 * MILLISECOND).unwrap();
    Egress::builder_on(timer.clone())
        .concurrency(1)
        .api(
            Api::new("github")
                .with_host("api.github.com")
                .with_quota(quota),
        )
        .otherwise(Api::new("external"))
}

fn request(uri: &str) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).unwrap()
}

#[test]
fn it_has_requests_retries_and_waits_by_api() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer::status(503).header("retry-after", "1"));
    let egress = builder(&timer).build();
    let (tally, idle) = (egress.tally(), egress.tally());
    let client = egress.layer(server);
    let mine = client.clone().with_tally(&tally);
    timer.run(async {
        mine.get("http://api.github.com/zen").text().await.unwrap();
        mine.get("http://example.com/").text().await.unwrap();
        client.get("http://example.com/").text().await.unwrap();
    });
    let labels: Vec<_> = tally.labels().collect();
    let [("github", github), ("external", external)] = labels[..] else {
        panic!("{labels:?}");
    };
    assert_eq!(
        (github.requests(), github.attempts(), github.retries()),
        (1, 2, 1)
    );
    assert_eq!((external.requests(), external.retries()), (1, 0));
    assert_eq!(external.phase(Phase::Total), 20 * MILLISECOND);
    assert_eq!(tally.overall().outcome(Outcome::Ok), 2);
    assert_eq!(ServerTiming::of(&idle).to_header(), "");
    // 10 ms to the refusal and 10 for its body, which is captured; a second that was asked for; and 20 ms.
    assert_eq!(
        ServerTiming::of(&tally).to_header(),
        "github;dur=1040;desc=\"1 request, 1 retry\", external;dur=20;desc=\"1 request\""
    );
    let all = egress.timings().overall();
    assert_eq!(all.lifetime().requests(), 3, "they are recorded as well");
}

#[test]
fn waits_for_limits_and_what_is_not_ok_are_told() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer::status(404));
    let egress = builder(&timer).build();
    let tally = egress.tally();
    let client = egress.layer(server).with_tally(&tally);
    timer.run(async {
        for _ in 0..2 {
            let request = request("http://api.github.com/zen");
            let response = client.clone().oneshot(request).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
    });
    // The body of the 404 is read ahead. The second waits for the rest of the 100 ms.
    let header = ServerTiming::of(&tally).to_header();
    assert_eq!(
        header,
        "github;dur=120;desc=\"2 requests, 1 not ok\", rate_wait;dur=80"
    );
}

#[test]
fn of_a_switched_stack_it_counts_too_but_not_what_is_not_measured() {
    for (switch, counted) in [(Switch::Retries, 1), (Switch::Timing, 0)] {
        let timer = ManualTimer::new();
        let flags = Flags::builder().layers().build();
        let off = Config::default().with(switch.as_str(), false);
        flags.apply(&off).unwrap();
        let egress = builder(&timer).flags(flags).build();
        let client = egress.layer(Server::new(&timer));
        let mut warm = client.clone();
        // The switched stack is there already, or is made when the tally is.
        for is_there in [false, true] {
            if is_there {
                let request = request("http://example.com/");
                timer.run(async { warm.call(request).await.unwrap() });
            }
            let tally = egress.tally();
            let mine = warm.clone().with_tally(&tally);
            timer.run(mine.get("http://example.com/").text()).unwrap();
            assert_eq!(tally.overall().requests(), counted, "{switch:?} {is_there}");
        }
    }
}

#[test]
fn a_server_tells_in_each_response_what_its_handler_asked_of_others() {
    let timer = ManualTimer::new();
    let egress = builder(&timer).build();
    let client = egress.layer(Server::new(&timer));
    let handler = service_fn(|request: Request<u32>| {
        let client = client.clone();
        async move {
            let tally: &Tally = request.extensions().get().unwrap();
            let client = client.with_tally(tally);
            for _ in 0..*request.body() {
                client.get("http://example.com/").text().await.unwrap();
            }
            let response = Response::builder().header("server-timing", "mine");
            Ok::<_, Infallible>(response.body(()).unwrap())
        }
    });
    let server = ServerTimingLayer::new(&egress).layer(handler);
    let header = |asked: u32| {
        let response = timer
            .run(server.clone().oneshot(Request::new(asked)))
            .unwrap();
        let values = response.headers().get_all("server-timing").iter();
        let values: Vec<_> = values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        values.join(" | ")
    };
    assert_eq!(header(0), "mine");
    assert_eq!(header(2), "mine | external;dur=40;desc=\"2 requests\"");
    assert_eq!(header(1), "mine | external;dur=20;desc=\"1 request\"");
    assert!(timer.now() > egress_time::Instant::ORIGIN);
}
