//! What no client should ask, and some do.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use support::{Process, ask, get, scanned, site, with_database};

#[test]
fn head_has_no_body_whatever_the_answer() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 3).await;
        let site = site(&process, None);
        for path in [
            "/",
            "/nothing",
            "/metrics",
            "/api/repos",
            "/api/repos?limit=2",
            "/api/repos?limit=0",
            "/api/repos/owner/name-000001",
            "/api/repos/a/b",
            "/api/repos/a/~",
            "/api/scan",
            "/api/status",
            "/api/openapi.json",
        ] {
            let head = ask(&site, "HEAD", path, &[], "").await;
            assert!(head.body.is_empty(), "{path}");
            let get = get(&site, path).await;
            assert_eq!(head.status, get.status, "{path}");
            assert_eq!(
                head.header("content-type"),
                get.header("content-type"),
                "{path}"
            );
            assert_eq!(head.header("link"), get.header("link"), "{path}");
        }
    });
}

#[test]
fn what_is_written_with_percents_is_what_it_stands_for() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 5).await;
        let site = site(&process, None);
        for same in [
            "owner/name-000001",
            "owner/name%2D000001",
            "%6fwner/name-00000%31",
        ] {
            let answer = get(&site, &format!("/api/repos/{same}")).await;
            assert_eq!(answer.status, 200, "{same}");
            assert_eq!(answer.json()["name"], "owner/name-000001");
        }
        // Who writes the parameter so follows the link all the same.
        let page = get(&site, "/api/repos?limit=2&%63ursor=owner/name-000001").await;
        let next = page.header("link").unwrap();
        let next = next.split(['<', '>']).nth(1).unwrap();
        let names = get(&site, next).await.json();
        assert_eq!(names[0]["name"], "owner/name-000004", "{next}");
    });
}

#[test]
fn a_path_names_the_part_that_is_wrong() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        for (path, field) in [
            ("~/name", "owner"),
            ("..%2F../name", "owner"),
            ("a%2Fb/c", "owner"),
            ("%ff/name", "owner"),
            ("%/name", "owner"),
            ("owner/~", "name"),
            ("owner/..", "name"),
            ("owner/%00", "name"),
        ] {
            let answer = get(&site, &format!("/api/repos/{path}")).await;
            assert_eq!(
                (answer.status, answer.problem().0.as_str()),
                (400, field),
                "{path}"
            );
        }
    });
}

#[test]
fn a_text_with_odd_characters_is_searched_for_as_it_is() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 3).await;
        let site = site(&process, None);
        for q in ["%00", "%25", "_", "*", "%27", "%22", "%ff", "%F0%9F%A6%80"] {
            let answer = get(&site, &format!("/api/repos?q={q}")).await;
            assert_eq!(answer.status, 200, "{q}");
            assert_eq!(answer.json(), serde_json::json!([]), "{q}");
        }
    });
}

/// The list that the program ships with was scanned, or what stood in a list of lists.
#[test]
fn what_only_looks_like_a_wish_begins_nothing() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let site = site(&process, None);
        for (body, field) in [
            (r#"{"repos": null}"#, "repos"),
            (r#"[["a/b"]]"#, "body"),
            ("[null]", "body"),
            ("null", "body"),
            (r#"{"repos": ["a/b"], "repos": ["c/d"]}"#, "repos"),
        ] {
            let answer = ask(&site, "POST", "/api/scan", &[], body).await;
            assert_eq!(answer.status, 400, "{body}");
            assert_eq!(answer.problem().0, field, "{body}");
        }
        assert_eq!(get(&site, "/api/scan").await.json()["state"], "none");
    });
}
