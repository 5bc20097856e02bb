//! The fetch helpers, over the whole stack and in virtual time.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use egress_time::{Clock, ManualTimer};
use http::{Request, StatusCode};
use http_body_util::Full;
use std::{error::Error as _, num::NonZeroUsize, time::Duration};
use support::{Answer, Server};
use tower_egress::{Api, Egress, Error, ErrorKind, FetchExt, Quota, ResponseExt, batch_fetch};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECRET: &str = "hunter2";

fn egress(timer: &ManualTimer) -> Egress<ManualTimer> {
    Egress::builder_on(timer.clone())
        .otherwise(Api::external().without_quota())
        .build()
}

/// Everything that a program would write into its log.
fn logged(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}

#[test]
fn an_error_status_has_its_body_and_says_where_it_came_from() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer::status(404));
    let egress = egress(&timer);
    let client = egress.layer(server.clone());
    let uri = format!("http://example.com/a?token={SECRET}");
    let error = timer.run(client.get(uri).json::<String>()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status(StatusCode::NOT_FOUND));
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(error.body().unwrap(), "\"hello, world\"");
    assert_eq!(
        error.to_string(),
        "GET example.com/a: the server answered 404 Not Found"
    );
    assert_eq!(server.open(), 0, "its connection is free");
}

/// B7
#[test]
fn when_retries_run_out_the_last_response_is_the_error_with_the_number_of_attempts() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    for _ in 0..4 {
        server.answer(Answer::status(503));
    }
    let client = egress(&timer).layer(server.clone());
    let error = timer
        .run(client.get("http://example.com/").text())
        .unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE)
    );
    assert_eq!(error.attempts(), 4);
    assert_eq!(server.arrivals().len(), 4);
    assert_eq!(error.body().unwrap(), "\"hello, world\"");
}

#[test]
fn no_secret_is_in_what_a_program_would_log() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = egress(&timer).layer(server.clone());
    let uri = format!("http://example.com/a?token={SECRET}");

    // The body is a string where a number was expected: serde_json's own message would quote it.
    let secret = Box::leak(format!("\"{SECRET}\"").into_boxed_str());
    server.answer(Answer {
        frames: vec![(Duration::ZERO, secret)],
        ..Answer::default()
    });
    let get = client.get(&uri).bearer(SECRET).json::<u32>();
    let error = timer.run(get).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(!logged(&error).contains(SECRET), "{}", logged(&error));

    // A header that cannot be one, a URL that is none.
    let bad = client
        .get(&uri)
        .header("x-key", format!("{SECRET}\n"))
        .build();
    let error = bad.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(!logged(&error).contains(SECRET), "{}", logged(&error));
    let error = client
        .get(format!("http://exa mple/{SECRET}"))
        .build()
        .unwrap_err();
    assert!(!logged(&error).contains(SECRET), "{}", logged(&error));

    // Requests and builders are printed, too.
    let builder = client.get(&uri).bearer(SECRET).body(SECRET);
    assert!(!format!("{builder:?}").contains(SECRET), "{builder:?}");
    let status = serde_json::to_string(&egress(&timer).status()).unwrap();
    assert!(!status.contains(SECRET));
}

#[test]
fn a_body_larger_than_allowed_is_an_error_and_not_read_on() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = egress(&timer).layer(server.clone());
    let response = timer.run(client.get("http://example.com/").send()).unwrap();
    let error = timer.run(response.into_bytes_up_to(13)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Body);
    assert_eq!(server.open(), 0, "its connection is free");
    let response = timer.run(client.get("http://example.com/").send()).unwrap();
    let bytes = timer.run(response.into_bytes_up_to(14)).unwrap();
    assert_eq!(bytes, "\"hello, world\"");
}

#[test]
fn a_query_is_encoded_and_appended() {
    let timer = ManualTimer::new();
    let client = egress(&timer).layer(Server::new(&timer));
    let query = |uri: &str| {
        let request = client.get(uri).query(&[("q", "a b&c"), ("n", "1")]).build();
        request.unwrap().uri().to_string()
    };
    assert_eq!(query("http://h/s"), "http://h/s?q=a+b%26c&n=1");
    assert_eq!(query("http://h/s?x=1"), "http://h/s?x=1&q=a+b%26c&n=1");
    assert_eq!(query("http://h"), "http://h/?q=a+b%26c&n=1");
}

/// D2
#[test]
fn a_timeout_of_one_request_spans_queues_attempts_and_body() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let slow = Answer {
        frames: vec![(Duration::from_secs(3600), "late")],
        ..Answer::default()
    };
    server.answer(slow);
    let egress = egress(&timer);
    let client = egress.layer(server.clone());
    let start = timer.now();
    let get = client
        .get("http://example.com/")
        .timeout(Duration::from_secs(2));
    let error = timer.run(get.text()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(timer.now() - start, Duration::from_secs(2));
    assert_eq!(server.open(), 0, "D3: the transport is aborted");
    assert_eq!(
        egress.status().connections.active,
        0,
        "D3: the permit is free"
    );
}

/// T6
#[test]
fn a_refusal_says_when_to_come_back_and_coming_back_then_works() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let quota = Quota::new(1, Duration::from_secs(3600)).unwrap();
    let egress = Egress::builder_on(timer.clone())
        .otherwise(Api::external().with_quota(quota))
        .build();
    let client = egress.layer(server.clone());
    let get = || timer.run(client.get("http://example.com/").text());
    get().unwrap();
    let start = timer.now();
    let error = get().unwrap_err();
    assert_eq!(timer.now(), start, "refused at once");
    let ErrorKind::RateLimited { retry_after } = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!(
        server.arrivals().len(),
        1,
        "nothing was sent, nothing was retried"
    );
    timer.advance(retry_after);
    get().unwrap();
}

#[test]
fn a_batch_keeps_the_order_and_gives_each_its_own_result() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer {
        after: Duration::from_secs(1),
        ..Answer::default()
    });
    server.answer(Answer::status(404));
    let client = egress(&timer).layer(server.clone());
    let get = |path: &str| Request::get(format!("http://example.com/{path}")).body(Full::default());
    let requests: Vec<_> = ["slow", "missing", "c", "d"]
        .map(|path| get(path).unwrap())
        .into();
    let two = NonZeroUsize::new(2).unwrap();
    let results = timer.run(batch_fetch(&client, requests, two).into_vec());
    let statuses: Vec<_> = results
        .iter()
        .map(|r| r.as_ref().unwrap().status().as_u16())
        .collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
    assert!(server.peak() <= 2, "two at a time");
}

/// One that waits a minute for its `Retry-After` must not hold up a batch.
#[test]
fn a_slow_request_at_the_head_of_a_batch_keeps_no_place_but_its_own() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    for seconds in std::iter::once(10).chain([1; 18]) {
        server.answer(Answer {
            after: Duration::from_secs(seconds),
            ..Answer::default()
        });
    }
    let client = egress(&timer).layer(server.clone());
    let requests: Vec<_> = (0..19)
        .map(|n| {
            let request = Request::get(format!("http://h/{n}"));
            request.body(Full::default()).unwrap()
        })
        .collect();
    let start = timer.now();
    let three = NonZeroUsize::new(3).unwrap();
    let results = timer.run(batch_fetch(&client, requests, three).into_vec());
    assert_eq!(results.iter().flatten().count(), 19);
    let elapsed = timer.now() - start;
    assert!(elapsed < Duration::from_secs(11), "{elapsed:?}");
}

/// futures-rs#2387: the consumer of the stream fetches through the same limit of one.
#[test]
fn a_consumer_that_fetches_itself_does_not_deadlock() {
    use futures_util::StreamExt;
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let egress = Egress::builder_on(timer.clone())
        .concurrency(1)
        .otherwise(Api::external().without_quota())
        .build();
    let client = egress.layer(server.clone());
    let requests: Vec<_> = (0..6)
        .map(|n| {
            Request::get(format!("http://h/{n}"))
                .body(Full::default())
                .unwrap()
        })
        .collect();
    let done = timer.run(async {
        let three = NonZeroUsize::new(3).unwrap();
        let mut responses = std::pin::pin!(batch_fetch(&client, requests, three));
        let mut done = 0;
        while let Some(response) = responses.next().await {
            response.unwrap();
            client.get("http://h/nested").text().await.unwrap();
            done += 1;
        }
        done
    });
    assert_eq!(done, 6);
    assert_eq!(
        egress.status().connections.timeouts,
        0,
        "nobody sat out a queue timeout"
    );
}
