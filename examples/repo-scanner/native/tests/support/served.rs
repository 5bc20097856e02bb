//! The program as a server.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

/// A server that is running. It is killed if a test fails.
pub(crate) struct Served {
    child: Child,
    stderr: BufReader<ChildStderr>,
    pub(crate) address: String,
    /// What it has said.
    pub(crate) said: String,
}

impl Served {
    /// Starts it on a port that is free.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
            .args(["serve", "--port", "0"])
            .args(arguments)
            .env_remove("GITHUB_TOKEN")
            .env_remove("REPO_SCANNER_TOKEN")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut served = Self {
            child,
            stderr,
            address: String::new(),
            said: String::new(),
        };
        served.hear("dashboard and API at http://");
        let (_, address) = served.said.rsplit_once("http://").unwrap();
        served.address = address.split(';').next().unwrap().to_owned();
        served
    }

    /// Waits until it says something.
    pub(crate) fn hear(&mut self, what: &str) {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it has ended: {}", self.said);
            self.said += &line;
            if line.contains(what) {
                return;
            }
        }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        ask(&self.address, method, path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "", "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until the scan is as it should be.
    pub(crate) fn scan_until(&self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let scan = self.get("/api/scan");
            if is(&scan) {
                return scan;
            }
            std::thread::yield_now();
        }
    }

    /// What it has held at most, in bytes, where the system tells.
    pub(crate) fn peak_rss(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(killed.success());
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim().strip_suffix(" kB").unwrap();
        peak.parse::<u64>().unwrap() * 1024
    }

    /// Waits for its end; returns its exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        self.stderr.read_to_string(&mut self.said).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens a connection and asks for something.
pub(crate) fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Reads an answer to its end: its status, and its body, of chunks or not.
pub(crate) fn read(mut stream: TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if !head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        return (status, body.to_owned());
    }
    let (mut whole, mut rest) = (String::new(), body);
    loop {
        let (size, after) = rest.split_once("\r\n").expect("the stream broke off");
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (status, whole);
        }
        whole += &after[..size];
        rest = &after[size + 2..];
    }
}

pub(crate) fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String) {
    read(send(address, method, path, headers, body))
}
