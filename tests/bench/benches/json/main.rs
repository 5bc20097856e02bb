//! What it costs to stream a million rows as JSON, beside one `serde_json::to_vec` of them all.
//!
//! The figures are ratios of the least of some rounds in turn. To make the rows is a part of both.

use bytes::Bytes;
use http::Request;
use http_body::Body;
use serde::Serialize;
use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tower_egress::{
    Clock, TokioTimer,
    json::{JsonItems, JsonRows},
};

const ROWS: u64 = 1_000_000;
const ROUNDS: u32 = 5;

#[derive(Serialize, serde::Deserialize)]
struct Row {
    id: u64,
    name: String,
    stars: u64,
}

fn rows() -> impl Iterator<Item = Row> {
    (0..ROWS).map(|id| Row {
        id,
        name: format!("owner/repository-{id}"),
        stars: id * 7,
    })
}

fn at_once() -> usize {
    let all: Vec<_> = rows().collect();
    serde_json::to_vec(&all).map_or(0, |json| json.len())
}

/// Takes what does not wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it does not wait"),
    }
}

fn body(
    json: &JsonRows,
) -> impl Body<Data = Bytes, Error: Into<tower_egress::BoxError> + std::fmt::Debug> + use<> {
    let rows = futures_util::stream::iter(rows().map(Ok::<_, Infallible>));
    let response = now(json.respond(&Request::new(()), rows));
    response
        .unwrap_or_else(|error| panic!("{error}"))
        .into_body()
}

fn streamed(json: &JsonRows) -> usize {
    let mut body = pin!(body(json));
    let mut length = 0;
    loop {
        match now(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))) {
            Some(Ok(frame)) => length += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(error)) => panic!("{error:?}"),
            None => return length,
        }
    }
}

fn read_back() -> usize {
    let mut items = pin!(JsonItems::<_, Row>::array(body(&JsonRows::array())));
    let mut count = 0;
    while let Some(item) = now(futures_util::StreamExt::next(&mut items)) {
        count += usize::from(item.is_ok());
    }
    count
}

/// What it is called, and what it does.
type Way = (&'static str, fn() -> usize);

fn main() {
    let clock = TokioTimer::new();
    let ways: [Way; 4] = [
        ("serde_json::to_vec", at_once),
        ("JsonRows, streamed", || streamed(&JsonRows::array())),
        ("JsonRows, streamed as NDJSON", || {
            streamed(&JsonRows::ndjson())
        }),
        ("JsonRows, and read by JsonItems", read_back),
    ];
    let mut least = [f64::INFINITY; 4];
    let mut held = [0; 4];
    for _ in 0..ROUNDS {
        for (way, (_, run)) in ways.iter().enumerate() {
            let start = clock.now();
            let info = allocation_counter::measure(|| {
                std::hint::black_box(run());
            });
            least[way] = least[way].min((clock.now() - start).as_secs_f64());
            held[way] = info.bytes_max;
        }
    }
    println!(
        "{ROWS} rows of {} bytes, best of {ROUNDS} rounds",
        at_once()
    );
    for (way, (name, _)) in ways.iter().enumerate() {
        println!(
            "{name:<34} {:>7.0} ms  {:>5.2} times  {:>10} bytes held at most",
            least[way] * 1e3,
            least[way] / least[0],
            held[way]
        );
    }
}
