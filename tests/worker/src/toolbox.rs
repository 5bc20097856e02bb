//! The toolbox in a Worker: the cases that run natively, too, and rows as JSON.

use crate::{Ask, said};
use futures_util::stream;
use http::Request;
use serde::Serialize;
use serde_json::{Value, json};
use std::cell::Cell;
use tower_egress::json::JsonRows;
use tower_egress_worker::{Reply, WorkerTimer};
use worker::{Result, web_sys};

/// Runs a `case`, or names them all.
pub(crate) async fn case(ask: &Ask) -> Value {
    match ask.text("case") {
        None => json!(toolbox_suite::NAMES),
        Some(case) => {
            let result = toolbox_suite::run(case, WorkerTimer::new()).await;
            json!({ "complaint": result.err() })
        }
    }
}

#[derive(Serialize)]
struct Row {
    id: u64,
    name: String,
    stars: u64,
}

thread_local! {
    static SOURCES: Cell<u64> = const { Cell::new(0) };
}

/// Counts the sources that are alive.
struct Alive;

impl Alive {
    fn new() -> Self {
        SOURCES.set(SOURCES.get() + 1);
        Self
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        SOURCES.set(SOURCES.get() - 1);
    }
}

pub(crate) fn sources() -> Value {
    json!({ "alive": SOURCES.get() })
}

/// Answers with so many `rows`, as an array or as `ndjson`, that `fail` after some or not.
pub(crate) async fn rows(ask: &Ask, request: &worker::Request) -> Result<web_sys::Response> {
    let rows = ask.number("rows").unwrap_or(1);
    let fails = ask.number("fails").unwrap_or(u64::MAX);
    let alive = Alive::new();
    let source = stream::iter((0..rows).map(move |id| {
        let _ = &alive;
        if id >= fails {
            return Err("the database is gone");
        }
        Ok(Row {
            id,
            name: format!("owner/repository-{id}"),
            stars: id * 7,
        })
    }));
    let json = match ask.text("ndjson") {
        Some(_) => JsonRows::ndjson(),
        None => JsonRows::array(),
    };
    let mut asked = Request::builder().method(request.method().as_ref());
    for (name, value) in request.headers() {
        asked = asked.header(name, value);
    }
    let asked = asked.body(()).map_err(said)?;
    match json.respond(&asked, source).await {
        Ok(response) => Reply(response).into_js().map_err(said),
        Err(error) => Ok(worker::Response::error(error.to_string(), 503)?.into()),
    }
}
