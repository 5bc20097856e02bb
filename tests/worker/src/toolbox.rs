//! The toolbox in a Worker: the cases that run natively, too, and JSON over the wire.

use crate::{Ask, one::failed, said};
use futures_util::{StreamExt, stream};
use http::Request;
use serde::Serialize;
use serde_json::{Value, json};
use std::{cell::Cell, pin::pin};
use tower_egress::json::{JsonItems, JsonRows};
use tower_egress_worker::{Fetch, Reply, WorkerTimer};
use tower_service::Service;
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
#[serde(untagged)]
enum Row {
    Repo {
        id: u64,
        name: String,
        stars: u64,
    },
    /// It looks like the record that counts.
    Odd {
        #[serde(rename = "$count")]
        id: u64,
    },
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

/// Answers with so many `rows`, as an array or as `ndjson`, that `fail` after some or not, and are `odd` or not.
pub(crate) async fn rows(ask: &Ask, request: &worker::Request) -> Result<web_sys::Response> {
    let rows = ask.number("rows").unwrap_or(1);
    let fails = ask.number("fails").unwrap_or(u64::MAX);
    let odd = ask.text("odd").is_some();
    let alive = Alive::new();
    let source = stream::iter((0..rows).map(move |id| {
        let _ = &alive;
        if id >= fails {
            return Err("the database is gone");
        }
        Ok(match odd {
            true => Row::Odd { id },
            false => Row::Repo {
                id,
                name: format!("owner/repository-{id}"),
                stars: id * 7,
            },
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

/// Reads what `url` says item by item: an array, or `form`=`ndjson` or `counted`; items of at most `max` bytes, and no more than
/// `take` of them.
pub(crate) async fn items(ask: &Ask) -> Result<Value> {
    let body = Fetch::new()
        .call(ask.request()?)
        .await
        .map_err(failed)?
        .into_body();
    let mut items = match ask.text("form") {
        Some("ndjson") => JsonItems::<_, Value>::ndjson(body),
        Some("counted") => JsonItems::counted(body),
        _ => JsonItems::array(body),
    };
    if let Some(max) = ask.number("max") {
        items = items.with_max_item(usize::try_from(max).unwrap_or(usize::MAX));
    }
    let mut items = pin!(items.take(ask.number("take").map_or(usize::MAX, |take| take as usize)));
    let (mut good, mut last, mut error) = (0_u64, None, None);
    while let Some(item) = items.next().await {
        match item {
            Ok(item) => (good, last) = (good + 1, Some(item)),
            Err(failed) => error = Some(failed.to_string()),
        }
    }
    Ok(json!({ "items": good, "last": last, "error": error }))
}
