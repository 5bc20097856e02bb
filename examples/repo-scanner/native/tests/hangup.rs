//! SIGHUP while the program starts.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};
use support::Folder;

/// It ended the program: the handler was there only when all the rest was.
#[test]
fn a_hangup_while_it_starts_is_heeded_when_it_has() {
    let folder = Folder::new("hangup");
    let file = folder.file("settings.json", r#"{"flags": {"retries": false}}"#);
    // It waits for whoever writes.
    let database = folder.database();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let mut child = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .args(["serve", "--port", &address.port().to_string()])
        .args(["--db", &folder.path("scan.db"), "--config", &file])
        .env_remove("GITHUB_TOKEN")
        .env_remove("REPO_SCANNER_TOKEN")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while TcpStream::connect(address).is_err() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    let signal = |signal: &str| {
        let killed = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(killed.success());
    };
    signal("-HUP");
    database.execute_batch("ROLLBACK").unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    for line in lines {
        let line = line.unwrap();
        said += &format!("{line}\n");
        if line.contains("flags are as") {
            signal("-TERM");
        }
    }
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(0), "{said}");
    assert!(said.contains("flags are as"), "{said}");
}
