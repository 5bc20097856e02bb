//! What openapi.json says of the HTTP API, held against the service.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use support::{Answer, Process, Site, ask, get, scanned, site, with_database};

/// A request, and the path that it is one of.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
    u16,
);

const REPO: &str = "/api/repos/{owner}/{name}";
const TOKEN: &[&str] = &["authorization: Bearer right"];
const ONE: &str = r#"{"repos": ["a/b"]}"#;

/// In this order: a scan that has begun is there for those behind it.
const CASES: &[Case] = &[
    ("GET", "/", "/", &[], "", 200),
    ("GET", "/", "/", &["if-none-match: *"], "", 304),
    ("GET", "/metrics", "/metrics", &[], "", 200),
    (
        "GET",
        "/api/openapi.json",
        "/api/openapi.json",
        &[],
        "",
        200,
    ),
    (
        "GET",
        "/api/openapi.json",
        "/api/openapi.json",
        &["if-none-match: *"],
        "",
        304,
    ),
    ("GET", "/api/status", "/api/status", &[], "", 200),
    ("GET", "/api/repos", "/api/repos", &[], "", 200),
    (
        "GET",
        "/api/repos",
        "/api/repos",
        &["if-none-match: *"],
        "",
        304,
    ),
    (
        "GET",
        "/api/repos",
        "/api/repos?limit=2&sort=stars&order=desc&language=rust&q=name",
        &[],
        "",
        200,
    ),
    (
        "GET",
        "/api/repos",
        "/api/repos?cursor=owner/name-000001",
        &[],
        "",
        200,
    ),
    ("GET", "/api/repos", "/api/repos?sort=size", &[], "", 400),
    ("GET", REPO, "/api/repos/owner/name-000001", &[], "", 200),
    ("GET", REPO, "/api/repos/owner/..", &[], "", 400),
    ("GET", REPO, "/api/repos/owner/unknown", &[], "", 404),
    ("GET", "/api/scan", "/api/scan", &[], "", 200),
    ("POST", "/api/scan", "/api/scan", &[], "", 401),
    (
        "POST",
        "/api/scan",
        "/api/scan",
        TOKEN,
        r#"{"repos": ["no name"]}"#,
        400,
    ),
    ("POST", "/api/scan", "/api/scan", TOKEN, ONE, 202),
    ("POST", "/api/scan", "/api/scan", TOKEN, "", 409),
    ("GET", "/api/scan", "/api/scan", &[], "", 200),
    ("GET", "/api/status", "/api/status", &[], "", 200),
    ("DELETE", "/api/scan", "/api/scan", &[], "", 401),
    ("DELETE", "/api/scan", "/api/scan", TOKEN, "", 202),
];

/// What takes a broken database, or more than a test should send.
const UNTRIED: [u16; 2] = [503, 413];

#[test]
fn every_answer_is_what_the_description_says() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 3).await;
        let site = site(&process, Some("right"));
        let described = get(&site, "/api/openapi.json").await.json();
        let mut met = BTreeSet::new();
        for (method, path, uri, headers, body, status) in CASES {
            let answer = ask(&site, method, uri, headers, body).await;
            let what = format!("{method} {uri}: {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(answer.status, *status, "{what}");
            check(&described, method, path, &answer).unwrap_or_else(|why| panic!("{why}: {what}"));
            met.insert((method.to_lowercase(), (*path).to_owned(), *status));
        }
        assert_eq!(untried(&described, &met), Vec::<String>::new());
        nothing_else_is_there(&site, &described).await;
    });
}

/// Returns what is described and was not met.
fn untried(described: &Value, met: &BTreeSet<(String, String, u16)>) -> Vec<String> {
    let mut untried = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                let status: u16 = status.parse().unwrap();
                let is_met = met.contains(&(method.clone(), path.clone(), status));
                if !is_met && !UNTRIED.contains(&status) {
                    untried.push(format!("{method} {path}: {status}"));
                }
            }
        }
    }
    untried
}

/// Methods that are described are taken, and others are not.
async fn nothing_else_is_there(site: &Site, described: &Value) {
    for (path, methods) in described["paths"].as_object().unwrap() {
        let uri = path.replace("{owner}", "a").replace("{name}", "b");
        let refused = ask(site, "PUT", &uri, &[], "").await;
        assert_eq!(refused.status, 405, "{path}");
        let allowed = refused.header("allow").unwrap().to_lowercase();
        let allowed: BTreeSet<_> = allowed
            .split(", ")
            .filter(|method| *method != "head")
            .collect();
        let methods = methods.as_object().unwrap().keys().map(String::as_str);
        assert_eq!(allowed, methods.collect(), "{path}");
    }
}

fn check(described: &Value, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
    let operation = &described["paths"][path][method.to_lowercase()];
    let response = &operation["responses"][answer.status.to_string()];
    if !response.is_object() {
        return Err(format!("a {} is not described", answer.status));
    }
    let Some(content) = response["content"].as_object() else {
        return Ok(());
    };
    let kind = answer.header("content-type").unwrap_or_default();
    let schema = content
        .get(kind)
        .ok_or_else(|| format!("{kind} is not described"))?;
    if !kind.ends_with("json") {
        return Ok(());
    }
    valid(described, &schema["schema"], &answer.json(), "it")
}

/// As much of JSON Schema as the description uses.
fn valid(described: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = described.pointer(reference.trim_start_matches('#'));
        let target = target.ok_or_else(|| format!("{reference} is nowhere"))?;
        return valid(described, target, value, at);
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => vec![
            one.as_str()
                .ok_or_else(|| format!("{at} is described without a type"))?,
        ],
    };
    let is_of = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if !types.iter().any(is_of) {
        return Err(format!("{at} is {value} and not {types:?}"));
    }
    if let Some(some) = schema["enum"].as_array()
        && !some.contains(value)
    {
        return Err(format!("{at} is {value} and not one of {some:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        valid(
            described,
            &schema["items"],
            item,
            &format!("an item of {at}"),
        )?;
    }
    let members = value.as_object();
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().unwrap_or_default();
        if members.is_some_and(|members| !members.contains_key(name)) {
            return Err(format!("{at} has no {name}"));
        }
    }
    for (name, member) in members.into_iter().flatten() {
        let known = schema["properties"].get(name);
        if let Some(schema) = known.or_else(|| schema.get("additionalProperties")) {
            valid(described, schema, member, &format!("{name} of {at}"))?;
        }
    }
    Ok(())
}
