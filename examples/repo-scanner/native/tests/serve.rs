//! The program as a server, as others meet it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
};
use strict_origin::StrictOrigin;
use support::{
    Folder, blocking, repo_scanner,
    served::{Served, ask, read, send},
};

async fn origin(rule: &str) -> StrictOrigin {
    let origin = StrictOrigin::builder().github(rule.parse().unwrap());
    origin.start().await.unwrap()
}

fn list(count: usize) -> String {
    let names: Vec<_> = (0..count).map(|n| format!("owner/name-{n}")).collect();
    serde_json::json!({ "repos": names }).to_string()
}

#[tokio::test]
async fn a_scan_is_asked_for_and_its_repositories_are_there() {
    let folder = Folder::new("served");
    let origin = origin("2000/1s").await;
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    blocking(move || {
        let quota = "github=2000/1s";
        let mut served = Served::start(
            &[
                "--db",
                &db,
                "--origin",
                &url,
                "--quota",
                quota,
                "--analyse",
                "3",
                "--quota",
                "anthropic=100/1s",
            ],
            &[],
        );
        assert_eq!(served.get("/api/scan")["state"], "none");
        let (status, _) = served.ask("POST", "/api/scan", "", &list(120));
        assert_eq!(status, 202);
        served.hear("the scan is done: 120 repositories scanned, 0 failed");
        let scan = served.get("/api/scan");
        assert_eq!(
            (&scan["state"], &scan["scanned"]),
            (&"finished".into(), &120.into())
        );
        // More than 50 rows are streamed.
        assert_eq!(served.get("/api/repos").as_array().unwrap().len(), 120);
        assert_eq!(
            served.get("/api/repos?limit=7").as_array().unwrap().len(),
            7
        );
        served.hear("3 repositories described");
        let best = served.get("/api/repos?sort=stars&order=desc&limit=1");
        assert!(best[0]["analysis"].is_string());
        let status = served.get("/api/status");
        assert_eq!(status["scope"], "process");
        assert!(status["monitor"]["memory"]["limitBytes"].is_u64());
        assert!(status["rateLimits"]["claude"]["departed"] == 3);
        let (status, page) = served.ask("GET", "/", "", "");
        assert!(status == 200 && page.starts_with("<!doctype html>"));
        let (status, body) = served.ask("HEAD", "/api/repos", "", "");
        assert_eq!((status, body.as_str()), (200, ""));
        let evil = "origin: http://evil.example\r\n";
        assert_eq!(served.ask("POST", "/api/scan", evil, "").0, 403);
        served.signal("-INT");
        assert_eq!(served.end(), Some(0), "{}", served.said);
    })
    .await;
    origin.shutdown().await;
}

/// What was asked for is answered, what was fetched is stored, and the rest is done at the next start.
#[tokio::test]
async fn told_to_end_under_load_it_loses_nothing() {
    let folder = Folder::new("terminated");
    let origin = origin("400/1s,burst=50").await;
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let served_scans = blocking(move || {
        let quota = "github=400/1s,burst=50";
        let arguments = ["--db", &db, "--origin", &url, "--quota", quota];
        let mut served = Served::start(&arguments, &[]);
        served.ask("POST", "/api/scan", "", &list(900));
        served.scan_until(|scan| scan["scanned"].as_u64() >= Some(300));
        // Streams that are under way, and a client that never says what it wants.
        let streams: Vec<_> = (0..8)
            .map(|_| send(&served.address, "GET", "/api/repos", "", ""))
            .collect();
        let mut silent = TcpStream::connect(&served.address).unwrap();
        silent.write_all(b"GET /api/st").unwrap();
        // They are under way when the first bytes are there; what nobody has taken yet is refused.
        for stream in &streams {
            stream.peek(&mut [0]).unwrap();
        }
        served.signal("-TERM");
        for stream in streams {
            let (status, body) = read(stream);
            let rows: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(status, 200);
            assert!(rows.as_array().unwrap().len() >= 300);
        }
        drop(silent);
        assert_eq!(served.end(), Some(0), "{}", served.said);
        assert!(
            served.said.contains("what was fetched is stored"),
            "{}",
            served.said
        );
        assert!(TcpStream::connect(&served.address).is_err());

        // It goes on by itself.
        let mut served = Served::start(&arguments, &[]);
        let before = served.get("/api/scan");
        assert!(before["scanned"].as_u64() >= Some(300), "{before}");
        served.hear("the scan is done");
        let scan = served.get("/api/scan");
        assert_eq!(
            (&scan["state"], &scan["scanned"]),
            (&"finished".into(), &900.into())
        );
        assert_eq!(
            (&scan["unchanged"], &scan["failed"]),
            (&0.into(), &0.into())
        );
        served.signal("-TERM");
        served.end()
    });
    assert_eq!(served_scans.await, Some(0));
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 900);
    let score = origin.shutdown().await;
    assert_eq!(score.unique_paths_served, 900);
    // Beyond these only what was given up under way.
    assert!(score.requests <= 900 + 6, "{}", score.requests);
}

/// Nothing can be said in time, so nothing is lost by that: what is stored is not fetched again.
#[tokio::test]
async fn killed_in_the_middle_it_goes_on_when_it_starts_again() {
    let folder = Folder::new("killed");
    let origin = origin("400/1s,burst=50").await;
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    blocking(move || {
        let quota = "github=400/1s,burst=50";
        let arguments = ["--db", &db, "--origin", &url, "--quota", quota];
        let mut served = Served::start(&arguments, &[]);
        served.ask("POST", "/api/scan", "", &list(900));
        for at_least in [150, 400, 650] {
            served.scan_until(|scan| scan["scanned"].as_u64() >= Some(at_least));
            served.signal("-KILL");
            assert_eq!(served.end(), None);
            served = Served::start(&arguments, &[]);
        }
        served.scan_until(|scan| scan["state"] == "finished");
        let scan = served.get("/api/scan");
        assert_eq!(
            (&scan["scanned"], &scan["failed"]),
            (&900.into(), &0.into())
        );
    })
    .await;
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 900);
    assert_eq!(folder.rows("SELECT count(*) FROM metrics"), 900);
    let score = origin.shutdown().await;
    assert_eq!(score.unique_paths_served, 900);
    // Beyond these only what was under way, or on its way into the database.
    assert!(score.requests <= 900 + 3 * 64, "{}", score.requests);
}

#[tokio::test]
async fn a_second_signal_waits_for_nobody() {
    let folder = Folder::new("impatient");
    let db = folder.path("scan.db");
    blocking(move || {
        let mut served = Served::start(&["--db", &db], &[]);
        let mut silent = TcpStream::connect(&served.address).unwrap();
        silent
            .write_all(b"POST /api/scan HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{")
            .unwrap();
        // It has come when those behind it are answered.
        served.get("/api/scan");
        served.signal("-INT");
        served.hear("again ends at once");
        served.signal("-INT");
        assert_eq!(served.end(), Some(130), "{}", served.said);
        assert!(served.said.contains("interrupted twice"), "{}", served.said);
        let mut rest = Vec::new();
        let _ = silent.read_to_end(&mut rest);
    })
    .await;
}

#[test]
fn a_port_that_is_taken_is_one_line_and_nothing_is_made() {
    let folder = Folder::new("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = repo_scanner(&["serve", "--port", &port, "--db", &folder.path("scan.db")]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains(&format!("cannot serve on 127.0.0.1:{port}")),
        "{text}"
    );
    assert!(!folder.0.join("scan.db").exists());
}

/// Without arguments: all of it, and the one line comes after the table.
#[test]
fn a_newcomer_whose_port_is_taken_sees_the_table_and_is_told() {
    let folder = Folder::new("newcomer");
    // Somebody else may have it already.
    let _taken = TcpListener::bind("127.0.0.1:8787");
    let output = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .current_dir(&folder.0)
        .env("GITHUB_TOKEN", "not-for-you")
        .output()
        .unwrap();
    let (table, text) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        table.contains("scanned                         1200"),
        "{table}"
    );
    assert!(
        table.contains("described                         10"),
        "{table}"
    );
    let complaints: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("repo-scanner: "))
        .collect();
    let [complaint] = complaints[..] else {
        panic!("{text}")
    };
    assert!(
        complaint.contains("cannot serve on 127.0.0.1:8787"),
        "{text}"
    );
    let rows = rusqlite::Connection::open(folder.0.join("repo-scanner-demo.db")).unwrap();
    let rows: i64 = rows
        .query_row("SELECT count(*) FROM repositories", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1200);
    let default = folder.0.join("repo-scanner.db");
    assert!(!default.exists(), "that is for what somebody scans");
}

#[tokio::test]
async fn others_are_let_in_with_a_token_only() {
    let folder = Folder::new("public");
    let db = folder.path("scan.db");
    blocking(move || {
        let output = repo_scanner(&["serve", "--port", "0", "--host", "0.0.0.0", "--db", &db]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("--host 0.0.0.0") && text.contains("REPO_SCANNER_TOKEN"),
            "{text}"
        );
        for bad in ["hunter2\n", "hunter 2"] {
            let output = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
                .args(["serve", "--port", "0", "--db", &db])
                .env("REPO_SCANNER_TOKEN", bad)
                .output()
                .unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(
                text.contains("REPO_SCANNER_TOKEN") && !text.contains("hunter"),
                "{text}"
            );
        }
        let token = [("REPO_SCANNER_TOKEN", "hunter2")];
        let mut served = Served::start(&["--host", "0.0.0.0", "--db", &db], &token);
        let port = served.address.rsplit_once(':').unwrap().1.to_owned();
        let address = format!("127.0.0.1:{port}");
        assert_eq!(ask(&address, "GET", "/api/scan", "", "").0, 200);
        assert_eq!(ask(&address, "POST", "/api/scan", "", "").0, 401);
        let right = "authorization: Bearer hunter2\r\n";
        assert_eq!(ask(&address, "POST", "/api/scan", right, &list(1)).0, 202);
        served.signal("-TERM");
        assert_eq!(served.end(), Some(0));
        assert!(!served.said.contains("hunter2"), "{}", served.said);
    })
    .await;
}
