//! GitHub's lists and searches, conditional requests and Anthropic's messages, at the strict origin.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use repo_scanner_core::{
    Analyst, Anthropic, Fetched, GitHub, Job, NotFetched, Page, RepoName, Repository, ScanOptions,
    Scanner, Scans, Slice, Store,
};
use std::{collections::BTreeSet, future::pending, time::Duration};
use strict_origin::{Api as Played, Catalogue, Reply, Script, StrictOrigin};
use tower_egress::{
    Api, Egress, EgressService, ErrorKind, ReplayBody, TokioTimer, monitor::Monitor,
    sql::sqlite::Sqlite,
};

const NAME: &str = "tokio-rs/tokio";
const LISTED: &str = include_str!("../../data/repositories.tsv");

type Http = EgressService<
    Client<HttpConnector, ReplayBody<Full<Bytes>>>,
    hyper::body::Incoming,
    TokioTimer,
>;

fn client(origin: &StrictOrigin) -> (Egress<TokioTimer>, Http) {
    let authority = origin.addr().to_string();
    let egress = Egress::builder()
        .api(Api::github().without_quota().with_host(&authority))
        .api(
            Api::github_search()
                .without_quota()
                .with_host(format!("{authority}/search")),
        )
        .api(
            Api::anthropic()
                .without_quota()
                .with_host(format!("{authority}/v1/messages")),
        )
        .build();
    let client = egress.layer(Client::builder(TokioExecutor::new()).build_http());
    (egress, client)
}

fn github(origin: &StrictOrigin) -> GitHub<Http> {
    GitHub::new(client(origin).1, &origin.url().parse().unwrap())
}

async fn all(github: &GitHub<Http>, first: Page<Repository>) -> (Vec<String>, usize) {
    let (mut names, mut pages, mut page) = (Vec::new(), 1, first);
    loop {
        names.extend(
            page.items
                .into_iter()
                .map(|repository| repository.full_name),
        );
        let Some(next) = page.next else {
            return (names, pages);
        };
        page = github.next_page(next).await.unwrap();
        pages += 1;
    }
}

#[tokio::test]
async fn lists_and_searches_are_read_to_their_last_page() {
    let origin = StrictOrigin::builder().start().await.unwrap();
    let github = github(&origin);
    for text in ["an owner", "http", "a/b?c&d=e#f", "ünï"] {
        let first = github.search(text).await.unwrap();
        let (names, pages) = all(&github, first).await;
        assert_eq!(pages, names.len().div_ceil(100).max(1), "{text}");
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{text}");
    }
    let mut longest = 0;
    for owner in (0..25).map(|n| format!("owner-{n}")) {
        let first = github.repositories_of(&owner).await.unwrap();
        let (names, pages) = all(&github, first).await;
        assert!(
            names
                .iter()
                .all(|name| name.starts_with(&format!("{owner}/")))
        );
        assert_eq!(pages, names.len().div_ceil(100).max(1), "{owner}");
        longest = longest.max(pages);
    }
    assert!(longest > 1, "one has more than a page");
    let score = origin.shutdown().await;
    assert!(score.api(Played::GithubSearch).requests >= 4, "{score}");
    assert_eq!(score.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn languages_are_counted_and_what_is_not_there_is_that() {
    let catalogue = Catalogue::from_tsv(LISTED).unwrap();
    let origin = StrictOrigin::builder().catalogue(catalogue).renamed(1.0);
    let origin = origin.start().await.unwrap();
    let github = github(&origin);
    let tower = RepoName::parse(NAME).unwrap();
    // Through a redirection, as the repository itself.
    let languages = github.languages(&tower).await.unwrap();
    assert!(languages["Rust"] > 0, "{languages:?}");
    let nobody = RepoName::parse("no/body").unwrap();
    for error in [
        github.languages(&nobody).await.unwrap_err(),
        github.repository(&nobody, None).await.unwrap_err(),
        github.repositories_of("../../evil").await.unwrap_err(),
    ] {
        let NotFetched::NoResponse(error) = error else {
            panic!("{error}")
        };
        assert!(
            matches!(error.kind(), ErrorKind::Status(status) if status == 404),
            "{error}"
        );
    }
    origin.shutdown().await;
}

/// "Not modified" is what it was, also where a redirection leads to it.
#[tokio::test]
async fn a_second_scan_is_told_that_nothing_has_changed_and_pays_nothing() {
    const COUNT: u64 = 60;
    // No second one could be paid for: there is room for those under way only.
    let origin = StrictOrigin::builder().github("66/1h".parse().unwrap());
    let origin = origin.start().await.unwrap();
    let (egress, client) = client(&origin);
    let github = GitHub::new(client, &origin.url().parse().unwrap());
    let scanner = Scanner::new(github.clone(), TokioTimer::new(), ScanOptions::default());
    let monitor = Monitor::new(TokioTimer::new());
    let database = Sqlite::open_in_memory().await.unwrap();
    let store = Store::open(database, TokioTimer::new(), monitor)
        .await
        .unwrap();
    let job = Job::new(scanner, store.clone(), TokioTimer::new()).with_batch_wait(Duration::ZERO);
    let scans = Scans::new(job, store.clone(), TokioTimer::new());
    let list = || (0..COUNT).map(|n| RepoName::parse(&format!("owner/name-{n}")).map_err(|_| ()));
    for (scanned, unchanged) in [(COUNT, 0), (0, COUNT), (0, COUNT)] {
        scans.begin("list", list()).await.unwrap();
        let work = scans.work(Slice::default(), |_| {}, pending()).await;
        let (summary, _) = work.unwrap().unwrap();
        assert_eq!(
            (summary.scanned, summary.unchanged, summary.failed),
            (scanned, unchanged, 0)
        );
    }
    assert_eq!(
        egress.status().rate_limits.len(),
        1,
        "external: no other is limited"
    );
    let score = origin.shutdown().await;
    assert_eq!(score.by_status[&304], 2 * COUNT);
    assert_eq!(score.api(Played::Github).over_limit, 0, "{score}");
    assert_eq!(store.business().await.unwrap().repositories, COUNT);
}

#[tokio::test]
async fn an_entity_tag_is_sent_through_a_redirection() {
    let catalogue = Catalogue::from_tsv(LISTED).unwrap();
    let origin = StrictOrigin::builder().catalogue(catalogue).renamed(1.0);
    let origin = origin.start().await.unwrap();
    let github = github(&origin);
    let tower = RepoName::parse(NAME).unwrap();
    let Fetched::New { repository, etag } = github.repository(&tower, None).await.unwrap() else {
        panic!("it was not asked for before");
    };
    assert_eq!(repository.full_name, format!("{NAME}-renamed"));
    let again = github.repository(&tower, etag.as_deref()).await.unwrap();
    assert_eq!(again, Fetched::Unchanged);
    origin.shutdown().await;
}

/// A store with so many repositories, of more and more stars.
async fn store_with(count: i64) -> Store<Sqlite, TokioTimer> {
    use tower_egress::sql::{Database, Statement};
    let database = Sqlite::open_in_memory().await.unwrap();
    let monitor = Monitor::new(TokioTimer::new());
    let store = Store::open(database, TokioTimer::new(), monitor)
        .await
        .unwrap();
    let insert = "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT ?) \
                  INSERT INTO repositories (name, full_name, id, topics, stars, forks, open_issues, scanned_at) \
                  SELECT 'owner/name-' || value, 'owner/name-' || value, value, '[]', value, 0, 0, 1 FROM n";
    store
        .database()
        .run(Statement::new(insert).bind(count))
        .await
        .unwrap();
    store
}

#[tokio::test]
async fn those_with_the_most_stars_are_described_once() {
    // The answer of one is lost twice: it is asked for again, with the same key.
    let later = Reply::new(http::StatusCode::SERVICE_UNAVAILABLE).header("retry-after-ms", "1");
    let script = Script::new().on("/v1/messages", vec![later.clone(), later]);
    let origin = StrictOrigin::builder().require_headers(true).script(script);
    let origin = origin.start().await.unwrap();
    let (_, client) = client(&origin);
    let anthropic = Anthropic::new(client, &origin.url().parse().unwrap(), "key").unwrap();
    let store = store_with(20).await;
    let analyst = Analyst::new(anthropic, store.clone());
    for described in [7, 7, 6, 0] {
        let summary = analyst.work(7, pending()).await.unwrap();
        assert_eq!((summary.scanned, summary.failed), (described, 0));
        if let Some(next) = store.without_analysis(1).await.unwrap().first() {
            assert!(
                matches!(next.stars, 13 | 6),
                "the first were those with more"
            );
        }
    }
    let one = RepoName::parse("owner/name-20").unwrap();
    let one = store.repository(&one).await.unwrap().unwrap();
    assert!(one.analysis.unwrap().contains("small, focused"));
    let score = origin.shutdown().await;
    assert_eq!(score.api(Played::Anthropic).requests, 22);
    assert_eq!(score.complaints(), Vec::<String>::new());
}

/// If those with the most stars were refused each time, nobody else was ever described.
#[tokio::test]
async fn those_that_cannot_be_described_are_in_nobodys_way() {
    let refused = Reply::new(http::StatusCode::BAD_REQUEST);
    let script = Script::new().on("/v1/messages", vec![refused; 3]);
    let origin = StrictOrigin::builder().script(script);
    let origin = origin.start().await.unwrap();
    let (_, client) = client(&origin);
    let anthropic = Anthropic::new(client, &origin.url().parse().unwrap(), "key").unwrap();
    let store = store_with(8).await;
    let analyst = Analyst::new(anthropic, store.clone());
    let next = async || {
        let next = store.without_analysis(3).await.unwrap();
        let next = next.into_iter().map(|repository| repository.stars);
        next.collect::<Vec<_>>()
    };
    assert_eq!(next().await, [8, 7, 6]);
    let mut came = Vec::new();
    let mut work = async || {
        let summary = analyst.work(3, pending()).await.unwrap();
        came.push((summary.scanned, summary.failed));
    };
    work().await;
    assert_eq!(next().await, [5, 4, 3]);
    work().await;
    // Then those for which it was tried, in the order of that.
    let again = next().await;
    assert!(again[..2] == [2, 1] && again[2] > 5, "{again:?}");
    work().await;
    work().await;
    assert_eq!(came, [(0, 3), (3, 0), (3, 0), (2, 0)]);
    origin.shutdown().await;
}

/// A key that is refused is refused for all: no more are asked for than it takes to know.
#[tokio::test]
async fn a_key_is_shown_to_nobody_and_its_refusal_ends_the_work() {
    let refused = Reply::new(http::StatusCode::UNAUTHORIZED).body(
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
    );
    let script = Script::new().on("/v1/messages", vec![refused; 100]);
    let origin = StrictOrigin::builder()
        .script(script)
        .start()
        .await
        .unwrap();
    let (_, client) = client(&origin);
    let base = origin.url().parse().unwrap();
    let anthropic = Anthropic::new(client.clone(), &base, "sk-hunter2").unwrap();
    assert!(!format!("{anthropic:?}").contains("hunter2"));
    for bad in ["sk-hunter2\n", "sk-hunter2\r\nx: y"] {
        let error = Anthropic::new(client.clone(), &base, bad).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let store = store_with(100).await;
    let one = store.without_analysis(1).await.unwrap().remove(0);
    let error = anthropic.analyse(&one).await.unwrap_err();
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
        error.source()
    });
    for error in chain {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let summary = Analyst::new(anthropic, store)
        .work(100, pending())
        .await
        .unwrap();
    assert_eq!(summary.scanned, 0);
    assert_eq!(
        summary.reasons["the server answered 401 Unauthorized"],
        summary.failed
    );
    let asked = origin.shutdown().await.requests;
    assert!((8..20).contains(&asked), "{asked}");
}

#[tokio::test]
async fn what_was_said_until_it_is_told_to_end_is_stored() {
    let slowly = Reply::new(http::StatusCode::OK)
        .body(r#"{"content":[{"type":"text","text":"A library."}]}"#)
        .delay(Duration::from_millis(20));
    let script = Script::new().on("/v1/messages", vec![slowly; 100]);
    let origin = StrictOrigin::builder()
        .script(script)
        .start()
        .await
        .unwrap();
    let (_, client) = client(&origin);
    let anthropic = Anthropic::new(client, &origin.url().parse().unwrap(), "key").unwrap();
    let store = store_with(100).await;
    let until = async {
        while origin.score().requests < 20 {
            tokio::task::yield_now().await;
        }
    };
    let analyst = Analyst::new(anthropic, store.clone());
    let summary = analyst.work(100, until).await.unwrap();
    assert!((8..40).contains(&summary.scanned), "{summary:?}");
    assert_eq!(store.business().await.unwrap().analysed, summary.scanned);
    origin.shutdown().await;
}
