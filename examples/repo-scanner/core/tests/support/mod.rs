//! Scans of a server in memory, into a database in memory.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

#[path = "switched.rs"]
pub(crate) mod switched;

use bytes::Bytes;
use egress_time::ManualTimer;
use http::{Request, Response, StatusCode, header::IF_NONE_MATCH};
use http_body_util::Full;
use repo_scanner_core::{GitHub, Job, RepoName, ScanOptions, Scanner, Scans, Store, Web};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tower_egress::{
    Api, Egress, EgressService, NoExecutor,
    monitor::Monitor,
    sql::{Database, sqlite::Sqlite},
};
use tower_service::Service;

/// A server of which every repository exists, but those of the owner `nobody`. It takes a moment, and counts.
#[derive(Clone, Default)]
pub(crate) struct Server {
    asked: Arc<Mutex<BTreeMap<String, u32>>>,
    /// Part of each entity tag: another one, and all have changed.
    pub(crate) version: Arc<Mutex<u32>>,
}

impl Server {
    /// How often each path was asked for.
    pub(crate) fn asked(&self) -> BTreeMap<String, u32> {
        self.asked.lock().unwrap().clone()
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        *self.asked.lock().unwrap().entry(path.clone()).or_default() += 1;
        let name = path.trim_start_matches("/repos/");
        let tag = format!("\"{}\"", self.version.lock().unwrap());
        let known = request.headers().get(IF_NONE_MATCH);
        let mut response = Response::builder().header("etag", &tag);
        if name.starts_with("nobody/") {
            response = response.status(StatusCode::NOT_FOUND);
        } else if known.is_some_and(|known| known == tag.as_str()) {
            response = response.status(StatusCode::NOT_MODIFIED);
        } else {
            let body = format!(
                r#"{{"id":1,"full_name":"{name}","stargazers_count":{},"forks_count":1,"open_issues_count":0,"language":"Rust"}}"#,
                name.len()
            );
            return response.body(body.into()).unwrap();
        }
        response.body(Full::default()).unwrap()
    }
}

impl<B> Service<Request<B>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.answer(&request);
        Box::pin(async move {
            a_moment().await;
            Ok(answer)
        })
    }
}

/// Is ready when it is polled again.
pub(crate) async fn a_moment() {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(crate) type Client = EgressService<Server, Full<Bytes>, ManualTimer>;
pub(crate) type TestStore = Store<Sqlite, ManualTimer>;
pub(crate) type TestScans = Scans<Client, Sqlite, ManualTimer>;

/// What a process has. SQLite has a thread of its own, which virtual time does not know: it stands still here.
pub(crate) struct Process {
    pub(crate) timer: ManualTimer,
    pub(crate) egress: Egress<ManualTimer>,
    pub(crate) monitor: Monitor<ManualTimer>,
    pub(crate) store: TestStore,
    pub(crate) scans: TestScans,
}

impl Process {
    pub(crate) async fn start(database: &Sqlite, server: &Server) -> Self {
        let timer = ManualTimer::new();
        let monitor = Monitor::new(timer.clone());
        let store = Store::open(database.clone(), timer.clone(), monitor.clone());
        let store = store.await.unwrap();
        let egress = Egress::builder_on(timer.clone())
            .otherwise(Api::external().without_quota())
            .queue_timeout(None)
            .build();
        let base = "http://example.com".parse().unwrap();
        let github = GitHub::new(egress.layer(server.clone()), &base);
        let scanner = Scanner::new(github, timer.clone(), ScanOptions::default());
        let job = Job::new(scanner, store.clone(), timer.clone()).with_batch_wait(Duration::ZERO);
        let scans = Scans::new(job, store.clone(), timer.clone());
        Self {
            timer,
            egress,
            monitor,
            store,
            scans,
        }
    }
}

/// Runs a test with an empty database and a server.
pub(crate) fn with_database<F: Future>(test: impl FnOnce(Sqlite, Server) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let database = Sqlite::open_in_memory().await.unwrap();
        test(database, Server::default()).await
    })
}

pub(crate) fn name(n: usize) -> RepoName {
    RepoName::parse(&format!("owner/name-{n:06}")).unwrap()
}

pub(crate) fn names(count: usize) -> impl Iterator<Item = Result<RepoName, Infallible>> {
    (0..count).map(|n| Ok(name(n)))
}

pub(crate) type Site = Web<Client, Sqlite, ManualTimer, NoExecutor>;

/// The site of a process.
pub(crate) fn site(process: &Process, token: Option<&str>) -> Site {
    Web {
        scans: process.scans.clone(),
        egress: process.egress.clone(),
        monitor: process.monitor.clone(),
        scope: repo_scanner_core::Scope::Process,
        token: token.map(str::to_owned),
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Which field a problem names, and what it says.
    pub(crate) fn problem(&self) -> (String, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], "about:blank");
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        let text = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
        (text("field"), text("detail"))
    }
}

/// Asks the site; `headers` are lines of `name: value`.
pub(crate) async fn ask<D: Database + Clone>(
    site: &Web<Client, D, ManualTimer, NoExecutor>,
    method: &str,
    uri: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let body = Full::<Bytes>::from(body.to_owned());
    respond(site, request.body(body).unwrap()).await
}

/// Sends the site any request.
pub(crate) async fn respond<D: Database + Clone>(
    site: &Web<Client, D, ManualTimer, NoExecutor>,
    request: Request<impl http_body::Body<Error: Into<tower_egress::BoxError>>>,
) -> Answer {
    use http_body_util::BodyExt;
    let response = site.respond(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    }
}

pub(crate) async fn get<D: Database + Clone>(
    site: &Web<Client, D, ManualTimer, NoExecutor>,
    uri: &str,
) -> Answer {
    ask(site, "GET", uri, &[], "").await
}

/// Scans so many, so that they are there.
pub(crate) async fn scanned(process: &Process, count: usize) {
    process.scans.begin("list", names(count)).await.unwrap();
    let work = process.scans.work(
        repo_scanner_core::Slice::default(),
        |_| {},
        std::future::pending(),
    );
    work.await.unwrap().unwrap();
}
