//! The table of the README: each optimisation on and off, from one command.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::collections::BTreeMap;
use support::{blocking, repo_scanner};

/// The cells of the rows of a table, by the heading of their column.
fn table(text: &str) -> Vec<BTreeMap<String, String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = text.lines().skip_while(|line| !line.starts_with('|'));
    let heading = cells(lines.next().unwrap());
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells = cells(line);
        assert_eq!(cells.len(), heading.len(), "{line}");
        heading.iter().cloned().zip(cells).collect()
    };
    rows.map(row).collect()
}

fn count(row: &BTreeMap<String, String>, column: &str) -> u64 {
    row[column].parse().unwrap()
}

#[tokio::test]
async fn measured_improvement() {
    let output = blocking(|| repo_scanner(&["measure", "--repositories", "180", "--rows", "2000"]));
    let output = output.await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (verdicts, scans) = text
        .split_once("\n180 repositories; the server permits 600")
        .unwrap();

    let verdicts = table(verdicts);
    let of = |flag: &str| {
        let flag = format!("`{flag}`");
        let row = verdicts.iter().find(|row| row["optimisation"] == flag);
        row.unwrap_or_else(|| panic!("{flag}: {text}"))
    };
    for flag in ["connectionLimit", "rateLimit"] {
        let row = of(flag);
        assert!(count(row, "without it") > 0, "{text}");
    }
    assert!(
        count(of("retries"), "without it") > count(of("retries"), "with it"),
        "{text}"
    );
    assert!(
        count(of("cleanup"), "without it") > count(of("cleanup"), "with it"),
        "{text}"
    );
    for flag in ["batching", "streaming", "monitoring"] {
        of(flag);
    }

    // Each alone, and all together; rules are broken where nothing keeps to them, and nowhere else.
    let strict = table(scans);
    let names: Vec<&str> = strict.iter().map(|row| row[""].as_str()).collect();
    let expected = [
        "all on",
        "without connectionLimit",
        "without rateLimit",
        "without retries",
        "without cleanup",
        "without batching",
        "without streaming",
        "without monitoring",
        "all off",
    ];
    assert_eq!(names, expected);
    for row in &strict {
        let broken =
            count(row, "above a limit") + count(row, "too close") + count(row, "too early");
        let keeps = !["without rateLimit", "all off"].contains(&row[""].as_str());
        assert_eq!(broken == 0, keeps, "{row:?}");
        assert_eq!(count(row, "not scanned"), 0, "{row:?}");
        assert!(count(row, "requests") >= 180, "{row:?}");
        let is_watched = !["without monitoring", "all off"].contains(&row[""].as_str());
        assert_eq!(row["transactions"] != "–", is_watched, "{row:?}");
        if row[""] == "without batching" {
            assert_eq!(count(row, "transactions"), 180);
        }
    }
    for line in text.lines().filter(|line| line.starts_with("| all on")) {
        assert_eq!(line.split('|').nth(4).map(str::trim), Some("0"), "{line}");
    }
}

#[test]
fn the_help_says_what_it_does() {
    let output = repo_scanner(&["measure", "--help"]);
    let help = String::from_utf8(output.stdout).unwrap();
    for what in ["--repositories", "--rows", "Markdown", "without it"] {
        assert!(help.contains(what), "{what}: {help}");
    }
    for bad in ["0", "59", "x", "-1", "99999999"] {
        let output = repo_scanner(&["measure", "--repositories", bad]);
        assert_eq!(output.status.code(), Some(2), "{bad}");
    }
}
