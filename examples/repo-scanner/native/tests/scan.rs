//! The program as a person runs it.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};
use strict_origin::{Api, Catalogue, FaultPlan, StrictOrigin};

const REPOSITORIES: &str = include_str!("../../data/repositories.tsv");

/// A folder of a test's own, gone when it is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("repo-scanner-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    fn rows(&self, query: &str) -> i64 {
        let database = rusqlite::Connection::open(self.0.join("scan.db")).unwrap();
        database.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn repo_scanner(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .args(arguments)
        .env_remove("GITHUB_TOKEN")
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The one line on standard error, and the exit code.
fn complaint(arguments: &[&str]) -> (String, Option<i32>) {
    let output = repo_scanner(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    let line = text.lines().last().unwrap_or_default().to_owned();
    (line, output.status.code())
}

#[tokio::test]
async fn twelve_hundred_repositories_break_no_rule_and_none_is_lost() {
    let folder = Folder::new("all");
    let origin = StrictOrigin::builder()
        .github("600/1s,burst=10,spacing=5ms".parse().unwrap())
        .catalogue(Catalogue::from_tsv(REPOSITORIES).unwrap())
        .start()
        .await
        .unwrap();
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let repos = folder.file("repos.tsv", REPOSITORIES);
    let output = tokio::task::spawn_blocking(move || {
        repo_scanner(&[
            "scan",
            "--origin",
            &url,
            "--repos",
            &repos,
            "--db",
            &db,
            "--quota",
            "github=600/1s,burst=10,spacing=5ms",
            "--json",
        ])
    });
    let output = output.await.unwrap();
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["scanned"], 1200);
    assert_eq!(report["failed"], 0);
    assert_eq!(
        report["peak_in_flight"].as_u64().unwrap().min(6),
        report["peak_in_flight"].as_u64().unwrap()
    );
    let memory = report["peak_rss_bytes"].as_u64().unwrap();
    assert!(memory < 100 << 20, "{memory} bytes");
    let score = origin.shutdown().await;
    assert_eq!(score.complaints(), Vec::<String>::new());
    assert_eq!(score.unique_paths_served, 1200);
    assert!(score.peak_waiting_for_headers <= 6);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 1200);
}

#[tokio::test]
async fn with_faults_every_repository_is_scanned_or_has_its_reason() {
    let folder = Folder::new("faults");
    let catalogue = Catalogue::from_tsv(REPOSITORIES).unwrap();
    let names: Vec<_> = catalogue.full_names().take(300).collect();
    let origin = StrictOrigin::builder()
        .github("2000/1s".parse().unwrap())
        .catalogue(catalogue)
        .faults(FaultPlan::mixed(3, 0.1).with_wait(std::time::Duration::from_millis(50)))
        .start()
        .await
        .unwrap();
    let repos = folder.file(
        "repos",
        &format!("{}\nno/such-repository\n", names.join("\n")),
    );
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let output = tokio::task::spawn_blocking(move || {
        repo_scanner(&[
            "scan",
            "--origin",
            &url,
            "--repos",
            &repos,
            "--db",
            &db,
            "--quota",
            "github=1900/1s,burst=50",
            "--json",
        ])
    });
    let report = json(&output.await.unwrap());
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("scanned") + count("failed"), 301, "{report}");
    assert!(
        report["failures"]["the server answered 404 Not Found"].as_u64() >= Some(1),
        "{report}"
    );
    assert!(count("retries") > 0);
    let score = origin.shutdown().await;
    let github = score.api(Api::Github);
    assert_eq!((github.over_limit, github.early_retries), (0, 0), "{score}");
    let kept =
        folder.rows("SELECT (SELECT count(*) FROM repositories) + (SELECT count(*) FROM failures)");
    assert_eq!(kept, 301);
}

#[test]
fn without_a_server_it_starts_its_own_and_prints_a_table() {
    let folder = Folder::new("inside");
    let repos = folder.file("repos", "tokio-rs/tokio\nhyperium/hyper\n");
    let db = folder.path("scan.db");
    let output = repo_scanner(&["scan", "--repos", &repos, "--db", &db]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in ["scanned", "throttled by the server", "peak memory", "P95"] {
        assert!(table.contains(line), "{table}");
    }
}

/// A token in the environment goes to GitHub and to no other server.
#[tokio::test]
async fn a_token_that_lies_around_is_sent_to_no_other_server() {
    let folder = Folder::new("token");
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let record = std::sync::Arc::clone(&seen);
    let origin = StrictOrigin::builder()
        .handler(move |request| {
            if request.headers().contains_key("authorization") {
                record.store(true, std::sync::atomic::Ordering::SeqCst);
            }
            None
        })
        .start()
        .await
        .unwrap();
    let repos = folder.file("repos", "tokio-rs/tokio\n");
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let output = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
            .args(["scan", "--origin", &url, "--repos", &repos, "--db", &db])
            .env("GITHUB_TOKEN", "not-for-you")
            .output()
    });
    let output = output.await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(origin.shutdown().await.requests, 1);
    assert!(!seen.load(std::sync::atomic::Ordering::SeqCst));
}

#[test]
fn bad_usage_is_one_line_that_names_it_and_exit_code_2() {
    let folder = Folder::new("usage");
    let bad = folder.file("bad", "tokio-rs/tokio\nnot a repository\n");
    let db = folder.path("scan.db");
    let (line, code) = complaint(&["scan", "--repos", &bad, "--db", &db]);
    assert_eq!(code, Some(2), "{line}");
    assert!(
        line.contains("line 2") && line.contains("not a repository"),
        "{line}"
    );
    let empty = folder.file("empty", "# nothing\n");
    let (line, code) = complaint(&["scan", "--repos", &empty, "--db", &db]);
    assert_eq!(code, Some(2), "{line}");
    let missing = folder.path("missing");
    let (line, code) = complaint(&["scan", "--repos", &missing, "--db", &db]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("missing"), "{line}");
    for quota in [
        "github=0/1s",
        "github=1/0s",
        "gitlab=1/1s",
        "github=5/1s,burst=6",
    ] {
        let output = repo_scanner(&["scan", "--quota", quota]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{quota}: {text}");
        assert!(text.contains(quota), "{text}");
    }
    assert!(!folder.0.join("scan.db").exists(), "nothing was made");
}

#[test]
fn what_does_not_work_is_one_line_that_names_it_and_exit_code_1() {
    let folder = Folder::new("failure");
    let repos = folder.file("repos", "tokio-rs/tokio\n");
    let nowhere = folder.path("no/such/folder/scan.db");
    let (line, code) = complaint(&["scan", "--repos", &repos, "--db", &nowhere]);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("no/such/folder/scan.db"), "{line}");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let db = folder.path("scan.db");
    let (line, code) = complaint(&["scan", "--repos", &repos, "--db", &db, "--origin", &url]);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains(&url), "{line}");
}

/// What was scanned before the server went away is kept.
#[tokio::test]
async fn a_server_that_goes_away_stops_the_scan_and_loses_nothing() {
    let folder = Folder::new("gone");
    let origin = StrictOrigin::builder()
        .github("100/1s".parse().unwrap())
        .start()
        .await
        .unwrap();
    let names: Vec<_> = (0..400).map(|n| format!("owner/name-{n}")).collect();
    let repos = folder.file("repos", &names.join("\n"));
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let scan = tokio::task::spawn_blocking(move || {
        repo_scanner(&[
            "scan",
            "--origin",
            &url,
            "--repos",
            &repos,
            "--db",
            &db,
            "--quota",
            "github=90/1s,burst=5",
            "--json",
        ])
    });
    while origin.score().requests < 60 {
        tokio::task::yield_now().await;
    }
    // What it had written in full when it went is fewer than what it had answered.
    let answered = origin.shutdown().await.requests;
    let output = scan.await.unwrap();
    let report = json(&output);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("in a row"), "{text}");
    let scanned = report["scanned"].as_u64().unwrap();
    assert!(
        scanned >= 50 && scanned <= answered,
        "{scanned} of {answered}"
    );
    let kept = folder.rows("SELECT count(*) FROM repositories");
    assert_eq!(u64::try_from(kept), Ok(scanned), "what was scanned is kept");
}
