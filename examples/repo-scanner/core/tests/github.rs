//! What GitHub may answer, and what somebody may answer in its place.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use futures_util::stream;
use http::{Request, Response};
use http_body_util::Full;
use repo_scanner_core::{GitHub, Outcome, RepoName, ScanOptions, Scanner, Target};
use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Ready, pending, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tower_egress::{Api, Egress};
use tower_service::Service;

type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Answers as a test says, and writes down what it was asked.
#[derive(Clone)]
struct Server(
    fn(&str, usize) -> http::response::Builder,
    &'static str,
    Asked,
);

impl<B> Service<Request<B>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let uri = request.uri().to_string();
        let tag = request.headers().get("if-none-match");
        let tag = tag.map(|tag| String::from_utf8_lossy(tag.as_bytes()).into_owned());
        let mut asked = self.2.lock().unwrap();
        asked.push((uri.clone(), tag));
        let answer = (self.0)(&uri, asked.len());
        ready(Ok(answer.body(self.1.into()).unwrap()))
    }
}

const A: &str =
    r#"{"id":1,"full_name":"a/b","stargazers_count":1,"forks_count":1,"open_issues_count":0}"#;

const HUGE: &str = r#"{"id":9223372036854775808,"full_name":"a/b","stargazers_count":1,"forks_count":1,"open_issues_count":0}"#;

/// Fetches one repository; returns what became of it, how often was asked, and how many seconds it took.
fn fetched(
    etag: Option<&str>,
    body: &'static str,
    answer: fn(&str, usize) -> http::response::Builder,
) -> (String, usize, u64) {
    let timer = ManualTimer::new();
    let server = Server(answer, body, Arc::default());
    let egress = Egress::builder_on(timer.clone())
        .api(Api::github().without_quota())
        .build();
    let base = "https://api.github.com".parse().unwrap();
    let github =
        GitHub::new(egress.layer(server.clone()), &base).with_token(Some("hunter2".into()));
    let scanner = Scanner::new(github, timer.clone(), ScanOptions::default());
    let mut target = Target::from(RepoName::parse("a/b").unwrap());
    target.etag = etag.map(str::to_owned);
    let kept = RefCell::new(Vec::new());
    let keep = async |outcome: Outcome| {
        kept.borrow_mut().push(outcome);
        Ok::<_, Infallible>(())
    };
    let list = stream::iter([Ok::<_, Infallible>(target)]);
    let start = timer.now();
    let (_, ended) = timer.run(scanner.scan(list, keep, pending()));
    ended.unwrap();
    let became = match &kept.borrow()[..] {
        [Outcome::Scanned(scanned)] => format!("scanned {:?}", scanned.etag),
        [Outcome::Unchanged(_)] => "unchanged".to_owned(),
        [Outcome::Failed(failed)] => failed.reason.clone(),
        other => panic!("{other:?}"),
    };
    let asked = server.2.lock().unwrap().len();
    (became, asked, (timer.now() - start).as_secs())
}

type Answer = fn(&str, usize) -> http::response::Builder;

#[test]
fn whatever_is_answered_has_its_reason_and_ends() {
    let table: [(&str, &str, usize, Answer); 15] = [
        ("", "the server answered 304 Not Modified", 1, |_, _| {
            Response::builder().status(304)
        }),
        (A, "scanned None", 1, |_, _| Response::builder().status(206)),
        (A, "the server answered 300 Multiple Choices", 1, |_, _| {
            Response::builder().status(300)
        }),
        (
            "",
            "the server answered 451 Unavailable For Legal Reasons",
            1,
            |_, _| Response::builder().status(451),
        ),
        (
            "",
            "the server answered 999 <unknown status code>",
            1,
            |_, _| Response::builder().status(999),
        ),
        // That there is a time to come back makes nothing of it that is not there.
        ("", "the server answered 404 Not Found", 1, |_, _| {
            Response::builder().status(404).header("retry-after", "60")
        }),
        ("", "the server answered 403 Forbidden", 1, |_, _| {
            Response::builder().status(403)
        }),
        // Too long for anybody.
        (
            "",
            "the server answered 429 Too Many Requests",
            1,
            |_, _| {
                Response::builder()
                    .status(429)
                    .header("retry-after", "99999999999999999999")
            },
        ),
        // Put off five times, with three retries each.
        (
            "",
            "the server answered 429 Too Many Requests",
            24,
            |_, _| Response::builder().status(429).header("retry-after", "0"),
        ),
        (
            "",
            "the server answered 301 Moved Permanently",
            4,
            |_, _| {
                Response::builder()
                    .status(301)
                    .header("location", "/repos/a/b")
            },
        ),
        (A, "scanned None", 1, |_, _| {
            Response::builder().header("etag", http::HeaderValue::from_bytes(b"\"\xff\"").unwrap())
        }),
        (A, "scanned Some(\"W/\\\"a\\\"\")", 1, |_, _| {
            Response::builder().header("etag", "W/\"a\"")
        }),
        ("[[[[[[[[", "the response is not a repository", 1, |_, _| {
            Response::builder()
        }),
        (HUGE, "the response is not a repository", 1, |_, _| {
            Response::builder()
        }),
        ("", "the response is not a repository", 1, |_, _| {
            Response::builder()
        }),
    ];
    for (body, became, asked, answer) in table {
        let (what, times, _) = fetched(None, body, answer);
        assert_eq!((what.as_str(), times), (became, asked), "{body}");
    }
    let unchanged = fetched(Some("\"x\""), "", |_, _| Response::builder().status(304));
    assert_eq!(unchanged, ("unchanged".to_owned(), 1, 0));
}
