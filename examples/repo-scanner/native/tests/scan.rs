//! The program as a person runs it.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use http::{Response, StatusCode};
use std::{
    io::Write,
    process::{Command, Stdio},
    sync::atomic::Ordering,
    time::Duration,
};
use strict_origin::{Api, Catalogue, FaultPlan, Reply, Script, StrictOrigin};
use support::{Folder, REPOSITORIES, json, repo_scanner, scan};

#[tokio::test]
async fn with_faults_every_repository_is_scanned_or_has_its_reason() {
    let folder = Folder::new("faults");
    let catalogue = Catalogue::from_tsv(REPOSITORIES).unwrap();
    let names: Vec<_> = catalogue.full_names().take(300).collect();
    let origin = StrictOrigin::builder()
        .github("2000/1s".parse().unwrap())
        .catalogue(catalogue)
        .faults(FaultPlan::mixed(3, 0.1).with_wait(Duration::from_millis(50)))
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
                record.store(true, Ordering::SeqCst);
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
    assert!(!seen.load(Ordering::SeqCst));
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

/// A repository that has another name today is kept under the name that was asked for, and each hop to it pays.
#[tokio::test]
async fn renamed_repositories_are_followed_at_the_price_of_each_hop() {
    let folder = Folder::new("renamed");
    // A third more requests than repositories: hops that paid nothing would break this limit.
    let quota = "github=54/1s,burst=5";
    let origin = StrictOrigin::builder()
        .github("60/1s".parse().unwrap())
        .catalogue(Catalogue::from_tsv(REPOSITORIES).unwrap())
        .renamed(0.3)
        .start()
        .await
        .unwrap();
    let names: Vec<_> = REPOSITORIES.lines().skip(1).take(80).collect();
    let repos = folder.file("repos.tsv", &names.join("\n"));
    let output = scan(&folder, &origin, &repos, &["--quota", quota]).await;
    let report = json(&output);
    assert_eq!(
        (&report["scanned"], &report["failed"]),
        (&80.into(), &0.into())
    );
    let score = origin.shutdown().await;
    assert_eq!(score.complaints(), Vec::<String>::new());
    let hops = score.by_status[&301];
    assert!((10..=40).contains(&hops), "{hops}");
    assert_eq!(score.requests, 80 + hops);
    assert_eq!(report["requests"], score.requests);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 80);
    let renamed =
        folder.rows("SELECT count(*) FROM repositories WHERE full_name = name || '-renamed'");
    assert_eq!(u64::try_from(renamed), Ok(hops));
}

#[tokio::test]
async fn redirections_elsewhere_and_in_circles_end() {
    let folder = Folder::new("redirections");
    let origin = StrictOrigin::builder()
        .handler(|request| {
            let to = match request.uri().path() {
                "/repos/a/elsewhere" => "https://example.com/repos/a/b",
                other => other,
            };
            let moved = Response::builder().status(StatusCode::MOVED_PERMANENTLY);
            Some(moved.header("location", to).body(Bytes::new()).unwrap())
        })
        .start()
        .await
        .unwrap();
    let repos = folder.file("repos", "a/elsewhere\na/circle\n");
    let output = scan(&folder, &origin, &repos, &[]).await;
    assert_eq!(output.status.code(), Some(1), "nothing could be scanned");
    let report = json(&output);
    let reason = "the server answered 301 Moved Permanently";
    assert_eq!(report["failures"][reason], 2, "{report}");
    assert_eq!(origin.shutdown().await.requests, 1 + 4);
}

/// What the server puts off, with a time, is asked for again when all retries of the stack are used up.
#[tokio::test]
async fn a_repository_that_is_put_off_again_and_again_is_scanned_in_the_end() {
    let folder = Folder::new("put-off");
    let wait = Duration::from_millis(50);
    let later = Reply::new(StatusCode::TOO_MANY_REQUESTS)
        .header("retry-after-ms", "50")
        .wait(wait);
    let spent = Reply::new(StatusCode::TOO_MANY_REQUESTS)
        .header("retry-after-ms", "50")
        .header("x-should-retry", "false");
    let origin = StrictOrigin::builder()
        .script(
            Script::new()
                // Four attempts of the stack, and another four.
                .on("/repos/a/busy", vec![later; 8])
                .on("/repos/a/spent", vec![spent; 8]),
        )
        .start()
        .await
        .unwrap();
    let repos = folder.file("repos", "a/busy\na/spent\n");
    let output = scan(&folder, &origin, &repos, &[]).await;
    let report = json(&output);
    assert_eq!(report["scanned"], 1, "{report}");
    let reason = "the server answered 429 Too Many Requests";
    assert_eq!(report["failures"][reason], 1, "{report}");
    let score = origin.shutdown().await;
    assert_eq!(score.requests, 9 + 1, "what is final is asked for once");
    assert_eq!(score.api(Api::Github).early_retries, 0, "{score}");
}

/// A failure is forgotten under the name that it is known by.
#[tokio::test]
async fn a_repository_that_is_found_later_under_another_name_has_failed_no_more() {
    let folder = Folder::new("failures");
    let repos = folder.file("repos", "a/b\nc/d\n");
    let without = Catalogue::from_tsv("c/d\n").unwrap();
    let with = Catalogue::from_tsv("a/b\nc/d\n").unwrap();
    for (catalogue, renamed, failures) in [(without, 0.0, 1), (with, 1.0, 0)] {
        let origin = StrictOrigin::builder().catalogue(catalogue);
        let origin = origin.renamed(renamed).start().await.unwrap();
        let output = scan(&folder, &origin, &repos, &[]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        origin.shutdown().await;
        let failed = folder.rows("SELECT count(*) FROM failures");
        assert_eq!(failed, failures);
    }
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 2);
    let found =
        "SELECT count(*) FROM repositories WHERE name = 'a/b' AND full_name = 'a/b-renamed'";
    assert_eq!(folder.rows(found), 1);
}

/// A database of before a scan knew that names change is taken over with its rows.
#[tokio::test]
async fn an_older_database_is_taken_over() {
    let folder = Folder::new("older");
    let older = "
        CREATE TABLE repositories (
            full_name TEXT PRIMARY KEY, id INTEGER NOT NULL, description TEXT, language TEXT,
            stars INTEGER NOT NULL, forks INTEGER NOT NULL, open_issues INTEGER NOT NULL,
            topics TEXT NOT NULL, pushed_at TEXT, scanned_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
        ) STRICT;
        CREATE TABLE failures (
            full_name TEXT PRIMARY KEY, reason TEXT NOT NULL,
            failed_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
        ) STRICT;
        INSERT INTO repositories (full_name, id, stars, forks, open_issues, topics)
            VALUES ('x/y', 1, 2, 3, 4, '');
        INSERT INTO failures (full_name, reason) VALUES ('a/b', 'once upon a time');
    ";
    folder.database().execute_batch(older).unwrap();
    let origin = StrictOrigin::builder().start().await.unwrap();
    let repos = folder.file("repos", "a/b\n");
    for _ in 0..2 {
        let output = scan(&folder, &origin, &repos, &[]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 2);
        assert_eq!(folder.rows("SELECT count(*) FROM failures"), 0);
        let kept = "SELECT stars FROM repositories WHERE name = 'x/y' AND full_name = 'x/y'";
        assert_eq!(folder.rows(kept), 2);
    }
    origin.shutdown().await;
}

/// "Scanned" is what is in the database, not what was on its way there.
#[tokio::test]
async fn what_could_not_be_written_was_not_scanned() {
    let folder = Folder::new("unwritten");
    let origin = StrictOrigin::builder().start().await.unwrap();
    let first = folder.file("first", "a/first\n");
    let output = scan(&folder, &origin, &first, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let trigger = "
        CREATE TRIGGER refuse BEFORE INSERT ON repositories WHEN NEW.name = 'a/name-60'
        BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
    ";
    folder.database().execute_batch(trigger).unwrap();
    let names: Vec<_> = (0..200).map(|n| format!("a/name-{n}")).collect();
    let repos = folder.file("repos", &names.join("\n"));
    let quota = ["--quota", "github=1000/1s"];
    let output = scan(&folder, &origin, &repos, &quota).await;
    origin.shutdown().await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("the disk is full"), "{text}");
    let written = folder.rows("SELECT count(*) FROM repositories") - 1;
    assert!((1..199).contains(&written), "{written}");
    assert_eq!(json(&output)["scanned"], written);
}

/// A list from a pipe can be read once.
#[cfg(unix)]
#[tokio::test]
async fn a_list_can_come_from_a_pipe() {
    let folder = Folder::new("pipe");
    let origin = StrictOrigin::builder().start().await.unwrap();
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let piped = |list: &'static str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
            .args(["scan", "--origin", &url, "--repos", "/dev/stdin"])
            .args(["--db", &db, "--json"])
            .env_remove("GITHUB_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(list.as_bytes()).unwrap();
        drop(stdin);
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
    };
    let output = piped("full_name\tcrate\na/b\tb\n# no\nc/d\ne/f")
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(json(&output)["scanned"], 3);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 3);
    for (list, why) in [
        ("", "no repository in it"),
        ("# nothing\n\n", "no repository in it"),
        ("a/b\nnot one\n", "line 2"),
    ] {
        let output = piped(list).await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(why), "{text}");
    }
    assert_eq!(origin.shutdown().await.requests, 3);
}

/// The database of another program is noticed before anything is fetched, and left as it is.
#[tokio::test]
async fn a_foreign_database_is_refused_before_anything_is_fetched() {
    let origin = StrictOrigin::builder().start().await.unwrap();
    for (name, tables, why) in [
        (
            "foreign",
            "CREATE TABLE repositories (id INTEGER, url TEXT)",
            "\"repositories\" has no column \"name\"",
        ),
        (
            "half",
            "CREATE TABLE repositories (full_name TEXT, url TEXT);
             CREATE TABLE failures (full_name TEXT, reason TEXT, failed_at TEXT)",
            "no such column",
        ),
        (
            "failures",
            "CREATE TABLE failures (what TEXT)",
            "\"failures\" has no column \"name\"",
        ),
        (
            "keyless",
            "CREATE TABLE failures (name TEXT, reason TEXT, failed_at TEXT)",
            "take no row: ON CONFLICT",
        ),
        (
            "view",
            "CREATE VIEW repositories AS SELECT 1 AS name",
            "\"repositories\"",
        ),
    ] {
        let folder = Folder::new(name);
        folder.database().execute_batch(tables).unwrap();
        let before = std::fs::read(folder.path("scan.db")).unwrap();
        let repos = folder.file("repos", "a/b\n");
        let output = scan(&folder, &origin, &repos, &[]).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("scan.db") && text.contains(why), "{text}");
        let after = std::fs::read(folder.path("scan.db")).unwrap();
        assert!(before == after, "{name}: it is another one now");
    }
    assert_eq!(origin.shutdown().await.requests, 0);
}

/// "Written to" is said of what was written.
#[tokio::test]
async fn a_table_says_written_when_it_was() {
    let folder = Folder::new("written");
    let origin = StrictOrigin::builder().start().await.unwrap();
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let repos = folder.file("repos", "a/b\n");
    for refused in [false, true] {
        let arguments = ["scan", "--origin", &url, "--db", &db, "--repos", &repos];
        let mut command = Command::new(env!("CARGO_BIN_EXE_repo-scanner"));
        command.args(arguments).env_remove("GITHUB_TOKEN");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let table = String::from_utf8_lossy(&output.stdout);
        assert_eq!(table.contains("written to"), !refused, "{table}");
        assert_eq!(output.status.code(), Some(i32::from(refused)));
        // What is as it was is noted as well, in the row that is there.
        let trigger = "
            CREATE TRIGGER IF NOT EXISTS refuse BEFORE INSERT ON repositories WHEN NEW.name = 'a/b'
            BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
            CREATE TRIGGER IF NOT EXISTS refuse_too BEFORE UPDATE ON repositories WHEN NEW.name = 'a/b'
            BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
        ";
        folder.database().execute_batch(trigger).unwrap();
    }
    origin.shutdown().await;
}
