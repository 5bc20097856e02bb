//! What the APIs answer.
#![allow(clippy::unwrap_used, reason = "what helps a test fails with it")]

mod support;

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::Value;
use strict_origin::{Api, Catalogue, StrictOrigin};
use support::{Client, run, start};

const TSV: &str = include_str!("../../../examples/repo-scanner/data/repositories.tsv");

#[test]
fn octocrab_reads_a_repository() {
    run(async {
        let (_origin, client) = start(StrictOrigin::builder()).await;
        let answer = client.get("/repos/tower-rs/tower").await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        let repository: octocrab::models::Repository =
            serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(repository.full_name.as_deref(), Some("tower-rs/tower"));
        assert_eq!(repository.owner.unwrap().login, "tower-rs");
        assert_eq!(repository.license.unwrap().spdx_id, "MIT");
        assert!(repository.stargazers_count.is_some() && repository.created_at.is_some());
        assert_eq!(
            answer.body,
            client.get("/repos/tower-rs/tower").await.body,
            "the same each time"
        );
        let languages = client.get("/repos/tower-rs/tower/languages").await.json();
        assert!(languages["Rust"].as_u64() > Some(0));
    });
}

#[test]
fn octocrab_reads_all_that_a_search_finds() {
    run(async {
        let catalogue = Catalogue::from_tsv(TSV).unwrap();
        let (_origin, client) = start(StrictOrigin::builder().catalogue(catalogue)).await;
        let mut found = BTreeSet::new();
        let mut next = Some("/search/repositories?q=topic:async&per_page=20".to_owned());
        while let Some(path) = next {
            let answer = client.get(&path).await;
            let body = answer.json();
            assert_eq!(body["total_count"], 49);
            assert_eq!(body["incomplete_results"], false);
            let items = body["items"].clone();
            let items: Vec<octocrab::models::Repository> = serde_json::from_value(items).unwrap();
            for item in items {
                assert!(item.topics.unwrap().contains(&"async".to_owned()));
                found.extend(item.full_name);
            }
            next = next_link(&client, answer.header("link"));
        }
        assert_eq!(found.len(), 49);
    });
}

#[test]
fn a_search_shows_a_thousand_of_what_it_finds() {
    run(async {
        let catalogue = Catalogue::from_tsv(TSV).unwrap();
        let names: BTreeSet<_> = catalogue.full_names().collect();
        assert_eq!(names.len(), 1_200);
        let (_origin, client) = start(StrictOrigin::builder().catalogue(catalogue)).await;
        let path = "/search/repositories?q=language:rust&per_page=20&page=50";
        let last = client.get(path).await;
        assert_eq!(last.json()["total_count"], 1_200);
        assert_eq!(last.json()["items"].as_array().unwrap().len(), 20);
        assert_eq!(next_link(&client, last.header("link")), None);
        let path = "/search/repositories?q=language:rust&per_page=20&page=51";
        let beyond = client.get(path).await;
        assert_eq!(beyond.status, StatusCode::UNPROCESSABLE_ENTITY);
    });
}

/// The path of the `rel="next"` link.
fn next_link(client: &Client, links: Option<&str>) -> Option<String> {
    let next = links?
        .split(", ")
        .find(|link| link.ends_with("rel=\"next\""))?;
    let url = next.trim_start_matches('<').split('>').next()?;
    let base = client.request(Method::GET, "", "").uri().to_string();
    Some(format!("/{}", url.strip_prefix(&base).unwrap()))
}

/// As GitHub redirects: 301 from the old name to the number, and there is the repository with its new name.
#[test]
fn a_renamed_repository_is_found_by_its_number() {
    run(async {
        let catalogue = Catalogue::from_tsv("a/b\n").unwrap();
        let everything = StrictOrigin::builder().catalogue(catalogue).renamed(1.0);
        let (origin, client) = start(everything).await;
        let old = client.get("/repos/a/b").await;
        assert_eq!(old.status, StatusCode::MOVED_PERMANENTLY);
        assert_eq!(old.json()["message"], "Moved Permanently");
        let location = old.header("location").unwrap();
        assert_eq!(old.json()["url"], location);
        let path = location.strip_prefix(origin.url()).unwrap();
        assert!(path.starts_with("/repositories/"), "{path}");
        let today = client.get(path).await.json();
        assert_eq!(today["full_name"], "a/b-renamed");
        assert_eq!(path, format!("/repositories/{}", today["id"]));
        let named = client.get("/repos/a/b-renamed").await;
        assert_eq!((named.status, named.json()), (StatusCode::OK, today));

        let below = client.get("/repos/a/b/languages").await;
        let below = below.header("location").unwrap();
        assert_eq!(below, format!("{location}/languages"));
        let languages = client.get(below.strip_prefix(origin.url()).unwrap()).await;
        assert!(languages.json()["Rust"].as_u64() > Some(0));

        for missing in ["/repositories/1", "/repositories/x", "/repos/a/c-renamed"] {
            assert_eq!(client.get(missing).await.status, StatusCode::NOT_FOUND);
        }
        let score = origin.shutdown().await;
        assert_eq!(score.by_status.get(&301), Some(&2));
        assert_eq!(
            score.api(Api::Github).served,
            score.requests,
            "each hop costs a unit"
        );
    });
}

#[test]
fn a_catalogue_decides_what_exists() {
    run(async {
        let (_origin, client) =
            start(StrictOrigin::builder().catalogue(Catalogue::from_tsv(TSV).unwrap())).await;
        let known = client.get("/repos/06CHAYNES/http-cache").await.json();
        assert_eq!(
            known["full_name"], "06chaynes/http-cache",
            "names have no case, but keep it"
        );
        assert_eq!(known["description"], "An HTTP caching middleware");
        assert_eq!(
            known["topics"],
            serde_json::json!(["cache", "http", "middleware"])
        );
        assert_eq!(known["license"]["spdx_id"], "MIT");
        let unknown = client.get("/repos/nobody/nothing").await;
        assert_eq!(
            (unknown.status, &unknown.json()["message"]),
            (StatusCode::NOT_FOUND, &Value::from("Not Found"))
        );
        let owned = client.get("/users/Amanieu/repos?per_page=2").await;
        assert_eq!(owned.json().as_array().unwrap().len(), 2);
        assert!(owned.header("link").unwrap().contains("rel=\"next\""));
        assert_eq!(
            client.get("/orgs/nobody/repos").await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            client
                .get("/search/repositories?q=nosuchwordanywhere")
                .await
                .json()["total_count"],
            0
        );
    });
}

#[test]
fn the_messages_api_answers_in_its_shape() {
    run(async {
        let (origin, client) =
            start(StrictOrigin::builder().anthropic("5/1m".parse().unwrap())).await;
        let body =
            r#"{"model":"claude-x","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}"#;
        let answer = client.post("/v1/messages", body, &[]).await;
        let message = answer.json();
        assert_eq!(
            (&message["type"], &message["role"]),
            (&Value::from("message"), &Value::from("assistant"))
        );
        assert_eq!(message["model"], "claude-x");
        assert_eq!(message["content"][0]["type"], "text");
        assert_eq!(message["stop_reason"], "end_turn");
        assert!(message["usage"]["input_tokens"].as_u64() > Some(0));
        assert_eq!(
            answer.header("anthropic-ratelimit-requests-limit"),
            Some("5")
        );
        assert_eq!(
            answer.header("anthropic-ratelimit-requests-remaining"),
            Some("4")
        );
        assert!(
            answer
                .header("anthropic-ratelimit-requests-reset")
                .unwrap()
                .ends_with('Z')
        );
        let wrong = client.post("/v1/messages", "{}", &[]).await;
        assert_eq!(
            (wrong.status, &wrong.json()["error"]["type"]),
            (
                StatusCode::BAD_REQUEST,
                &Value::from("invalid_request_error")
            )
        );
        assert_eq!(origin.score().api(Api::Anthropic).served, 2);
    });
}

#[test]
fn required_headers_are_required() {
    run(async {
        let (_origin, client) = start(StrictOrigin::builder().require_headers(true)).await;
        let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(client.get("/repos/a/b").await.status, StatusCode::FORBIDDEN);
        assert_eq!(
            client.post("/v1/messages", body, &[]).await.status,
            StatusCode::UNAUTHORIZED
        );
        let key = ("x-api-key", "k");
        assert_eq!(
            client.post("/v1/messages", body, &[key]).await.status,
            StatusCode::BAD_REQUEST
        );
        let version = ("anthropic-version", "2023-06-01");
        assert_eq!(
            client
                .post("/v1/messages", body, &[key, version])
                .await
                .status,
            StatusCode::OK
        );
    });
}

#[test]
fn the_external_api_describes_what_it_gets() {
    run(async {
        let (_origin, client) = start(StrictOrigin::builder()).await;
        let headers = [("authorization", "secret"), ("content-type", "text/plain")];
        let described = client
            .post("/anything/a%20b?x=1", "foobar", &headers)
            .await
            .json();
        assert_eq!(described["method"], "POST");
        assert_eq!(
            (&described["path"], &described["query"]),
            (&Value::from("/anything/a%20b"), &Value::from("x=1"))
        );
        assert_eq!(
            (&described["body_length"], &described["body_hash"]),
            (&Value::from(6), &Value::from("85944171f73967e8"))
        );
        assert_eq!(described["headers"]["content-type"], "text/plain");
        assert_eq!(described["headers"]["content-length"], "6");
        assert!(
            described["headers"].get("authorization").is_none(),
            "no secrets"
        );
        let echo = client.post("/echo", "foobar", &headers).await;
        assert_eq!(
            (&echo.body[..], echo.header("content-type")),
            (&b"foobar"[..], Some("text/plain"))
        );
    });
}

#[test]
fn writes_are_counted_and_repeated_ones_found() {
    run(async {
        let (origin, client) = start(StrictOrigin::builder()).await;
        let first = client.post("/items/1", "a", &[]).await;
        assert_eq!(
            (first.status, &first.json()["writes"]),
            (StatusCode::CREATED, &Value::from(1))
        );
        client.post("/items/1", "b", &[]).await;
        assert_eq!(
            origin.score().repeated_writes,
            0,
            "another body is another write"
        );
        assert_eq!(client.post("/items/1", "a", &[]).await.json()["writes"], 3);
        assert_eq!(origin.score().repeated_writes, 1);

        let key = [("idempotency-key", "k")];
        let keyed = client.post("/items/2", "a", &key).await;
        let again = client.post("/items/2", "a", &key).await;
        assert_eq!(
            (again.status, &again.body),
            (keyed.status, &keyed.body),
            "the same answer"
        );
        assert_eq!(
            (
                keyed.header("idempotent-replayed"),
                again.header("idempotent-replayed")
            ),
            (None, Some("true"))
        );
        assert_eq!(
            client.get("/items/2").await.json()["writes"],
            1,
            "it took place once"
        );
        for _ in 0..2 {
            client
                .send(client.request(Method::PUT, "/items/3", "a"))
                .await;
        }
        let score = origin.score();
        assert_eq!(
            (
                score.writes,
                score.repeated_writes,
                score.idempotent_replays
            ),
            (4, 1, 1),
            "a PUT may be repeated"
        );
    });
}
