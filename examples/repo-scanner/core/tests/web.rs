//! Reading from the HTTP API.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use http::Request;
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use std::{collections::BTreeSet, future::poll_fn, pin::pin};
use support::{Process, ask, get, name, scanned, site, with_database};

#[test]
fn every_path_answers_what_it_takes_and_says_what_it_does_not() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 3).await;
        let site = site(&process, None);
        for (path, kind, methods) in [
            ("/", "text/html; charset=utf-8", "GET, HEAD"),
            ("/api/openapi.json", "application/json", "GET, HEAD"),
            ("/api/status", "application/json", "GET, HEAD"),
            ("/api/repos", "application/json", "GET, HEAD"),
            (
                "/api/repos/owner/name-000001",
                "application/json",
                "GET, HEAD",
            ),
            ("/api/scan", "application/json", "GET, HEAD, POST, DELETE"),
            (
                "/metrics",
                "text/plain; version=0.0.4; charset=utf-8",
                "GET, HEAD",
            ),
        ] {
            let answer = get(&site, path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("content-type"), Some(kind), "{path}");
            let head = ask(&site, "HEAD", path, &[], "").await;
            assert_eq!(head.status, 200, "{path}");
            assert!(head.body.is_empty(), "{path}");
            let length = head.header("content-length").unwrap();
            // Figures change with each request.
            if !matches!(path, "/api/status" | "/metrics") {
                assert_eq!(length, answer.body.len().to_string(), "{path}");
            }
            for method in ["PUT", "PATCH", "POST", "OPTIONS", "BREW"] {
                if methods.contains(method) {
                    continue;
                }
                let refused = ask(&site, method, path, &[], "").await;
                assert_eq!(refused.status, 405, "{method} {path}");
                assert_eq!(refused.header("allow"), Some(methods), "{path}");
                refused.problem();
            }
        }
        for path in [
            "/api",
            "/api/repos/",
            "/api/repos/owner",
            "/index.html",
            "//",
            "/api/scan/1",
        ] {
            let answer = get(&site, path).await;
            assert_eq!(answer.status, 404, "{path}");
            answer.problem();
        }
    });
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 3).await;
        let site = site(&process, None);
        for path in ["/", "/api/openapi.json", "/api/repos", "/api/repos?limit=2"] {
            let answer = get(&site, path).await;
            let tag = answer.header("etag").unwrap();
            for known in [
                tag.to_owned(),
                format!("\"other\", W/{tag}"),
                "*".to_owned(),
            ] {
                let header = format!("if-none-match: {known}");
                for method in ["GET", "HEAD"] {
                    let answer = ask(&site, method, path, &[&header], "").await;
                    assert_eq!(answer.status, 304, "{method} {path} {known}");
                    assert!(answer.body.is_empty());
                    assert_eq!(answer.header("etag"), Some(tag));
                }
            }
            let answer = ask(&site, "GET", path, &["if-none-match: \"other\""], "").await;
            assert_eq!(answer.status, 200, "{path}");
        }
    });
}

#[test]
fn the_dashboard_may_load_nothing_but_itself() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let answer = get(&site(&process, None), "/").await;
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        // As many hashes as there are elements.
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        let elements = page.matches("<script").count() + page.matches("<style").count();
        assert_eq!(policy.matches("'sha256-").count(), elements);
        assert!(!policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    });
}

#[test]
fn bad_input_names_its_field() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        let long = format!("q={}", "x".repeat(201));
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-1", "limit"),
            ("limit=1e3", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=2", "limit"),
            ("sort=age", "sort"),
            ("order=up", "order"),
            ("cursor=", "cursor"),
            ("cursor=stars~x~a/b&sort=stars", "cursor"),
            ("cursor=stars~1~..%2Fa&sort=stars", "cursor"),
            ("cursor=stars~99999999999999999999~a/b&sort=stars", "cursor"),
            ("cursor=age~1~a/b&sort=stars", "cursor"),
            ("cursor=name~1~a/b&sort=name", "cursor"),
            // Which order it is of, nobody knows: an older version made it.
            ("cursor=1~a/b&sort=stars", "cursor"),
            // Of a list in another order.
            ("cursor=a/b&sort=stars", "cursor"),
            ("cursor=stars~1~a/b", "cursor"),
            ("cursor=stars~1~a/b&sort=forks", "cursor"),
            ("cursor=scannedAt~1~a/b&sort=stars", "cursor"),
            (&long, "q"),
            ("Limit=1", "Limit"),
            ("%3Cscript%3E=1", "<script>"),
        ] {
            let answer = get(&site, &format!("/api/repos?{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            assert_eq!(answer.problem().0, field, "{query}");
        }
        for (path, field) in [
            ("/api/repos/owner/..", "name"),
            ("/api/repos/owner/a%20b", "name"),
            ("/api/repos//name", "owner"),
        ] {
            let answer = get(&site, path).await;
            assert_eq!(
                (answer.status, answer.problem().0.as_str()),
                (400, field),
                "{path}"
            );
        }
        // What is left empty is not asked for.
        let answer = get(&site, "/api/repos?q=&language=&limit=1").await;
        assert_eq!((answer.status, &answer.body[..]), (200, &b"[]"[..]));
    });
}

#[test]
fn a_repository_comes_with_its_history_by_either_name() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 3).await;
        let site = site(&process, None);
        for name in ["owner/name-000001", "Owner/NAME-000001"] {
            let repository = get(&site, &format!("/api/repos/{name}")).await.json();
            assert_eq!(repository["fullName"], "owner/name-000001");
            assert_eq!(repository["history"][0]["stars"], repository["stars"]);
            assert!(repository["history"][0]["at"].is_i64());
            assert!(repository["analysis"].is_null());
        }
        let answer = get(&site, "/api/repos/owner/other").await;
        assert_eq!(answer.status, 404);
        assert!(answer.problem().1.contains("owner/other"));
    });
}

/// Whatever it is ordered by, and however long a page: each once, none missing.
#[test]
fn who_follows_the_links_sees_each_once() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 230).await;
        let site = site(&process, None);
        for sort in ["name", "stars", "forks", "scannedAt"] {
            for order in ["asc", "desc"] {
                for limit in [1, 7, 229, 230, 231] {
                    if limit == 1 && sort != "stars" {
                        continue;
                    }
                    let mut next =
                        format!("/api/repos?q=NAME&limit={limit}&sort={sort}&order={order}");
                    let (mut seen, mut rows) = (BTreeSet::new(), 0);
                    loop {
                        let answer = get(&site, &next).await;
                        let page = answer.json();
                        for row in page.as_array().unwrap() {
                            rows += 1;
                            seen.insert(row["name"].as_str().unwrap().to_owned());
                        }
                        let Some(link) = answer.header("link") else {
                            break;
                        };
                        let link = link.strip_prefix('<').unwrap();
                        let (url, rest) = link.split_once('>').unwrap();
                        assert_eq!(rest, "; rel=\"next\"");
                        assert_eq!(
                            page.as_array().unwrap().len(),
                            limit,
                            "only the last is shorter"
                        );
                        next = url.to_owned();
                    }
                    assert_eq!((seen.len(), rows), (230, 230), "{sort} {order} {limit}");
                }
            }
        }
    });
}

/// Rows are read as they are sent: a page at a time, and none for a client that has gone.
#[test]
fn thousands_of_rows_are_never_held_whole() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 5_000).await;
        let site = site(&process, None);
        let reads = || {
            let report = process.monitor.report();
            report.operations["db: read repositories"].lifetime.count()
        };
        let before = reads();
        let ask = || {
            let request = Request::builder().uri("/api/repos?sort=stars");
            site.respond(request.body(Empty::<Bytes>::new()).unwrap())
        };
        let response = ask().await;
        assert!(response.headers().get("content-length").is_none());
        let mut body = pin!(response.into_body());
        assert_eq!(reads() - before, 1);
        let (mut text, mut largest, mut sent_when_half_read) = (Vec::new(), 0, 0);
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let data = frame.unwrap().into_data().unwrap();
            largest = largest.max(data.len());
            text.extend_from_slice(&data);
            if reads() - before == 13 && sent_when_half_read == 0 {
                sent_when_half_read = text.len();
            }
        }
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
        assert_eq!(rows.len(), 5_000);
        assert_eq!(reads() - before, 26, "25 pages, and one that is empty");
        let share = text.len() / sent_when_half_read;
        assert!(
            (1..=3).contains(&share),
            "half was read, and 1/{share} was sent"
        );
        assert!(largest < 128 << 10, "{largest} bytes at once");

        // Somebody who leaves.
        let before = reads();
        let mut body = Box::pin(ask().await.into_body());
        body.frame().await.unwrap().unwrap();
        drop(body);
        support::a_moment().await;
        assert!(reads() - before <= 2);
    });
}

#[test]
fn the_status_has_what_the_dashboard_needs() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        let empty = get(&site, "/api/status").await.json();
        assert_eq!(empty["scan"]["state"], "none");
        assert!(empty["business"]["cacheHitRate"].is_null());
        scanned(&process, 4).await;
        process
            .store
            .save_analyses(&[(name(1), "A library.".to_owned())])
            .await
            .unwrap();
        process.timer.advance(std::time::Duration::from_secs(2));
        let status = get(&site, "/api/status").await.json();
        assert_eq!(status["scope"], "process");
        assert_eq!(status["scan"]["scanned"], 4);
        assert_eq!(status["business"]["repositories"], 4);
        assert_eq!(status["business"]["analysed"], 1);
        assert_eq!(status["business"]["repositoriesPerHour"], 4);
        assert_eq!(status["business"]["cacheHitRate"], 0.0);
        for member in [
            "rateLimits",
            "connections",
            "performance",
            "retries",
            "bodies",
            "errors",
            "flags",
        ] {
            assert!(status[member].is_object(), "{member}");
        }
        assert_eq!(
            status["monitor"]["operations"]["db: save"]["lifetime"]["errors"],
            0
        );
        let metrics = String::from_utf8(get(&site, "/metrics").await.body.to_vec()).unwrap();
        for (figure, value) in [
            ("repositories", "4"),
            ("failures", "0"),
            ("analysed", "1"),
            ("repositoriesPerHour", "4"),
            ("apiCallsPerMinute", "4"),
            ("cacheHitRate", "0"),
        ] {
            let line = format!("\ntower_egress_business{{figure=\"{figure}\"}} {value}\n");
            assert!(metrics.contains(&line), "{line} in {metrics}");
        }
    });
}

/// What the database says is for the operator.
#[test]
fn a_database_that_fails_is_told_as_that_and_no_more() {
    use tower_egress::sql::Database;
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        database
            .run("DROP TABLE repositories".into())
            .await
            .unwrap();
        database.run("DROP TABLE scans".into()).await.unwrap();
        for path in ["/api/repos", "/api/repos/a/b", "/api/scan", "/api/status"] {
            let answer = get(&site, path).await;
            assert_eq!(answer.status, 503, "{path}");
            let (_, detail) = answer.problem();
            assert!(!detail.contains("table"), "{detail}");
            let request = Request::builder().uri(path);
            let response = site
                .respond(request.body(Empty::<Bytes>::new()).unwrap())
                .await;
            let cause: &repo_scanner_core::Cause = response.extensions().get().unwrap();
            assert!(cause.0.contains("no such table"), "{}", cause.0);
        }
        // What tells of it does not need it.
        let metrics = get(&site, "/metrics").await;
        assert_eq!(metrics.status, 200);
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        let failed =
            "tower_egress_operation_runs_total{operation=\"db: read scan\",outcome=\"failed\"}";
        assert!(metrics.contains(failed), "{metrics}");
        assert!(!metrics.contains("tower_egress_business"), "{metrics}");
    });
}
