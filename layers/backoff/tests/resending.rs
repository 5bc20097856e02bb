//! B6: a request is resent whole, and a body that is gone is never resent as empty.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use bytes::Bytes;
use egress_backoff::{BodyFailed, GaveUp, Policy, RetryInfo, WrongLength};
use egress_context::RequestContext;
use egress_time::ManualTimer;
use http::{HeaderMap, Method, Request, Version};
use http_body::{Body, Frame};
use http_body_util::Full;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use support::{Scripted, Seen, Server, Step, backoff, status, with_policy};
use tower::ServiceExt;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn put(body: Scripted) -> Request<Scripted> {
    Request::put("https://api.example.com/upload")
        .body(body)
        .unwrap()
}

fn send(script: &[u16], request: Request<Scripted>) -> (Vec<Seen>, Option<RetryInfo>) {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, script.iter().copied().map(status));
    let response = timer.run(backoff(&server, &timer).oneshot(request));
    let info = response.unwrap().extensions().get().copied();
    (server.seen(), info)
}

/// B6: octocrab loses the extensions.
#[test]
fn method_uri_version_headers_and_extensions_are_resent() {
    #[derive(Clone, Debug, PartialEq)]
    struct Own(&'static str);

    for own in [None, Some(Own("the caller's"))] {
        let mut request = Request::builder()
            .method(Method::DELETE)
            .uri("https://api.example.com/things/7?force=1")
            .version(Version::HTTP_2)
            .header("authorization", "token")
            .header("accept", "a")
            .header("accept", "b")
            .body(Scripted::new(0, []))
            .unwrap();
        if let Some(own) = own.clone() {
            request.extensions_mut().insert(own);
        }
        let (seen, _) = send(&[503, 503, 503, 200], request);
        assert_eq!(seen.len(), 4);
        for (attempt, seen) in (1..).zip(&seen) {
            assert_eq!(seen.method, Method::DELETE);
            assert_eq!(seen.uri, "https://api.example.com/things/7?force=1");
            assert_eq!(seen.version, Version::HTTP_2);
            assert_eq!(seen.headers["authorization"], "token");
            let accept: Vec<_> = seen.headers.get_all("accept").iter().collect();
            assert_eq!(accept, ["a", "b"]);
            assert_eq!(seen.extensions.get::<Own>(), own.as_ref());
            assert_eq!(seen.extensions.len(), 1 + usize::from(own.is_some()));
            assert_eq!(seen.attempt, attempt, "each finds the request's context");
        }
    }
}

/// B6
#[test]
fn what_an_attempt_does_to_its_extensions_stays_with_it() {
    #[derive(Clone)]
    struct Hops(u32);

    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503), status(200)]);
    let probe = server.clone();
    let counting = tower::util::MapRequest::new(server, |mut request: Request<_>| {
        let hops = request.extensions_mut().get_mut::<Hops>().unwrap();
        hops.0 += 1;
        assert_eq!(hops.0, 1, "a retry starts with what the caller gave");
        request
    });
    let client = egress_backoff::Backoff::new(
        counting,
        Policy::new(),
        egress_backoff::Budget::default(),
        timer.clone(),
    );
    let mut request = support::get();
    request.extensions_mut().insert(Hops(0));
    timer.run(client.oneshot(request)).unwrap();
    assert_eq!(probe.requests(), 2);
}

/// B6
#[test]
fn bodies_of_known_size_are_resent_with_their_length_and_trailers() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "abc".parse().unwrap());
    let body = Scripted::new(
        9,
        [
            Step::Pending,
            Step::Data("one"),
            Step::Data(""),
            Step::Pending,
            Step::Data("two"),
            Step::Data("six"),
            Step::Trailers(trailers.clone()),
        ],
    );
    let (seen, info) = send(&[500, 500, 200], put(body));
    assert_eq!(seen.len(), 3);
    assert_eq!(info.unwrap().attempts, 3);
    for seen in seen {
        assert_eq!(seen.size, Some(9), "the length is known to the transport");
        assert_eq!(seen.whole.as_deref(), Some(&b"onetwosix"[..]));
        assert_eq!(seen.text(), "onetwosix");
        assert_eq!(seen.trailers.as_ref(), Some(&trailers));
    }
}

/// B6: what is in memory already is not copied.
#[test]
fn a_body_of_one_chunk_is_shared() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503), status(503), status(200)]);
    let bytes = Bytes::from(vec![7_u8; 10_000]);
    let request = Request::put("/").body(Full::new(bytes.clone())).unwrap();
    timer
        .run(backoff(&server, &timer).oneshot(request))
        .unwrap();
    assert_eq!(server.requests(), 3);
    for seen in server.seen() {
        assert_eq!(seen.data[0].as_ptr(), bytes.as_ptr());
    }
}

/// B6: octocrab resends such a body as an empty one; reqwest-retry does not send it even once.
#[test]
fn a_streamed_body_is_sent_once_and_its_response_returned() {
    for size in [None, Some(12)] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [status(503).header("retry-after", 2)]);
        let policy = Policy::new().with_max_buffered(11);
        let steps = [Step::Data("not "), Step::Data("for ever")];
        let request = put(Scripted::new(size, steps));
        let response = timer
            .run(with_policy(&server, &timer, policy).oneshot(request))
            .unwrap();

        assert_eq!(response.status(), 503);
        let info = response.extensions().get::<RetryInfo>().unwrap();
        assert_eq!(info.attempts, 1);
        assert_eq!(info.gave_up, Some(GaveUp::NotReplayable));
        assert_eq!(info.retry_after, Some(2 * support::SECOND));
        assert_eq!(support::read(response.into_body()), "1");

        let seen = server.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].text(), "not for ever");
        assert_eq!(seen[0].data.len(), 2, "as it comes");
        assert_eq!((seen[0].size, &seen[0].whole), (size, &None));
    }
}

/// B6
#[test]
fn the_stated_size_decides_what_is_kept() {
    for (limit, sent) in [(2, 1), (3, 2), (4, 2)] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [status(503), status(200)]);
        let policy = Policy::new().with_max_buffered(limit);
        let request = put(Scripted::new(3, [Step::Data("abc")]));
        timer
            .run(with_policy(&server, &timer, policy).oneshot(request))
            .unwrap();
        assert_eq!(server.requests(), sent, "{limit} bytes are kept");
        assert!(server.seen().iter().all(|seen| seen.text() == "abc"));
    }
}

/// B6
#[test]
fn a_body_that_fails_is_the_callers_error_and_nothing_is_sent() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(200)]);
    let request = put(Scripted::new(6, [Step::Data("abc"), Step::Error]));
    let error = timer
        .run(backoff(&server, &timer).oneshot(request))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the request body failed before the request was sent"
    );
    let failed = error.downcast_ref::<BodyFailed>().unwrap();
    assert_eq!(failed.source.to_string(), "the disk is gone");
    assert_eq!((server.requests(), server.readied()), (0, 0));
}

/// B6: a body that ends early must not be sent as if it were whole, nor one that never ends fill the memory.
#[test]
fn a_body_that_lies_about_its_length_is_not_sent() {
    let short = vec![Step::Data("abc")];
    let long = vec![Step::Data("abc"), Step::Data("defg")];
    let endless = vec![Step::Data("abc"); 10_000];
    for steps in [short, long, endless] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [status(200)]);
        let request = put(Scripted::new(6, steps));
        let error = timer
            .run(backoff(&server, &timer).oneshot(request))
            .unwrap_err();
        assert_eq!(error.downcast_ref::<WrongLength>().unwrap().stated, 6);
        assert_eq!(server.requests(), 0);
    }
}

/// B6
#[test]
fn a_body_without_a_size_that_is_at_its_end_can_be_resent() {
    struct AtItsEnd;

    impl Body for AtItsEnd {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(None)
        }

        fn is_end_stream(&self) -> bool {
            true
        }
    }

    assert_eq!(AtItsEnd.size_hint().exact(), None);
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503), status(200)]);
    let request = Request::get("/").body(AtItsEnd).unwrap();
    timer
        .run(backoff(&server, &timer).oneshot(request))
        .unwrap();
    assert_eq!(server.requests(), 2);
    assert!(server.seen().iter().all(|seen| seen.size == Some(0)));
}

/// B6: what the transport gets does not depend on whether a retry is possible.
#[test]
fn a_request_that_is_sent_once_goes_out_as_bytes_too() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503)]);
    let once = with_policy(&server, &timer, Policy::new().with_max_retries(0));
    let owned_by_outer = backoff(&server, &timer);

    let request = put(Scripted::new(3, [Step::Data("abc")]));
    timer.run(once.oneshot(request)).unwrap();

    let mut request = put(Scripted::new(3, [Step::Data("abc")]));
    let context = RequestContext::join(request.extensions_mut());
    let _outer = context.own_retries();
    timer.run(owned_by_outer.oneshot(request)).unwrap();

    assert_eq!(server.requests(), 2);
    for seen in server.seen() {
        assert_eq!(seen.whole.as_deref(), Some(&b"abc"[..]));
    }
}
