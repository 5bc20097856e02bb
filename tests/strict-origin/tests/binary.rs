//! The command line.
#![allow(clippy::unwrap_used, reason = "what helps a test fails with it")]
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

const BINARY: &str = env!("CARGO_BIN_EXE_strict-origin");

fn refused(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// Ends the process also if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn wrong_usage_is_one_clear_line_and_exit_code_2() {
    for arguments in [
        &["--nonsense"][..],
        &["--github", "600"],
        &["--github", "0/1s"],
        &["--external", "5/1s,burst=6"],
        &["--faults", "2"],
        &["--faults", "nonsense=0.1"],
        &["--port", "99999"],
        &["--host", "0.0.0.0"],
        &["--catalogue", "/no/such/file"],
        &["--refuse"],
        &["--header-slots", "0"],
        &["--on", "/anything"],
        &["--on", "/anything=nonsense"],
        &["--on", "/anything=200,1000"],
    ] {
        let output = refused(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
        assert!(text.starts_with("error: "), "{arguments:?}: {text}");
    }
}

#[test]
fn help_is_no_error() {
    let output = refused(&["--help"]);
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("--github")
    );
}

#[test]
fn the_url_comes_first_and_the_score_last() {
    let catalogue = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/repo-scanner/data/repositories.tsv"
    );
    let arguments = [
        "--presets",
        "--github",
        "1/1m",
        "--faults",
        "0",
        "--seed",
        "7",
        "--catalogue",
        catalogue,
    ];
    let child = Command::new(BINARY)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut output = BufReader::new(running.0.stdout.take().unwrap());
    let mut url = String::new();
    output.read_line(&mut url).unwrap();
    let address = url.trim().strip_prefix("http://").unwrap().to_owned();
    for path in [
        "/repos/alexheretic/glyph-brush",
        "/repos/alexheretic/glyph-brush",
    ] {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: o\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    let interrupted = Command::new("kill")
        .args(["-INT", &running.0.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    let mut table = String::new();
    output.read_to_string(&mut table).unwrap();
    assert!(running.0.wait().unwrap().success());
    assert!(table.contains("github-search"), "{table}");
    assert!(
        table.contains("github: 1 requests above the limit of a window"),
        "{table}"
    );
}
