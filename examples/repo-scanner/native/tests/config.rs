//! Settings from a file and from the environment.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::process::Command;
use support::{Folder, blocking, repo_scanner, served::Served};

#[test]
fn a_wrong_file_is_one_line_that_names_what_is_wrong() {
    let folder = Folder::new("wrong");
    let db = folder.path("scan.db");
    for (text, why) in [
        ("", "EOF"),
        ("{", "line 1"),
        ("[]", "it is a list"),
        (r#"{"prot": 1}"#, "`prot`"),
        ("{\n\"port\": 99999}", "99999"),
        (r#"{"port": "80"}"#, "line 1 column"),
        (r#"{"concurrency": 0}"#, "nonzero"),
        (
            r#"{"quota": "github=0/1s"}"#,
            "the limit must be at least 1",
        ),
        (r#"{"quota": 7}"#, "expected a quota"),
        (
            r#"{"quota": ["github=1/1s", "github=2/1s"]}"#,
            "more than once",
        ),
        (r#"{"host": "example.com"}"#, "IP address"),
        (r#"{"host": "0.0.0.0"}"#, "REPO_SCANNER_TOKEN"),
        (
            r#"{"origin": "http://me:hunter2@127.0.0.1:1"}"#,
            "a password",
        ),
        (r#"{"flags": {"retires": false}}"#, "\"retires\"; there are"),
        (r#"{"flags": {"retries": 200}}"#, "200"),
        (r#"{"flags": {"retries": "off"}}"#, "line 1 column"),
    ] {
        let config = folder.file("config.json", text);
        let output = repo_scanner(&["serve", "--port", "0", "--db", &db, "--config", &config]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert_eq!(said.lines().count(), 1, "{text}: {said}");
        assert!(
            said.contains(why) && !said.contains("hunter2"),
            "{text}: {said}"
        );
    }
    let missing = folder.path("missing.json");
    let output = repo_scanner(&["serve", "--config", &missing]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("missing.json") && said.lines().count() == 1,
        "{said}"
    );
    assert!(!folder.0.join("scan.db").exists(), "nothing was made");
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value, why) in [
        (
            "REPO_SCANNER_FLAG_RETRIES",
            "sometimes",
            "REPO_SCANNER_FLAG_RETRIES",
        ),
        ("REPO_SCANNER_FLAG_RETIRES", "on", "there are"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
            .args(["serve", "--port", "0"])
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.lines().count() == 1, "{said}");
    }
}

#[tokio::test]
async fn flags_are_read_again_and_a_bad_file_changes_nothing() {
    let folder = Folder::new("flags");
    let db = folder.path("scan.db");
    let write = |text: &str| folder.file("config.json", text);
    let first = serde_json::json!({
        "db": db, "concurrency": 3, "quota": ["github=100/1s", "anthropic=10/1s"], "analyse": 1,
        "flags": {"retries": false, "connectionLimit": 50, "streaming": false},
    });
    let config = write(&first.to_string());
    let served = blocking(move || {
        let variables = [
            ("REPO_SCANNER_FLAG_CONNECTION_LIMIT", "25%"),
            ("REPO_SCANNER_FLAG_BATCHING", "off"),
        ];
        Served::start(&["--config", &config, "--concurrency", "4"], &variables)
    });
    let mut served = served.await;
    let status = served.get("/api/status");
    assert_eq!(status["connections"]["limit"], 4, "the command line wins");
    assert_eq!(status["rateLimits"]["github"]["maxTokens"], 100);
    let percent =
        |served: &Served, flag: &str| served.get("/api/status")["flags"][flag]["percent"].as_f64();
    assert_eq!(percent(&served, "retries"), Some(0.0));
    assert_eq!(
        percent(&served, "connectionLimit"),
        Some(25.0),
        "the environment wins"
    );
    assert_eq!(percent(&served, "timeouts"), Some(100.0));
    for (flag, expected) in [("batching", 0.0), ("streaming", 0.0), ("monitoring", 100.0)] {
        assert_eq!(percent(&served, flag), Some(expected), "{flag}");
    }

    write(r#"{"flags": {"timeouts": 10}}"#);
    served.signal("-HUP");
    served.hear("flags are as");
    assert_eq!(percent(&served, "retries"), Some(100.0));
    assert_eq!(percent(&served, "timeouts").map(f64::round), Some(10.0));

    for (bad, why) in [
        (r#"{"flags": {"timeouts": "#, "line 1"),
        (r#"{"flags": {"nothing": 1}}"#, "\"nothing\""),
    ] {
        write(bad);
        served.signal("-HUP");
        served.hear(why);
        assert!(
            served.said.contains("flags stay as they were"),
            "{}",
            served.said
        );
        assert_eq!(percent(&served, "timeouts").map(f64::round), Some(10.0));
    }
    let refused = served.get("/api/status")["flags"]["$refused"].clone();
    assert!(
        refused.as_str().unwrap().contains("\"nothing\""),
        "{refused}"
    );
    served.signal("-TERM");
    assert_eq!(served.end(), Some(0));
    assert!(folder.0.join("scan.db").exists(), "the file says where");
}
