//! Many requests.

use crate::{
    Ask,
    one::{failure, since, sleep},
    stack::{client, invocation},
};
use bytes::Bytes;
use futures_util::{
    future::{Either, join_all, select},
    stream::{self, StreamExt},
};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tower_egress::{Clock, FetchExt, SleepUntil};
use tower_egress_worker::{Fetch, WorkerTimer, memory_bytes};
use tower_service::Service;
use worker::{Context, Error, Result, ScheduledEvent};

/// Sends `n` requests at once, in this one invocation, and reads their bodies.
pub(crate) async fn at_once(ask: &Ask) -> Result<Value> {
    let start = WorkerTimer::new().now();
    let mine = invocation();
    let client = mine.layer(Fetch::new());
    let calls = (0..ask.number("n").unwrap_or(1)).map(|_| {
        let mut client = client.clone();
        let request = ask.request();
        async move {
            match client.call(request?).await {
                Err(error) => Ok::<_, Error>(failure(&error, start)["error"]["kind"].take()),
                Ok(response) => {
                    let status = response.status().as_u16();
                    Ok(match response.into_body().collect().await {
                        Ok(_) => status.into(),
                        Err(error) => failure(&error, start)["error"]["kind"].take(),
                    })
                }
            }
        }
    });
    let mut outcomes = BTreeMap::<String, u64>::new();
    for outcome in join_all(calls).await {
        let outcome: Value = outcome?;
        *outcomes.entry(outcome.to_string()).or_default() += 1;
    }
    let stats = mine.connections().stats();
    Ok(json!({
        "outcomes": outcomes,
        "peak": stats.peak_in_flight,
        "in_flight": stats.in_flight,
        "ms": since(start),
    }))
}

/// Sends `n` requests, `at_once` of them at a time, and gives up every third after a moment: while it waits, is under way, or is read.
pub(crate) async fn aborted(ask: &Ask) -> Result<Value> {
    let mine = invocation();
    let client = mine.layer(Fetch::new());
    let (mut done, mut dropped, mut failed) = (0, 0, 0);
    let at_once = ask.number("at-once").unwrap_or(50);
    let calls = stream::iter(0..ask.number("n").unwrap_or(1)).map(|index| {
        let mut client = client.clone();
        let request = ask.request();
        async move {
            let call = pin!(async {
                let response = client.call(request.ok()?).await.ok()?;
                response.into_body().collect().await.ok()
            });
            if index % 3 != 0 {
                return Some(call.await.is_some());
            }
            match select(call, pin!(sleep(index % 8))).await {
                Either::Left((result, _)) => Some(result.is_some()),
                Either::Right(_) => None,
            }
        }
    });
    let mut calls = pin!(calls.buffer_unordered(usize::try_from(at_once).unwrap_or(1)));
    while let Some(outcome) = calls.next().await {
        match outcome {
            Some(true) => done += 1,
            Some(false) => failed += 1,
            None => dropped += 1,
        }
    }
    let stats = mine.connections().stats();
    Ok(json!({
        "done": done, "dropped": dropped, "failed": failed,
        "in_flight": stats.in_flight, "queued": stats.queued,
        "memory": memory_bytes(),
    }))
}

/// Sleeps `n` times at once on the timer that the stack of an invocation has.
pub(crate) async fn sleeps(ask: &Ask) -> Value {
    let timer = *invocation().connections().timer();
    let start = timer.now();
    let until = start + Duration::from_millis(ask.number("ms").unwrap_or(100));
    let sleeps = (0..ask.number("n").unwrap_or(1)).map(|_| SleepUntil::new(timer, until));
    let slept = join_all(sleeps).await.len();
    json!({ "slept": slept, "ms": since(start) })
}

/// Answers at once, and fetches afterwards, in `wait_until`.
pub(crate) fn later(ask: &Ask, context: &Context) -> Value {
    let Some(url) = ask.text("url").map(str::to_owned) else {
        return json!({ "error": "where to?" });
    };
    context.wait_until(async move {
        sleep(50).await;
        let client = client::<Full<Bytes>>();
        // Whether it came is what the origin says.
        let _ = client.get(&url).bytes().await;
    });
    json!({ "later": true })
}

thread_local! {
    static LAST_CRON: RefCell<Value> = const { RefCell::new(Value::Null) };
}
static CRONS: AtomicU64 = AtomicU64::new(0);

/// Runs what a schedule has started: a fetch through the stack, whose time is recorded.
pub(crate) async fn on_cron(event: &ScheduledEvent) {
    let start = WorkerTimer::new().now();
    // The schedule is the only thing that a test can hand in.
    let url = event.cron();
    let client = client::<Full<Bytes>>();
    let fetched = client.get(&url).bytes().await;
    let told = json!({
        "runs": CRONS.fetch_add(1, Relaxed) + 1,
        "bytes": fetched.map_or(0, |bytes| bytes.len()),
        "ms": since(start),
    });
    LAST_CRON.with(|last| *last.borrow_mut() = told);
}

pub(crate) fn last_cron() -> Value {
    LAST_CRON.with(|last| last.borrow().clone())
}
