//! A scan in virtual time, at a server that does not do as it should.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use futures_util::stream;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use repo_scanner_core::{GitHub, Outcome, RepoName, ScanOptions, Scanner, Stopped, Summary};
use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    future::{Future, pending},
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tower_egress::{Api, Egress, SleepUntil};
use tower_service::Service;

const REPOSITORY: &str =
    r#"{"id":1,"full_name":"a/b","stargazers_count":1,"forks_count":1,"open_issues_count":0}"#;

/// What the server does about a request.
#[derive(Clone, Copy)]
enum Answer {
    Well,
    Silence,
    /// Headers, and then a byte a second.
    Drip,
    /// Headers, and then nothing.
    Stall,
    BreakOff,
    /// 17 MiB; `true` where it says so.
    Large(bool),
}

#[derive(Clone)]
struct Server {
    timer: ManualTimer,
    answer: fn(usize) -> Answer,
    asked: Arc<Mutex<usize>>,
}

impl Server {
    fn new(timer: &ManualTimer, answer: fn(usize) -> Answer) -> Self {
        let (timer, asked) = (timer.clone(), Arc::default());
        Self {
            timer,
            answer,
            asked,
        }
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

impl<B> Service<Request<B>> for Server {
    type Response = Response<Reply>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, io::Error>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut asked = self.asked.lock().unwrap();
        let answer = (self.answer)(*asked);
        *asked += 1;
        let timer = self.timer.clone();
        Box::pin(async move {
            let reply = match answer {
                Answer::Silence => pending().await,
                Answer::Well => Reply::of([REPOSITORY.into()], End::Eof),
                Answer::Stall => Reply::of(["{".into()], End::Never),
                Answer::Drip => Reply::of([], End::Drip(Box::pin(second(timer)))),
                Answer::BreakOff => Reply::of(["{".into()], End::Broken),
                Answer::Large(stated) => {
                    let mebibyte = Bytes::from(vec![b' '; 1 << 20]);
                    let mut reply = Reply::of(std::iter::repeat_n(mebibyte, 17), End::Eof);
                    reply.stated = stated.then_some(17 << 20);
                    reply
                }
            };
            Ok(Response::new(reply))
        })
    }
}

async fn second(timer: ManualTimer) -> ManualTimer {
    let until = timer.now() + Duration::from_secs(1);
    SleepUntil::new(timer.clone(), until).await;
    timer
}

struct Reply {
    frames: VecDeque<Bytes>,
    stated: Option<u64>,
    end: End,
}

enum End {
    Eof,
    Broken,
    Never,
    Drip(Pin<Box<dyn Future<Output = ManualTimer>>>),
}

impl Reply {
    fn of(frames: impl IntoIterator<Item = Bytes>, end: End) -> Self {
        Self {
            frames: frames.into_iter().collect(),
            stated: None,
            end,
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(data) = self.frames.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut self.end {
            End::Eof => Poll::Ready(None),
            End::Broken => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            End::Never => Poll::Pending,
            End::Drip(next) => next.as_mut().poll(cx).map(|timer| {
                self.end = End::Drip(Box::pin(second(timer)));
                Some(Ok(Frame::data(Bytes::from_static(b" "))))
            }),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.stated.map(SizeHint::with_exact).unwrap_or_default()
    }
}

type Ended = Result<(), Stopped<Infallible, Infallible>>;

/// Scans so many repositories; returns what came of it, and how many seconds it took.
fn scan(
    timer: &ManualTimer,
    server: &Server,
    count: usize,
    stop: impl Future<Output = ()>,
) -> (Summary, Ended, u64) {
    let egress = Egress::builder_on(timer.clone())
        .otherwise(Api::external().without_quota())
        .attempt_covers_body()
        .queue_timeout(None)
        .build();
    let base = "http://example.com".parse().unwrap();
    let github = GitHub::new(egress.layer(server.clone()), &base);
    let scanner = Scanner::new(github, timer.clone(), ScanOptions::default());
    let names =
        (0..count).map(|n| Ok::<_, Infallible>(RepoName::parse(&format!("a/{n}")).unwrap()));
    let kept = RefCell::new(0);
    let keep = async |_: Outcome| {
        *kept.borrow_mut() += 1;
        Ok(())
    };
    let started = timer.now();
    let (summary, ended) = timer.run(scanner.scan(stream::iter(names), keep, stop));
    assert_eq!(summary.scanned + summary.failed, *kept.borrow());
    (summary, ended, (timer.now() - started).as_secs())
}

/// One repository at a server that always answers the same: why it failed, how often it was asked for, how long it took.
fn always(answer: fn(usize) -> Answer) -> (String, usize, u64) {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, answer);
    let (summary, ended, seconds) = scan(&timer, &server, 1, pending());
    ended.unwrap();
    let (reason, _) = summary.reasons.first_key_value().unwrap();
    (reason.clone(), server.asked(), seconds)
}

#[test]
fn a_response_that_does_not_end_is_asked_for_three_times() {
    let (broke_off, too_long) = ("the response broke off", "the response took too long");
    assert_eq!(always(|_| Answer::BreakOff), (broke_off.to_owned(), 3, 0));
    assert_eq!(always(|_| Answer::Stall), (too_long.to_owned(), 3, 90));
    assert_eq!(always(|_| Answer::Drip), (too_long.to_owned(), 3, 90));
}

#[test]
fn a_response_that_stalls_once_is_had_in_the_end() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, |asked| match asked {
        0 => Answer::Stall,
        _ => Answer::Well,
    });
    let (summary, ended, _) = scan(&timer, &server, 1, pending());
    ended.unwrap();
    assert_eq!((summary.scanned, server.asked()), (1, 2));
}

#[test]
fn a_response_that_is_too_large_is_asked_for_once_and_called_that() {
    let too_large = ("the response is too large".to_owned(), 1, 0);
    assert_eq!(always(|_| Answer::Large(true)), too_large);
    assert_eq!(always(|_| Answer::Large(false)), too_large);
}

#[test]
fn a_server_that_falls_silent_or_stalls_for_good_stops_the_scan() {
    let silent: fn(usize) -> Answer = |asked| match asked {
        0..30 => Answer::Well,
        _ => Answer::Silence,
    };
    for answer in [silent, |_| Answer::Stall] {
        let timer = ManualTimer::new();
        let server = Server::new(&timer, answer);
        let (summary, ended, seconds) = scan(&timer, &server, 1000, pending());
        let Err(Stopped::ServerGone { failures, .. }) = ended else {
            panic!("{ended:?}");
        };
        assert_eq!(failures, 24);
        // The others are still to do: that nobody answered says nothing of them.
        assert_eq!(summary.failed, 1, "{summary:?}");
        assert!(seconds < 1200, "{seconds} s");
    }
}

#[test]
fn a_scan_that_is_told_to_end_does_so_at_once_and_keeps_what_it_has() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, |asked| match asked {
        0..30 => Answer::Well,
        _ => Answer::Silence,
    });
    let stop = async {
        second(timer.clone()).await;
    };
    let (summary, ended, seconds) = scan(&timer, &server, 1000, stop);
    assert!(matches!(ended, Err(Stopped::Interrupted)), "{ended:?}");
    assert_eq!((summary.scanned, summary.failed, seconds), (30, 0, 1));
}
