//! Rows as JSON: memory that does not grow with their number.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::Request;
use http_body::Body;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use tower_egress::json::{JsonItems, JsonRows, RowError};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Row {
    id: u64,
    name: String,
    stars: Option<u64>,
}

fn row(id: u64) -> Row {
    Row {
        id,
        name: format!("owner/repository-{id}"),
        stars: Some(id * 7).filter(|stars| stars % 3 != 0),
    }
}

/// A response of so many rows.
fn body(
    json: &JsonRows,
    rows: u64,
) -> impl Body<Data = Bytes, Error = RowError<Infallible>> + use<> {
    let rows = stream::iter((0..rows).map(|id| Ok::<_, Infallible>(row(id))));
    let request = Request::new(());
    let response = json.respond(&request, rows).now_or_never().unwrap();
    response.unwrap().into_body()
}

/// Reads them all, and returns how many bytes they were and the most that was held at once.
fn read(rows: u64) -> (usize, u64) {
    let mut length = 0;
    let held = allocation_counter::measure(|| {
        let mut body = Box::pin(body(&JsonRows::array(), rows));
        while let Some(frame) = body.frame().now_or_never().unwrap() {
            length += frame.unwrap().into_data().unwrap().len();
        }
    });
    (length, held.bytes_max)
}

#[test]
fn a_million_rows_take_no_more_memory_than_a_thousand() {
    let (_, few) = read(1000);
    let (length, many) = read(1_000_000);
    assert!(length > 40_000_000, "{length} bytes went through");
    assert!(
        few < 100_000 && many <= few + 1000,
        "{few} and {many} bytes"
    );
}

#[test]
fn a_hundred_thousand_rows_are_read_back_one_by_one() {
    let mut items = 0;
    let held = allocation_counter::measure(|| {
        let body = body(&JsonRows::ndjson(), 100_000);
        let mut read = Box::pin(JsonItems::<_, Row>::counted(body));
        while let Some(item) = read.next().now_or_never().unwrap() {
            assert_eq!(item.unwrap(), row(items));
            items += 1;
        }
    });
    assert_eq!(items, 100_000);
    assert!(held.bytes_max < 200_000, "{} bytes", held.bytes_max);
}
