//! Beginning and ending scans over HTTP.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use repo_scanner_core::Slice;
use std::future::pending;
use support::{Process, ask, get, site, with_database};

const LIST: &str = r#"{"repos": ["a/b", "c/d", "nobody/e"]}"#;

#[test]
fn a_scan_is_begun_joined_worked_on_and_told_of() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        assert_eq!(get(&site, "/api/scan").await.json()["state"], "none");
        let begun = ask(&site, "POST", "/api/scan", &[], LIST).await;
        assert_eq!(begun.status, 202);
        let scan = begun.json();
        assert_eq!((&scan["total"], &scan["remaining"]), (&3.into(), &3.into()));
        let joined = ask(&site, "POST", "/api/scan", &[], LIST).await;
        assert_eq!((joined.status, &joined.json()["id"]), (202, &scan["id"]));
        for other in [r#"{"repos": ["a/b"]}"#, "", "{}"] {
            let refused = ask(&site, "POST", "/api/scan", &[], other).await;
            assert_eq!(refused.status, 409, "{other}");
            assert!(refused.problem().1.contains("DELETE"));
        }
        let work = process.scans.work(Slice::default(), |_| {}, pending());
        work.await.unwrap().unwrap();
        let done = get(&site, "/api/scan").await.json();
        assert_eq!(done["state"], "finished");
        assert_eq!((&done["scanned"], &done["failed"]), (&2.into(), &1.into()));
        assert_eq!(done["reasons"]["the server answered 404 Not Found"], 1);
        assert!(done["finishedAt"].is_i64() && done["leftMs"].is_null());
        // Without a list it is the one that the program ships with.
        let begun = ask(&site, "POST", "/api/scan", &[], " \n").await;
        assert_eq!(begun.json()["total"], 1200);
        let ended = ask(&site, "DELETE", "/api/scan", &[], "").await;
        assert_eq!(
            (ended.status, &ended.json()["state"]),
            (202, &"interrupted".into())
        );
        // To end what has ended is no mistake.
        assert_eq!(ask(&site, "DELETE", "/api/scan", &[], "").await.status, 202);
        assert_eq!(
            get(&site, "/api/repos")
                .await
                .json()
                .as_array()
                .unwrap()
                .len(),
            2
        );
    });
}

#[test]
fn a_body_that_is_wrong_names_the_member() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        for (body, field) in [
            ("{", "body"),
            ("repos", "body"),
            ("[]", "body"),
            ("\"a/b\"", "body"),
            (r#"{"repo": ["a/b"]}"#, "repo"),
            (r#"{"repos": "a/b"}"#, "repos"),
            (r#"{"repos": []}"#, "repos"),
            (r#"{"repos": ["a/b", 7]}"#, "repos[1]"),
            (r#"{"repos": ["a/b", "c"]}"#, "repos[1]"),
            (r#"{"repos": ["../../etc/passwd"]}"#, "repos[0]"),
        ] {
            let answer = ask(&site, "POST", "/api/scan", &[], body).await;
            assert_eq!(
                (answer.status, answer.problem().0.as_str()),
                (400, field),
                "{body}"
            );
        }
        let large = format!(r#"{{"repos": ["a/b"]{}}}"#, " ".repeat(8 << 20));
        let answer = ask(&site, "POST", "/api/scan", &[], &large).await;
        assert_eq!(answer.status, 413);
        assert_eq!(get(&site, "/api/scan").await.json()["state"], "none");
    });
}

#[test]
fn writing_takes_the_token_that_is_configured() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, Some("hunter2"));
        for method in ["POST", "DELETE"] {
            for wrong in [
                &[][..],
                &["authorization: Bearer hunter"],
                &["authorization: Bearer hunter22"],
                &["authorization: Basic hunter2"],
                &["authorization: hunter2"],
                &["authorization: Bearer"],
                &["authorization: Bearer "],
            ] {
                let answer = ask(&site, method, "/api/scan", wrong, "").await;
                assert_eq!(answer.status, 401, "{wrong:?}");
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                assert!(!answer.problem().1.contains("hunter2"));
            }
            for right in [
                "authorization: Bearer hunter2",
                "authorization: bearer  hunter2 ",
            ] {
                let answer = ask(&site, method, "/api/scan", &[right], "").await;
                assert_eq!(answer.status, 202, "{right}");
            }
        }
        assert_eq!(
            get(&site, "/api/scan").await.status,
            200,
            "reading takes none"
        );
        assert!(!format!("{site:?}").contains("hunter2"));
    });
}

/// A page of another site can let a browser send requests here, and a name can be made to mean this machine.
#[test]
fn without_a_token_only_this_machine_may_write_and_no_page_of_another_site() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        for refused in [
            &["host: 127.0.0.1:8787", "origin: http://evil.example"][..],
            &["host: 127.0.0.1:8787", "origin: null"],
            &["host: 127.0.0.1:8787", "origin: http://127.0.0.1:1"],
            &["host: localhost", "sec-fetch-site: cross-site"],
            &["host: localhost", "sec-fetch-site: same-site"],
            &["host: evil.example"],
            &["host: evil.example", "origin: http://evil.example"],
            &["host: 127.0.0.1.evil.example"],
            &["host: 10.0.0.1"],
            &["host: localhost", "host: evil.example"],
        ] {
            for method in ["POST", "DELETE"] {
                let answer = ask(&site, method, "/api/scan", refused, "").await;
                assert_eq!(answer.status, 403, "{refused:?}");
                answer.problem();
            }
        }
        let there = ask(
            &site,
            "DELETE",
            "http://evil.example/api/scan",
            &["host: localhost"],
            "",
        );
        assert_eq!(there.await.status, 403);
        for allowed in [
            &[][..],
            &["host: 127.0.0.1:8787"],
            &["host: 127.0.0.1:8787", "origin: http://127.0.0.1:8787"],
            &[
                "host: LOCALHOST:8787",
                "origin: http://localhost:8787",
                "sec-fetch-site: same-origin",
            ],
            &["host: [::1]:8787"],
            &["host: 127.8.8.8"],
        ] {
            let answer = ask(&site, "DELETE", "/api/scan", allowed, "").await;
            assert_eq!(answer.status, 202, "{allowed:?}");
        }
    });
}
