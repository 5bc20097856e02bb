//! Runs the program in a folder of its own.
#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "served.rs"]
pub(crate) mod served;

use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};
use strict_origin::StrictOrigin;

pub(crate) const REPOSITORIES: &str = include_str!("../../../data/repositories.tsv");

/// A folder of a test's own, gone when it is over.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("repo-scanner-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.0.join("scan.db")).unwrap()
    }

    pub(crate) fn rows(&self, query: &str) -> i64 {
        let database = self.database();
        database.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn repo_scanner(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .args(arguments)
        .env_remove("GITHUB_TOKEN")
        .output()
        .unwrap()
}

/// Scans a list at a server, with `arguments` besides.
pub(crate) async fn scan(
    folder: &Folder,
    origin: &StrictOrigin,
    repos: &str,
    arguments: &[&str],
) -> Output {
    scan_without(folder, origin, repos, arguments, None).await
}

/// Does the same with one flag off, by the name of its variable.
pub(crate) async fn scan_without(
    folder: &Folder,
    origin: &StrictOrigin,
    repos: &str,
    arguments: &[&str],
    flag: Option<&'static str>,
) -> Output {
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let arguments: Vec<_> = [
        "scan", "--origin", &url, "--repos", repos, "--db", &db, "--json",
    ]
    .iter()
    .chain(arguments)
    .map(|argument| (*argument).to_owned())
    .collect();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repo-scanner"));
        let command = command.args(arguments).env_remove("GITHUB_TOKEN");
        let off = flag.map(|flag| (format!("REPO_SCANNER_FLAG_{flag}"), "off"));
        command.envs(off).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Runs what blocks beside the test.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}
