//! What a person sees who asks for something that is wrong or does not work.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};
use strict_origin::StrictOrigin;
use support::{Folder, json, repo_scanner, scan};

/// The one line on standard error, and the exit code.
fn complaint(arguments: &[&str]) -> (String, Option<i32>) {
    let output = repo_scanner(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    let line = text.lines().last().unwrap_or_default().to_owned();
    (line, output.status.code())
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
    assert!(!folder.0.join("scan.db").exists(), "nothing was made");
}

/// Runs into something that is wrong with what was asked for: exit code 2, one line, nothing made.
fn refused(arguments: &[&str], token: Option<&str>) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = Folder::new(&format!("refused-{count}"));
    let repos = folder.file("repos", "a/b\n");
    let db = folder.path("scan.db");
    let mut command = Command::new(env!("CARGO_BIN_EXE_repo-scanner"));
    command.args(["scan", "--repos", &repos, "--db", &db]);
    command.args(arguments).env_remove("GITHUB_TOKEN");
    if let Some(token) = token {
        command.env("GITHUB_TOKEN", token);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(!folder.0.join("scan.db").exists());
    text
}

#[test]
fn nothing_that_is_asked_for_goes_unheard() {
    let twice = ["--quota", "github=1/1s", "--quota", "github=2/1s"];
    assert!(refused(&twice, None).contains("--quota github= is given more than once"));
    let other = refused(&["--quota", "anthropic=1/1s"], None);
    assert!(other.contains("--quota anthropic="), "{other}");
    let faults = ["--faults", "0.1", "--origin", "http://127.0.0.1:1"];
    assert!(refused(&faults, None).contains("--faults"));
    let faults = refused(&["--faults", "0.1"], Some("hunter2"));
    assert!(
        faults.contains("--faults") && !faults.contains("hunter2"),
        "{faults}"
    );
    let origin = repo_scanner(&[
        "origin", "--port", "0", twice[0], twice[1], twice[2], twice[3],
    ]);
    assert_eq!(origin.status.code(), Some(2));
}

#[test]
fn a_number_that_is_none_is_refused_in_plain_words() {
    for (arguments, why) in [
        (["--concurrency", "0"], "must be at least 1"),
        (["--concurrency", "99999999999999999999999"], "is too large"),
        (
            ["--quota", "github=10/0s"],
            "the period must be at least 1us",
        ),
        (["--quota", "github=99999999999999/1s"], "is too large"),
        (["--origin", "http://127.0.0.1:99999"], "--origin: its port"),
        (
            ["--origin", "http://127.0.0.1/#here"],
            "--origin: it has a fragment",
        ),
    ] {
        let text = refused(&arguments, None);
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_named_and_not_repeated() {
    for token in [
        "hunter2\n",
        "hunter2\r\nx: y",
        "hunter2 hunter2",
        "hunter2\u{e9}",
    ] {
        let text = refused(&[], Some(token));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("GITHUB_TOKEN") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn an_address_with_secrets_is_refused_and_not_repeated() {
    for origin in [
        "http://me:hunter2@127.0.0.1:1",
        "http://127.0.0.1:1/?token=hunter2",
        "hunter2",
        "ftp://hunter2",
        "http://hunter2 hunter2",
    ] {
        let output = repo_scanner(&["scan", "--origin", origin]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains("--origin") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

/// A quota says what a server permits; how the test server inside counts besides, no other server hears.
#[tokio::test]
async fn what_another_server_does_not_hear_is_told() {
    let folder = Folder::new("unheard");
    let origin = StrictOrigin::builder().start().await.unwrap();
    let repos = folder.file("repos", "a/b\n");
    for (parts, told) in [
        (
            ",jitter=5ms,slack=1ms",
            "unused: jitter= and slack= of --quota",
        ),
        (",jitter=5ms", "unused: jitter= of --quota"),
        (",slack=1ms", "unused: slack= of --quota"),
        (",burst=5,spacing=1ms,concurrent=3", ""),
    ] {
        let quota = format!("github=1000/1s{parts}");
        let output = scan(&folder, &origin, &repos, &["--quota", &quota]).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        let unused: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("unused"))
            .collect();
        assert_eq!(unused.len(), usize::from(!told.is_empty()), "{text}");
        assert!(text.contains(told), "{text}");
    }
    origin.shutdown().await;
    let db = folder.path("inside.db");
    let quota = "github=1000/1s,jitter=5ms,slack=1ms";
    let inside = repo_scanner(&["scan", "--repos", &repos, "--db", &db, "--quota", quota]);
    let text = String::from_utf8(inside.stderr).unwrap();
    assert!(!text.contains("unused"), "{text}");
}

/// What a quota says of requests in flight is kept to, also where more are asked for.
#[tokio::test]
async fn a_quota_with_concurrent_is_kept_to() {
    let folder = Folder::new("concurrent");
    let quota = "github=1000/1s,concurrent=2";
    let origin = StrictOrigin::builder()
        .named_rule(quota.parse().unwrap())
        .start()
        .await
        .unwrap();
    let names: Vec<_> = (0..60).map(|n| format!("owner/name-{n}")).collect();
    let repos = folder.file("repos", &names.join("\n"));
    let arguments = ["--quota", quota, "--concurrency", "6"];
    let report = json(&scan(&folder, &origin, &repos, &arguments).await);
    assert_eq!(report["scanned"], 60, "{report}");
    assert_eq!(report["peak_in_flight"], 2, "{report}");
    assert_eq!(origin.shutdown().await.complaints(), Vec::<String>::new());
}

/// The help says what is asked for by default, in the form in which it is asked for.
#[test]
fn the_help_states_the_quota_that_is_there_by_default() {
    let help = String::from_utf8(repo_scanner(&["scan", "--help"]).stdout).unwrap();
    let stated = |quota| help.contains(&format!("github={quota}"));
    assert!(stated("600/1s,burst=10,spacing=5ms"), "{help}");
    assert!(stated("30/1m,burst=10,spacing=100ms"), "{help}");
}

/// `:memory:` is a file here, because "written to" is what is said of it.
#[test]
fn a_database_is_a_file_whatever_it_is_called() {
    let folder = Folder::new("names");
    let repos = folder.file("repos", "tokio-rs/tokio\n");
    for db in [":memory:", "file:scan.db?mode=memory"] {
        let output = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
            .args(["scan", "--repos", &repos, "--db", db])
            .env_remove("GITHUB_TOKEN")
            .current_dir(&folder.0)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(folder.0.join(db).is_file(), "{db}");
    }
}
