//! The fetch helpers, over the whole stack and in virtual time.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::{
    convert::Infallible,
    error::Error as _,
    io,
    num::NonZeroUsize,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use support::{Answer, Server};
use tower::ServiceExt;
use tower_egress::{
    Api, Egress, Error, ErrorKind, FetchExt, GaveUp, Quota, ResponseExt, batch_fetch,
    layers::concurrency_limit::Config,
};
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
    assert_eq!(error.gave_up(), Some(GaveUp::Exhausted));
    assert_eq!(error.retry_after(), None, "the server named no time");
    assert_eq!(server.arrivals().len(), 4);
    assert_eq!(error.body().unwrap(), "\"hello, world\"");
}

/// B4, B2: what the layers know of coming back, the error says.
#[test]
fn an_error_says_when_to_come_back_and_why_nothing_more_was_tried() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = egress(&timer).layer(server.clone());
    let start = timer.now();
    server.answer(Answer::status(503).header("retry-after", "120"));
    let get = client.get("http://example.com/").text();
    let error = timer.run(get).unwrap_err();
    let wait = Duration::from_secs(120);
    assert_eq!((error.attempts(), error.retry_after()), (1, Some(wait)));
    let Some(GaveUp::WaitTooLong { wait: asked, .. }) = error.gave_up() else {
        panic!("{error:?}");
    };
    assert_eq!(asked, wait);

    server.answer(Answer::status(429).header("retry-after", "7"));
    let post = client.post("http://example.com/").body("x").text();
    let error = timer.run(post).unwrap_err();
    assert_eq!(error.gave_up(), Some(GaveUp::NotIdempotent));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));

    server.answer(Answer::status(404));
    let get = client.get("http://example.com/").text();
    let error = timer.run(get).unwrap_err();
    let nothing = (1, None, None);
    assert_eq!(
        (error.attempts(), error.gave_up(), error.retry_after()),
        nothing
    );
    let elapsed = timer.now() - start;
    assert!(
        elapsed < Duration::from_secs(1),
        "nobody slept: {elapsed:?}"
    );

    let bad = client.get("http://exa mple/").build().unwrap_err();
    assert_eq!(bad.attempts(), 0);
}

/// B7
#[test]
fn an_error_of_the_connection_says_how_often_it_was_tried() {
    let timer = ManualTimer::new();
    let broken = tower::service_fn(|_| async {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        Err::<Response<Full<Bytes>>, _>(reset)
    });
    let client = egress(&timer).layer(broken);
    let get = client.get("http://example.com/").text();
    let error = timer.run(get).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(
        (error.attempts(), error.gave_up()),
        (4, Some(GaveUp::Exhausted))
    );
    let text = error.to_string();
    assert!(text.ends_with("after 4 attempts"), "{text}");
    let post = client.post("http://example.com/").text();
    assert_eq!(timer.run(post).unwrap_err().attempts(), 1);
}

#[test]
fn an_error_of_the_body_says_how_often_it_was_tried() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer::status(503));
    let client = egress(&timer).layer(server.clone());
    let get = client.get("http://example.com/").json::<u32>();
    let error = timer.run(get).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Decode, 2));
}

/// A redirection's page is not what was asked for.
#[test]
fn only_a_successful_response_is_decoded() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = egress(&timer).layer(server.clone());
    let moved = format!("https://me:{SECRET}@example.org/b?token={SECRET}");
    server.answer(Answer::status(301).header("location", &moved));
    let get = client.get("http://example.com/a").json::<String>();
    let error = timer.run(get).unwrap_err();
    let kind = ErrorKind::Status(StatusCode::MOVED_PERMANENTLY);
    assert_eq!(error.kind(), kind);
    assert_eq!(error.location(), Some("https://example.org/b"));
    assert_eq!(
        error.to_string(),
        "GET example.com/a: the server answered 301 Moved Permanently, see https://example.org/b"
    );
    assert!(!logged(&error).contains(SECRET), "{}", logged(&error));
    assert_eq!(server.open(), 0, "its connection is free");

    for status in [300, 302, 304, 307, 308] {
        server.answer(Answer::status(status));
        let text = timer.run(client.get("http://example.com/").text());
        assert_eq!(text.unwrap_err().status().unwrap(), status);
        server.answer(Answer::status(status));
        let bytes = timer.run(client.get("http://example.com/").bytes());
        assert_eq!(bytes.unwrap_err().status().unwrap(), status);
        server.answer(Answer::status(status));
        let response = timer.run(client.get("http://example.com/").send());
        let response = response.unwrap();
        assert_eq!(response.status(), status, "`send` returns whatever comes");
        assert!(response.error_for_status().is_err());
    }
    server.answer(Answer::status(201));
    let created = timer.run(client.get("http://example.com/").json::<String>());
    assert_eq!(created.unwrap(), "hello, world");
}

/// A proxy hands on requests as they came: with the host in a header.
#[test]
fn a_request_pays_the_limit_of_its_host_wherever_that_stands() {
    let timer = ManualTimer::new();
    let quota = Quota::new(10, Duration::from_secs(1)).unwrap();
    let egress = Egress::builder_on(timer.clone())
        .api(
            Api::new("limited")
                .with_host("example.com:443")
                .with_quota(quota),
        )
        .build();
    let client = egress.layer(Server::new(&timer));
    for (uri, host) in [
        ("/a", "example.com"),
        ("/a", "EXAMPLE.com:443"),
        ("https://example.com/a", "other.example"),
        ("https://example.com:443/a", "other.example"),
        ("/a", "other.example"),
        ("http://example.com/a", "example.com:443"),
    ] {
        let request = Request::get(uri).header("host", host);
        let request = request.body(Full::<Bytes>::default()).unwrap();
        timer.run(client.clone().oneshot(request)).unwrap();
    }
    let limits = egress.status().rate_limits;
    let departed = ["limited", "external"].map(|name| limits[name].departed);
    assert_eq!(departed, [4, 2]);
}

/// A body that says it has three bytes and has none.
struct Liar;

impl Body for Liar {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(3)
    }
}

#[test]
fn a_request_body_of_another_length_is_the_callers_mistake_and_not_the_connections() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = egress(&timer).layer(server.clone());
    let request = Request::put("http://example.com/").body(Liar).unwrap();
    let error = timer.run(client.oneshot(request)).unwrap_err();
    assert_eq!(ErrorKind::of(&*error), ErrorKind::InvalidRequest);
    assert_eq!(server.arrivals(), [], "nothing was sent");
}

/// C5
#[test]
fn unread_responses_that_hold_all_connections_are_told_from_a_long_queue() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let egress = Egress::builder_on(timer.clone())
        .connections(Config::new().with_fail_on_unread(true))
        .concurrency(1)
        .idle_timeout(None)
        .otherwise(Api::external().without_quota())
        .build();
    let client = egress.layer(server.clone());
    let unread = timer.run(client.get("http://example.com/forgotten").send());
    let error = timer
        .run(client.get("http://example.com/").text())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodiesHeld);
    assert_eq!(error.attempts(), 0);
    assert!(logged(&error).contains("/forgotten"), "{}", logged(&error));
    assert_eq!(server.arrivals().len(), 1, "nothing was sent");
    drop(unread);
    timer.run(client.get("http://example.com/").text()).unwrap();
}

#[test]
fn an_attempt_can_be_given_for_ever() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let slow = || Answer {
        after: Duration::from_secs(3600),
        ..Answer::default()
    };
    let builder = || Egress::builder_on(timer.clone()).otherwise(Api::external().without_quota());
    let get = |egress: Egress<ManualTimer>| {
        server.answer(slow());
        let client = egress.layer(server.clone());
        timer.run(client.post("http://example.com/").text())
    };
    let error = get(builder().build()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let patient = builder()
        .attempt_timeout(None)
        .deadline(None)
        .queue_timeout(None)
        .body_stall_timeout(None)
        .idle_timeout(None);
    get(patient.build()).unwrap();
    let bounded = builder().deadline(Duration::from_secs(5)).build();
    let error = get(bounded).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
}

/// A minute's window, rounded up to whole seconds, is 61 s.
#[test]
fn a_wait_of_a_minute_and_a_bit_is_waited() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = egress(&timer).layer(server.clone());
    server.answer(Answer::status(429).header("retry-after", "61"));
    let start = timer.now();
    timer.run(client.get("http://example.com/").text()).unwrap();
    assert!(timer.now() - start >= Duration::from_secs(61));

    let quota = Quota::new(1, Duration::from_secs(64)).unwrap();
    let egress = Egress::builder_on(timer.clone())
        .otherwise(Api::external().with_quota(quota))
        .build();
    let client = egress.layer(server.clone());
    for _ in 0..2 {
        timer.run(client.get("http://example.com/").text()).unwrap();
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "a concurrency of 0 lets nothing through")]
fn a_concurrency_of_nothing_is_refused() {
    let _ = Egress::builder_on(ManualTimer::new()).concurrency(0);
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
    assert_eq!(error.retry_after(), Some(retry_after));
    assert_eq!(error.attempts(), 0);
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

/// An iterator may return something again after it has returned nothing: that is another batch.
#[test]
fn a_batch_ends_where_its_requests_end() {
    use futures_util::StreamExt;
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = egress(&timer).layer(server.clone());
    let requests = || {
        let mut calls = 0;
        std::iter::from_fn(move || {
            calls += 1;
            let request = Request::get(format!("http://h/{calls}")).body(Full::default());
            (calls != 4).then(|| request.unwrap())
        })
        .take(20)
    };
    let two = NonZeroUsize::new(2).unwrap();
    let streamed = timer.run(async {
        let mut stream = pin!(batch_fetch(&client, requests(), two));
        let mut count = 0;
        while stream.next().await.is_some() {
            count += 1;
        }
        // Whoever polls it again hears the same.
        assert!(stream.next().await.is_none());
        count
    });
    assert_eq!(streamed, 3);
    let collected = timer.run(batch_fetch(&client, requests(), two).into_vec());
    assert_eq!(collected.len(), 3);
    assert_eq!(server.arrivals().len(), 6);
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
