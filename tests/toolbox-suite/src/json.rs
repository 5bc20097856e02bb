//! Rows and items.

use crate::{same, text};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use std::{convert::Infallible, fmt::Display};
use tower_egress::{
    BoxError, Timer,
    json::{ItemError, JsonBody, JsonItems, JsonRows, NDJSON_COUNT, NDJSON_ROW, RowError},
};

/// A body that comes in pieces of so many bytes, and fails at its end or not.
fn pieces(
    text: &str,
    size: usize,
    fails: bool,
) -> impl Body<Data = Bytes, Error = BoxError> + use<> {
    let frames: Vec<_> = text
        .as_bytes()
        .chunks(size)
        .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
        .chain(fails.then(|| Err("lost".into())))
        .collect();
    StreamBody::new(stream::iter(frames))
}

/// Reads all items, and the error at the end.
async fn read<B>(items: JsonItems<B, Value>) -> (Vec<Value>, Option<ItemError>)
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut items = std::pin::pin!(items);
    let mut good = Vec::new();
    while let Some(item) = items.next().await {
        match item {
            Ok(item) => good.push(item),
            Err(error) => return (good, Some(error)),
        }
    }
    (good, None)
}

async fn respond<E>(
    json: &JsonRows,
    rows: Vec<Result<Value, E>>,
) -> Result<Response<JsonBody<stream::Iter<std::vec::IntoIter<Result<Value, E>>>, E>>, RowError<E>>
{
    json.respond(&Request::new(()), stream::iter(rows)).await
}

/// The whole body, as text.
async fn whole<B>(body: B) -> Result<String, String>
where
    B: Body<Data = Bytes>,
    B::Error: Display,
{
    let bytes = body.collect().await.map_err(text)?.to_bytes();
    String::from_utf8(bytes.into()).map_err(text)
}

pub(crate) async fn small_sets_are_whole_and_larger_ones_streamed<T: Timer>(
    _: T,
) -> Result<(), String> {
    for (rows, is_whole) in [(0, true), (50, true), (51, false), (5000, false)] {
        let numbers = (0..rows).map(|n| Ok::<_, Infallible>(json!(n))).collect();
        let response = respond(&JsonRows::array(), numbers).await.map_err(text)?;
        let length = response.headers().contains_key("content-length");
        same("it has a length", length, is_whole)?;
        let read: Vec<u32> =
            serde_json::from_str(&whole(response.into_body()).await?).map_err(text)?;
        same("rows", read, (0..rows).collect())?;
    }
    Ok(())
}

pub(crate) async fn an_error_is_no_short_success<T: Timer>(_: T) -> Result<(), String> {
    let failing = |after: u32| {
        let rows = (0..after).map(|n| Ok(json!(n)));
        rows.chain([Err("gone")]).collect()
    };
    let early = respond(&JsonRows::array(), failing(50)).await;
    same(
        "early",
        matches!(early, Err(RowError::Source("gone"))),
        true,
    )?;
    let late = respond(&JsonRows::array(), failing(51))
        .await
        .map_err(text)?;
    let late = late.into_body().collect().await;
    same("late", matches!(late, Err(RowError::Source("gone"))), true)
}

/// Whatever the rows, and wherever the body breaks off.
pub(crate) async fn a_part_is_told_from_the_whole<T: Timer>(_: T) -> Result<(), String> {
    let rows = [
        json!(0),
        json!({ NDJSON_COUNT: 1 }),
        json!({ NDJSON_ROW: { NDJSON_COUNT: 2 } }),
        json!({ NDJSON_COUNT: 3 }),
    ];
    let source = rows.clone().map(Ok::<_, Infallible>).into();
    let response = respond(&JsonRows::ndjson(), source).await.map_err(text)?;
    let written = whole(response.into_body()).await?;
    for size in [1, 7, 1000] {
        let (read, error) = read(JsonItems::counted(pieces(&written, size, false))).await;
        same("complaint", error.map(text), None)?;
        same("rows", read, rows.to_vec())?;
    }
    for cut in 0..written.len() - 1 {
        let items = JsonItems::counted(pieces(&written[..cut], 10, false));
        let (part, error) = read(items).await;
        same("its rows are rows", rows.starts_with(&part), true)?;
        let is_told = matches!(error, Some(ItemError::Truncated { .. }));
        same("it is told", is_told, true)?;
    }
    Ok(())
}

pub(crate) async fn items_come_one_by_one<T: Timer>(_: T) -> Result<(), String> {
    let array = "[{\"a\": \"[,\\\"\"}, [1, [2]], \"é\", 3]";
    let expected: Vec<Value> = serde_json::from_str(array).map_err(text)?;
    for size in 1..array.len() {
        let (items, error) = read(JsonItems::array(pieces(array, size, false))).await;
        same("complaint", error.map(text), None)?;
        same("items", &items, &expected)?;
    }
    // Those that are there do not wait for those that are not.
    let begun = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(
        b"1\n2\n3",
    )))]);
    let body = StreamBody::new(begun.chain(stream::pending()));
    let mut items = std::pin::pin!(JsonItems::<_, u32>::ndjson(body));
    let mut come = 0;
    while let Some(Some(Ok(item))) = items.next().now_or_never() {
        come += 1;
        same("item", item, come)?;
    }
    same("items that are there", come, 2)
}

pub(crate) async fn bad_items_are_told<T: Timer>(_: T) -> Result<(), String> {
    let large = JsonItems::array(pieces("[1, \"23456\", 7]", 3, false)).with_max_item(6);
    let (good, error) = read(large).await;
    let is_large = matches!(
        error,
        Some(ItemError::TooLarge {
            items: 1,
            limit: 6,
            ..
        })
    );
    same("too large", (good.len(), is_large), (1, true))?;

    let (good, error) = read(JsonItems::array(pieces("[1, 2, 3", 3, true))).await;
    let is_lost = matches!(error, Some(ItemError::Body { items: 2, .. }));
    same("lost", (good.len(), is_lost), (2, true))?;

    let mut items = std::pin::pin!(JsonItems::<_, u32>::array(pieces(
        "[1, \"x\", 3]",
        3,
        false
    )));
    let (mut good, mut other) = (0, 0);
    while let Some(item) = items.next().await {
        match item {
            Ok(_) => good += 1,
            Err(error) if !error.is_final() => other += 1,
            Err(error) => return Err(text(error)),
        }
    }
    same("passed over", (good, other), (2, 1))
}
