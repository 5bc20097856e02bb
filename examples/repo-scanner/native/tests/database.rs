//! Databases that are there already.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use strict_origin::StrictOrigin;
use support::{Folder, json, scan};

/// The last layout before this one, as the program left it: in WAL mode.
const BEFORE: &str = "
    PRAGMA journal_mode = wal;
    CREATE TABLE repositories (
        name TEXT PRIMARY KEY, full_name TEXT NOT NULL, id INTEGER NOT NULL, description TEXT, language TEXT,
        stars INTEGER NOT NULL, forks INTEGER NOT NULL, open_issues INTEGER NOT NULL, topics TEXT NOT NULL,
        pushed_at TEXT, scanned_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) STRICT;
    CREATE TABLE failures (
        name TEXT PRIMARY KEY, reason TEXT NOT NULL, failed_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) STRICT;
    INSERT INTO repositories VALUES
        ('x/y', 'x/z', 9007199254740993, 'says \"hi\"', 'Rust', 2, 3, 4, 'http,\"q\",async', '2026-01-01T00:00:00Z', '2026-02-03 04:05:06'),
        ('x/w', 'x/w', 1, NULL, NULL, 5, 6, 7, '', NULL, 'never');
    INSERT INTO failures VALUES ('a/gone', 'the server answered 404 Not Found', '2026-02-03 04:05:06');
";

fn taken_over(folder: &Folder) {
    let moment = 1_770_091_506_000_i64;
    let kept = format!(
        "SELECT count(*) FROM repositories WHERE name = 'x/y' AND full_name = 'x/z' AND id = 9007199254740993
         AND description = 'says \"hi\"' AND language = 'Rust' AND stars = 2 AND forks = 3 AND open_issues = 4
         AND topics = '[\"http\",\"\\\"q\\\"\",\"async\"]' AND pushed_at = '2026-01-01T00:00:00Z'
         AND scanned_at = {moment} AND etag IS NULL AND analysis IS NULL"
    );
    assert_eq!(folder.rows(&kept), 1);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories WHERE name = 'x/w' AND topics = '[]' AND scanned_at = 0"), 1);
    assert_eq!(
        folder.rows(&format!(
            "SELECT count(*) FROM metrics WHERE name = 'x/y' AND taken_at = {moment} AND stars = 2"
        )),
        1
    );
    assert_eq!(
        folder.rows(&format!(
            "SELECT count(*) FROM failures WHERE name = 'a/gone' AND failed_at = {moment}"
        )),
        1
    );
    assert_eq!(
        folder.rows("SELECT count(*) FROM sqlite_master WHERE name LIKE '%_before'"),
        0
    );
}

#[tokio::test]
async fn the_last_layout_is_taken_over_with_its_rows_and_dates() {
    let folder = Folder::new("last-layout");
    folder.database().execute_batch(BEFORE).unwrap();
    let origin = StrictOrigin::builder().start().await.unwrap();
    let repos = folder.file("repos", "a/b\n");
    for unchanged in [0, 1] {
        let output = scan(&folder, &origin, &repos, &[]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(json(&output)["unchanged"], unchanged);
        taken_over(&folder);
    }
    origin.shutdown().await;
}

/// Whatever was done when it crashed, the rows are in one place or the other.
#[tokio::test]
async fn what_a_crash_left_set_aside_is_taken_over() {
    let folder = Folder::new("set-aside");
    let aside = "
        ALTER TABLE repositories RENAME TO repositories_before;
        ALTER TABLE failures RENAME TO failures_before;
    ";
    folder.database().execute_batch(BEFORE).unwrap();
    folder.database().execute_batch(aside).unwrap();
    let origin = StrictOrigin::builder().start().await.unwrap();
    let repos = folder.file("repos", "a/b\n");
    let output = scan(&folder, &origin, &repos, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    taken_over(&folder);
    origin.shutdown().await;
}

/// More of what is not ours; see scan.rs.
#[tokio::test]
async fn what_is_not_ours_is_refused_in_one_line_and_left_as_it_is() {
    let origin = StrictOrigin::builder().start().await.unwrap();
    let looks_alike = BEFORE.replace("stars INTEGER NOT NULL", "stars INTEGER");
    let looks_alike = looks_alike.replace("PRAGMA journal_mode = wal;", "");
    // Its rows do not fit.
    let looks_alike = format!("{looks_alike} UPDATE repositories SET stars = NULL;");
    for (name, tables, why) in [
        ("users", "CREATE TABLE users (id INTEGER)", "\"users\" is not ours"),
        ("beside", "CREATE TABLE repositories (name TEXT); CREATE TABLE metrics (name TEXT)", "\"metrics\" is not ours"),
        ("alike", &looks_alike, "take no row: NOT NULL"),
        (
            "migrated",
            "CREATE TABLE egress_migrations (position INTEGER PRIMARY KEY, name TEXT, checksum TEXT, applied_at TEXT);
             INSERT INTO egress_migrations VALUES (0, '0001_users', 'x', '')",
            "\"0001_users\" is not known here",
        ),
    ] {
        let folder = Folder::new(&format!("not-ours-{name}"));
        folder.database().execute_batch(tables).unwrap();
        let before = std::fs::read(folder.path("scan.db")).unwrap();
        let repos = folder.file("repos", "a/b\n");
        let output = scan(&folder, &origin, &repos, &[]).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("scan.db") && text.contains(why), "{text}");
        assert!(before == std::fs::read(folder.path("scan.db")).unwrap(), "{name}: it is another one now");
    }
    let folder = Folder::new("not-ours-text");
    let text = "This is no database, and long enough to be looked at. ".repeat(100);
    folder.file("scan.db", &text);
    let repos = folder.file("repos", "a/b\n");
    let output = scan(&folder, &origin, &repos, &[]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), said.lines().count()),
        (Some(1), 1),
        "{said}"
    );
    assert!(said.contains("not a database"), "{said}");
    assert_eq!(
        std::fs::read_to_string(folder.path("scan.db")).unwrap(),
        text
    );
    assert_eq!(origin.shutdown().await.requests, 0);
}
