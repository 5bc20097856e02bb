//! The server itself: where it listens, what it survives, how it ends.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a server is tested on real sockets in real time"
)]

mod support;

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use http::{Method, Response, StatusCode};
use strict_origin::{Score, StartError, StrictOrigin};
use support::{Client, eventually, raw, run, start};

#[test]
fn only_loopback_addresses_are_listened_at() {
    run(async {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let result = StrictOrigin::builder()
                .address(address.parse().unwrap())
                .start()
                .await;
            assert!(
                matches!(result, Err(StartError::NotLoopback(_))),
                "{address}"
            );
        }
        let origin = StrictOrigin::builder().start().await.unwrap();
        assert!(origin.addr().ip().is_loopback());
        assert_ne!(origin.addr().port(), 0);
        assert_eq!(origin.url(), format!("http://{}", origin.addr()));
        let taken = StrictOrigin::builder()
            .port(origin.addr().port())
            .start()
            .await;
        assert!(
            matches!(taken, Err(StartError::Io(..))),
            "the port is taken"
        );
    });
}

#[test]
fn garbage_harms_nobody() {
    run(async {
        let (origin, client) = start(StrictOrigin::builder()).await;
        let long = format!("GET /{} HTTP/1.1\r\nhost: o\r\n\r\n", "a".repeat(200_000));
        let garbage: [&[u8]; 7] = [
            b"\0\xff\xfe nonsense\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /repos/a/b HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            b"GET /repos/a/b HTTP/1.1\r\nhost: o\r\nbad header\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame at all, is it?",
            b"POST /echo HTTP/1.1\r\nhost: o\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            long.as_bytes(),
        ];
        for bytes in garbage {
            let (answer, _) = raw(&origin, bytes);
            let text = String::from_utf8_lossy(&answer);
            assert!(!text.starts_with("HTTP/1.1 200"), "{text}");
        }
        eventually("garbage is counted", || origin.score().malformed >= 4).await;
        drop(TcpStream::connect(origin.addr()).unwrap());
        assert_eq!(client.get("/repos/a/b").await.status, StatusCode::OK);
    });
}

#[test]
fn odd_requests_get_an_answer() {
    run(async {
        let (origin, client) = start(StrictOrigin::builder()).await;
        for (method, path, status) in [
            (Method::GET, "/", 404),
            (Method::GET, "/repos", 404),
            (Method::GET, "/repos/a", 404),
            (Method::GET, "/repos/a/b/c/d", 404),
            (Method::GET, "/repos/%00/%ff", 404),
            (Method::DELETE, "/repos/a/b", 404),
            (Method::GET, "/repos/a/b?page=-1&&&=%%%", 200),
            (Method::GET, "/search/repositories", 422),
            (
                Method::GET,
                "/search/repositories?q=a&page=11&per_page=100",
                422,
            ),
            (
                Method::GET,
                "/users/a/repos?page=99999999999999999999&per_page=18446744073709551615",
                200,
            ),
            (
                Method::GET,
                "/search/repositories?q=a&page=18446744073709551615",
                422,
            ),
            (Method::GET, "/v1/messages", 404),
            (Method::POST, "/v1/messages", 400),
            (Method::GET, "/bytes/99999999999", 400),
            (Method::GET, "/bytes/x", 400),
            (Method::GET, "/slow-body/10?ms=0&pieces=0", 200),
            (
                Method::GET,
                "/slow-body/10?pieces=18446744073709551615&ms=1",
                200,
            ),
            (Method::GET, "/delay/99999999", 400),
            (Method::GET, "/status/100", 400),
            (Method::GET, "/status/99999", 400),
            (Method::GET, "/status/418", 418),
            (Method::GET, "/items/none", 404),
            (Method::DELETE, "/items/1", 405),
            (Method::GET, "/__nothing", 404),
            (Method::GET, "/__reset", 405),
        ] {
            let name = format!("{method} {path}");
            let answer = client.send(client.request(method, path, "")).await;
            assert_eq!(answer.status, status, "{name}");
        }
        assert_eq!(origin.score().malformed, 0);
    });
}

#[test]
fn too_large_a_request_is_refused() {
    run(async {
        let (_origin, client) = start(StrictOrigin::builder()).await;
        let body: &'static str = Box::leak("x".repeat(17 << 20).into_boxed_str());
        assert_eq!(
            client.post("/echo", body, &[]).await.status,
            StatusCode::PAYLOAD_TOO_LARGE
        );
    });
}

#[test]
fn its_own_routes_do_not_count() {
    run(async {
        let (origin, client) =
            start(StrictOrigin::builder().external("1/1m".parse().unwrap())).await;
        for _ in 0..3 {
            assert_eq!(client.get("/__health").await.json()["status"], "ok");
        }
        let nothing: Score = serde_json::from_value(client.get("/__score").await.json()).unwrap();
        assert_eq!((nothing.requests, nothing.connections_accepted), (0, 0));
        assert_eq!(
            (nothing.peak_waiting_for_headers, nothing.bodies_completed),
            (0, 0)
        );
        assert_eq!(nothing, origin.score());

        client.get("/anything").await;
        client.get("/anything").await;
        let score: Score = serde_json::from_value(client.get("/__score").await.json()).unwrap();
        assert_eq!((score.requests, score.connections_accepted), (2, 1));
        assert_eq!((score.by_status[&200], score.by_status[&429]), (1, 1));
    });
}

#[test]
fn a_reset_forgets() {
    run(async {
        let (origin, client) =
            start(StrictOrigin::builder().external("1/1m".parse().unwrap())).await;
        client.get("/anything").await;
        assert_eq!(
            client.get("/anything").await.status,
            StatusCode::TOO_MANY_REQUESTS
        );
        let answer = client
            .send(client.request(Method::POST, "/__reset", ""))
            .await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let score = origin.score();
        assert_eq!((score.requests, score.unique_paths_served), (0, 0));
        assert_eq!(score.connections_now, 1, "what is open stays counted");
        assert_eq!(
            client.get("/anything").await.status,
            StatusCode::OK,
            "the window is empty again"
        );
        assert_eq!(
            origin.score().complaints(),
            Vec::<String>::new(),
            "nobody is told to wait any more"
        );
    });
}

#[test]
fn a_shutdown_is_prompt_and_returns_the_score() {
    run(async {
        let (origin, client) = start(StrictOrigin::builder()).await;
        let address = origin.addr();
        let idle = TcpStream::connect(address).unwrap();
        client.get("/anything").await;
        let waiting = tokio::spawn({
            let client = client.clone();
            async move {
                client
                    .try_send(client.request(Method::GET, "/delay/20000", ""))
                    .await
                    .is_err()
            }
        });
        eventually("a request waits", || {
            origin.score().waiting_for_headers_now == 1
        })
        .await;
        let begin = Instant::now();
        let score = origin.shutdown().await;
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "{:?}",
            begin.elapsed()
        );
        assert_eq!(
            (
                score.requests,
                score.waiting_for_headers_now,
                score.abandoned
            ),
            (2, 1, 0)
        );
        assert!(waiting.await.unwrap(), "the request fails");
        assert!(TcpStream::connect(address).is_err(), "nobody listens");
        drop(idle);
    });
}

#[test]
fn a_dropped_origin_stops() {
    run(async {
        let origin = StrictOrigin::builder().start().await.unwrap();
        let address = origin.addr();
        drop(origin);
        eventually("nobody listens", || TcpStream::connect(address).is_err()).await;
    });
}

#[test]
fn arrivals_are_timed_apart_from_a_busy_client() {
    run(async {
        let (origin, client) =
            start(StrictOrigin::builder().external("100/1s".parse().unwrap())).await;
        client.get("/anything").await;
        origin.reset();
        // Two requests leave 100 ms apart while this thread, and with it the client's runtime, is
        // blocked between.
        let mut streams = [
            TcpStream::connect(origin.addr()).unwrap(),
            TcpStream::connect(origin.addr()).unwrap(),
        ];
        for stream in &mut streams {
            use std::io::Write;
            stream
                .write_all(b"GET /anything HTTP/1.1\r\nhost: o\r\n\r\n")
                .unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        let smallest = origin
            .score()
            .api(strict_origin::Api::External)
            .smallest_spacing_us
            .unwrap();
        assert!(smallest >= 50_000, "{smallest} us");
    });
}

#[test]
fn a_handler_answers_first_and_limits_still_hold() {
    run(async {
        let builder = StrictOrigin::builder()
            .external("1/1m".parse().unwrap())
            .handler(|request| {
                let body = format!("{} {}", request.uri().path(), request.body().len()).into();
                request
                    .uri()
                    .path()
                    .starts_with("/mine")
                    .then(|| Response::new(body))
            });
        let (origin, client) = start(builder).await;
        assert_eq!(client.post("/mine/1", "abc", &[]).await.body, "/mine/1 3");
        assert_eq!(
            client.get("/mine/2").await.status,
            StatusCode::TOO_MANY_REQUESTS
        );
        origin.reset();
        assert_eq!(client.get("/anything").await.json()["path"], "/anything");
    });
}

#[test]
fn both_protocols_share_the_port_and_the_limits() {
    run(async {
        let (origin, http1) =
            start(StrictOrigin::builder().external("2/1m".parse().unwrap())).await;
        let http2 = Client::http2(&origin);
        assert_eq!(http1.get("/anything").await.status, StatusCode::OK);
        assert_eq!(http2.get("/anything").await.status, StatusCode::OK);
        assert_eq!(
            http1.get("/anything").await.status,
            StatusCode::TOO_MANY_REQUESTS
        );
        assert_eq!(
            http2.get("/anything").await.status,
            StatusCode::TOO_MANY_REQUESTS
        );
    });
}
