use super::*;
use crate::{asked::Asked, flags, target::Target};
use bytes::Bytes;
use http_body_util::StreamBody;
use repo_scanner_core::RepoName;
use std::{
    convert::Infallible,
    fs,
    path::PathBuf,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower_egress::{
    Clock, SleepUntil,
    sql::{Database, Statement},
};

/// A folder of a test's own, gone when it is over.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn program(name: &str) -> (Folder, Program) {
    let folder = format!("repo-scanner-http-{name}-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(folder));
    fs::create_dir_all(&folder.0).unwrap();
    let asked = Asked::nothing();
    let target = Target::of(&asked).await.unwrap();
    let flags = flags::new(&Default::default()).unwrap();
    let db = folder.0.join("scan.db");
    let program = Program::new(&asked, &target, &db, flags).await.unwrap();
    target.leave().await;
    (folder, program)
}

/// A search without a hit, of a hundred times as many repositories as there are anywhere.
fn slow() -> Statement {
    "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 1000000) SELECT count(*) FROM n"
        .into()
}

fn is_pending(future: std::pin::Pin<&mut impl Future>) -> bool {
    let polled = future.poll(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Pending)
}

fn get(path: &str) -> Request {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

/// One slow search held up all saves, and the status.
#[tokio::test]
async fn slow_lists_hold_up_no_save_and_no_status() {
    let (_folder, program) = program("slow").await;
    let api = Api::new(&program, None, Arc::default()).await.unwrap();
    let api = Arc::new(api);
    let lists = api.lists.scans.store().database();
    let mut slowly: Vec<_> = (0..LISTS).map(|_| Box::pin(lists.all(slow()))).collect();
    assert!(slowly.iter_mut().all(|slow| is_pending(slow.as_mut())));
    // One more, which waits for them.
    let mut list = pin!(answer(State(Arc::clone(&api)), get("/api/repos?q=none")));
    assert!(is_pending(list.as_mut()));

    let name = RepoName::parse("a/b").unwrap();
    let names = [Ok::<_, Infallible>(name.clone())];
    let scan = program.store.begin_scan("list", names).await.unwrap();
    let targets = program.store.targets(scan, i64::MIN, 9).await.unwrap();
    let outcomes = targets
        .into_iter()
        .map(repo_scanner_core::Outcome::Unchanged);
    let outcomes: Vec<_> = outcomes.collect();
    program.store.save(scan, &outcomes).await.unwrap();
    for path in ["/api/status", "/api/scan", "/api/repos/a/b", "/metrics"] {
        let response = answer(State(Arc::clone(&api)), get(path)).await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        if path == "/api/status" {
            let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(status["scan"]["unchanged"], 1, "what was stored is seen");
        }
    }
    assert!(
        slowly.iter_mut().all(|slow| is_pending(slow.as_mut())),
        "they were waited for"
    );
    assert!(is_pending(list.as_mut()));
    for slow in slowly {
        slow.await.unwrap();
    }
    assert_eq!(list.await.status(), 200);
}

/// Half a list, a byte at a time, held its connection for ever.
#[test]
fn a_list_that_drips_is_given_up() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let timer = TokioTimer::new();
        let started = timer.now();
        let drip = futures_util::stream::unfold(1000, async |left: u32| {
            SleepUntil::new(timer, timer.now() + Duration::from_secs(1)).await;
            let frame = http_body::Frame::data(Bytes::from_static(b" "));
            Some((Ok::<_, Infallible>(frame), left.checked_sub(1)?))
        });
        let body = InTime::new(Box::pin(StreamBody::new(drip)));
        let error = body.collect().await.unwrap_err();
        let error: &std::io::Error = error.downcast_ref().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(timer.now() - started, in_time::MOST);
    });
}
