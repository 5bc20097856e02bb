//! Rows as JSON: memory that does not grow with their number.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::Request;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use serde::{Deserialize, Serialize, de::IgnoredAny};
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

/// One large row must not have the body hold so much until its end.
#[test]
fn a_large_row_is_given_back() {
    let rows = (0..100_000).map(|id| {
        Ok::<_, Infallible>(match id {
            60 => "x".repeat(8 << 20),
            _ => String::from("small"),
        })
    });
    let request = Request::new(());
    let json = JsonRows::array();
    let response = json.respond(&request, stream::iter(rows));
    let mut body = response.now_or_never().unwrap().unwrap().into_body();
    let held = allocation_counter::measure(|| {
        let mut longest = 0;
        for _ in 0..5 {
            let frame = body.frame().now_or_never().unwrap().unwrap().unwrap();
            longest = longest.max(frame.into_data().unwrap().len());
        }
        assert!(longest > 8 << 20);
    });
    assert!(
        held.bytes_current < 100_000,
        "{} bytes are held",
        held.bytes_current
    );
}

#[test]
fn a_large_item_is_given_back() {
    let large = Bytes::from(format!("[\"{}\"", "x".repeat(8 << 20)));
    let pieces = large.len().div_ceil(16_000);
    let large =
        (0..pieces).map(move |n| large.slice(n * 16_000..large.len().min((n + 1) * 16_000)));
    let small = std::iter::repeat_n(Bytes::from_static(b",\"small\",\"small\""), 1000);
    let frames = large
        .chain(small)
        .map(|data| Ok::<_, Infallible>(Frame::data(data)));
    let body = StreamBody::new(stream::iter(frames));
    let mut items = Box::pin(JsonItems::<_, IgnoredAny>::array(body).with_max_item(9 << 20));
    let held = allocation_counter::measure(|| {
        for _ in 0..100 {
            items.next().now_or_never().unwrap().unwrap().unwrap();
        }
    });
    assert!(held.bytes_max > 8 << 20);
    assert!(
        held.bytes_current < 100_000,
        "{} bytes are held",
        held.bytes_current
    );
}
