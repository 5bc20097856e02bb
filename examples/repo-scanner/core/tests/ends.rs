//! How a scan ends before its time, in virtual time: soon, whatever others were told to wait for.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use futures_util::stream;
use http::{Request, Response};
use http_body_util::Full;
use repo_scanner_core::{GitHub, Outcome, RepoName, ScanOptions, Scanner, Stopped, Summary};
use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, Ready, pending, ready},
    io,
    task::{Context, Poll},
    time::Duration,
};
use tower_egress::{Api, Egress, SleepUntil};
use tower_service::Service;

const REPOSITORY: &str =
    r#"{"id":1,"full_name":"a/b","stargazers_count":1,"forks_count":1,"open_issues_count":0}"#;

/// What the server does about the request for the repository of this number.
#[derive(Clone, Copy)]
enum Answer {
    Well,
    InAnHour,
    Refused,
    Unauthorized,
}

#[derive(Clone)]
struct Server(fn(usize) -> Answer);

impl<B> Service<Request<B>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let number = request.uri().path().rsplit('/').next().unwrap();
        ready(match (self.0)(number.parse().unwrap()) {
            Answer::Well => Ok(Response::new(REPOSITORY.into())),
            Answer::InAnHour => {
                let later = Response::builder()
                    .status(503)
                    .header("retry-after", "3600");
                Ok(later.body(Full::default()).unwrap())
            }
            Answer::Unauthorized => {
                let no = Response::builder().status(401);
                Ok(no.body(Full::default()).unwrap())
            }
            Answer::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
        })
    }
}

/// Scans so many; returns how it ended, and when.
fn scan<K>(
    timer: &ManualTimer,
    count: usize,
    answer: fn(usize) -> Answer,
    keep: impl AsyncFn(Outcome) -> Result<(), K>,
    stop: impl Future<Output = ()>,
) -> (Summary, Result<(), Stopped<Infallible, K>>, Duration) {
    let egress = Egress::builder_on(timer.clone())
        .otherwise(Api::external().without_quota())
        .queue_timeout(None)
        .build();
    let base = "http://example.com".parse().unwrap();
    let github = GitHub::new(egress.layer(Server(answer)), &base);
    let scanner = Scanner::new(github, timer.clone(), ScanOptions::default());
    let names = (0..count)
        .map(|number| Ok::<_, Infallible>(RepoName::parse(&format!("a/{number}")).unwrap()));
    let started = timer.now();
    let (summary, ended) = timer.run(scanner.scan(stream::iter(names), keep, stop));
    (summary, ended, timer.now() - started)
}

async fn sleep(timer: &ManualTimer, seconds: u64) {
    let until = timer.now() + Duration::from_secs(seconds);
    SleepUntil::new(timer.clone(), until).await;
}

#[test]
fn a_database_that_is_gone_ends_the_scan_although_others_wait_for_an_hour() {
    let timer = ManualTimer::new();
    let answer = |number| match number {
        15 => Answer::Well,
        _ => Answer::InAnHour,
    };
    let keep = async |_: Outcome| Err("the database is gone");
    let (_, ended, took) = scan(&timer, 1000, answer, keep, pending());
    assert!(matches!(ended, Err(Stopped::Keep("the database is gone"))));
    assert!(took < Duration::from_secs(60), "it took {took:?}");
}

#[test]
fn a_server_that_is_gone_ends_the_scan_although_others_wait_for_an_hour() {
    let timer = ManualTimer::new();
    let answer = |number| match number {
        0..8 => Answer::InAnHour,
        _ => Answer::Refused,
    };
    let keep = async |_: Outcome| Ok::<_, Infallible>(());
    let (_, ended, took) = scan(&timer, 1000, answer, keep, pending());
    assert!(matches!(ended, Err(Stopped::ServerGone { .. })));
    assert!(took < Duration::from_secs(60), "it took {took:?}");
}

#[test]
fn who_is_told_to_end_when_all_is_fetched_was_not_interrupted() {
    let timer = ManualTimer::new();
    let keep = async |_: Outcome| {
        sleep(&timer, 2).await;
        Ok::<_, Infallible>(())
    };
    let (summary, ended, _) = scan(&timer, 3, |_| Answer::Well, keep, sleep(&timer, 1));
    assert_eq!(summary.scanned, 3);
    assert!(ended.is_ok(), "{ended:?}");
}

/// Each attempt to go on cost 24 repositories while the server was away: they had failed, and were done with.
#[test]
fn what_nobody_answered_for_is_still_to_do_when_the_server_is_gone() {
    let timer = ManualTimer::new();
    let kept = RefCell::new(Vec::new());
    let keep = async |outcome: Outcome| {
        kept.borrow_mut().push(outcome);
        Ok::<_, Infallible>(())
    };
    let (summary, ended, _) = scan(&timer, 1000, |_| Answer::Refused, keep, pending());
    assert!(matches!(
        ended,
        Err(Stopped::ServerGone { failures: 24, .. })
    ));
    // One has failed, so that a scan gets on whose next 24 are what the server does not answer for.
    assert_eq!((summary.failed, kept.borrow().len()), (1, 1));
}

#[test]
fn failures_in_a_row_are_those_of_the_repositories_when_the_server_answers_for_others() {
    let keep = async |_: Outcome| Ok::<_, Infallible>(());
    // Before the others, after them, among them, and the only one.
    let answers: [fn(usize) -> Answer; 4] = [
        |number| {
            if number < 20 {
                Answer::Refused
            } else {
                Answer::Well
            }
        },
        |number| {
            if number < 180 {
                Answer::Well
            } else {
                Answer::Refused
            }
        },
        |number| {
            if number % 2 == 0 {
                Answer::Well
            } else {
                Answer::Refused
            }
        },
        |_| Answer::Refused,
    ];
    for (answer, (count, failed)) in
        answers
            .into_iter()
            .zip([(200, 20), (200, 20), (200, 100), (1, 1)])
    {
        let timer = ManualTimer::new();
        let (summary, ended, _) = scan(&timer, count, answer, keep, pending());
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(
            (summary.failed, summary.scanned),
            (failed, count as u64 - failed)
        );
    }
}

/// A slice of twenty was done with when the server was away, and the next one began.
#[test]
fn a_server_that_answers_for_none_of_a_short_list_is_gone() {
    for count in [2, 20] {
        let timer = ManualTimer::new();
        let keep = async |_: Outcome| Ok::<_, Infallible>(());
        let (summary, ended, _) = scan(&timer, count, |_| Answer::Refused, keep, pending());
        assert!(matches!(ended, Err(Stopped::ServerGone { failures, .. }) if failures == count));
        assert_eq!(summary.failed, 1);
    }
}

/// A token that had expired was shown to the server once for each repository, and then all of them had failed.
#[test]
fn a_token_that_is_refused_is_refused_for_all() {
    let timer = ManualTimer::new();
    let keep = async |_: Outcome| Ok::<_, Infallible>(());
    let (summary, ended, _) = scan(&timer, 1000, |_| Answer::Unauthorized, keep, pending());
    let Err(Stopped::ServerGone { last, .. }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(last, "the server answered 401 Unauthorized");
    assert_eq!(summary.failed, 1);
}
