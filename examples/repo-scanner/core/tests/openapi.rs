//! The description of the API says what the API does.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use http::Request;
use http_body_util::StreamBody;
use serde_json::Value;
use std::collections::BTreeSet;
use support::{Answer, Process, ask, get, scanned, site, with_database};

/// Compares a value with a schema, as far as ours use them. An object has what is described and nothing else.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.trim_start_matches('#');
        let schema = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{place}: there is no {name}"));
        return check(document, schema, value, place);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let is = |kind: &str| match kind {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{place}: {other}"),
    };
    assert!(
        kinds.into_iter().any(is),
        "{place}: {value} is not {schema}"
    );
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{place}: {value}");
    }
    for item in value.as_array().into_iter().flatten() {
        check(document, &schema["items"], item, &format!("{place}[]"));
    }
    let (Some(described), Some(members)) = (schema["properties"].as_object(), value.as_object())
    else {
        return;
    };
    for (name, member) in members {
        let schema = described
            .get(name)
            .unwrap_or_else(|| panic!("{place}.{name} is not described"));
        check(document, schema, member, &format!("{place}.{name}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            members.contains_key(name.as_str().unwrap()),
            "{place} has no {name}"
        );
    }
}

/// Checks an answer to an operation, and notes it.
fn answers(document: &Value, seen: &mut BTreeSet<String>, operation: &str, answer: &Answer) {
    let (method, path) = operation.split_once(' ').unwrap();
    let status = answer.status.to_string();
    let described = &document["paths"][path][method]["responses"][&status];
    assert!(
        described.is_object(),
        "{operation}: {status} is not described"
    );
    seen.insert(format!("{operation} {status}"));
    let Some(content) = described["content"].as_object() else {
        assert!(answer.body.is_empty(), "{operation} {status}");
        return;
    };
    let kind = answer
        .header("content-type")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let schema = content
        .get(kind)
        .unwrap_or_else(|| panic!("{operation} {status}: {kind}"));
    if kind.ends_with("json") {
        check(
            document,
            &schema["schema"],
            &answer.json(),
            &format!("{operation} {status}"),
        );
    }
}

#[test]
fn what_is_described_is_what_is_answered() {
    with_database(async |database, server| {
        use tower_egress::sql::Database;
        let process = Process::start(&database, &server).await;
        scanned(&process, 60).await;
        let site = site(&process, None);
        let document = get(&site, "/api/openapi.json").await.json();
        let seen = &mut BTreeSet::new();
        let large = format!("\"{}\"", "x".repeat(8 << 20));
        let known = "if-none-match: *";
        let evil = "origin: http://evil.example";
        let list = r#"{"repos": ["a/b", "nobody/c"]}"#;
        for (operation, uri, headers, body) in [
            ("get /", "/", &[][..], ""),
            ("get /", "/", &[known], ""),
            ("get /api/openapi.json", "/api/openapi.json", &[], ""),
            ("get /api/openapi.json", "/api/openapi.json", &[known], ""),
            ("get /metrics", "/metrics", &[], ""),
            ("get /api/status", "/api/status", &[], ""),
            ("get /api/repos", "/api/repos", &[], ""),
            (
                "get /api/repos",
                "/api/repos?limit=1&sort=stars&order=desc&q=n&language=Rust",
                &[],
                "",
            ),
            ("get /api/repos", "/api/repos?limit=1", &[known], ""),
            ("get /api/repos", "/api/repos?limit=0", &[], ""),
            (
                "get /api/repos/{owner}/{name}",
                "/api/repos/owner/name-000001",
                &[],
                "",
            ),
            (
                "get /api/repos/{owner}/{name}",
                "/api/repos/owner/..",
                &[],
                "",
            ),
            (
                "get /api/repos/{owner}/{name}",
                "/api/repos/owner/other",
                &[],
                "",
            ),
            ("post /api/scan", "/api/scan", &[], "{"),
            ("post /api/scan", "/api/scan", &[], &large),
            ("post /api/scan", "/api/scan", &[evil], ""),
            ("delete /api/scan", "/api/scan", &[evil], ""),
            ("post /api/scan", "/api/scan", &[], list),
            ("get /api/scan", "/api/scan", &[], ""),
            ("post /api/scan", "/api/scan", &[], ""),
            ("delete /api/scan", "/api/scan", &[], ""),
        ] {
            let method = operation.split(' ').next().unwrap().to_uppercase();
            let answer = ask(&site, &method, uri, headers, body).await;
            answers(&document, seen, operation, &answer);
        }
        // What comes too late is up to whoever receives it.
        let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
        let late = futures_util::stream::iter([Err::<http_body::Frame<Bytes>, _>(late)]);
        let request = Request::post("/api/scan").body(StreamBody::new(late));
        let answer = support::respond(&site, request.unwrap()).await;
        answers(&document, seen, "post /api/scan", &answer);
        let guarded = support::site(&process, Some("token"));
        for method in ["post", "delete"] {
            let answer = ask(&guarded, &method.to_uppercase(), "/api/scan", &[], "").await;
            answers(&document, seen, &format!("{method} /api/scan"), &answer);
        }
        for table in ["repositories", "scans"] {
            database
                .run(format!("DROP TABLE {table}").into())
                .await
                .unwrap();
        }
        for (operation, uri) in [
            ("get /api/status", "/api/status"),
            ("get /api/repos", "/api/repos"),
            ("get /api/repos/{owner}/{name}", "/api/repos/a/b"),
            ("get /api/scan", "/api/scan"),
            ("post /api/scan", "/api/scan"),
            ("delete /api/scan", "/api/scan"),
        ] {
            let method = operation.split(' ').next().unwrap().to_uppercase();
            let answer = ask(&site, &method, uri, &[], "").await;
            answers(&document, seen, operation, &answer);
        }
        // Nothing is described that was not seen.
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let statuses = operation["responses"].as_object().unwrap().keys();
                described.extend(statuses.map(|status| format!("{method} {path} {status}")));
            }
        }
        let unseen: Vec<_> = described.difference(seen).collect();
        assert!(unseen.is_empty(), "{unseen:?}");
    });
}
