//! The record behind the last row of NDJSON, and how rows are told from it.

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

/// The name of the only member of the last record of NDJSON, which counts the rows before it: `{"$count":3}`.
///
/// NDJSON has no end of its own: without that record a reader could not tell a part from the whole.
/// [`JsonItems::counted`](super::JsonItems::counted) checks it.
///
/// A row may look like it. Such a row is written inside of [another](NDJSON_ROW), so the record is what it says wherever it stands.
///
/// ```
/// use tower_egress::json::NDJSON_COUNT;
///
/// // What a reader without `JsonItems` has to look for.
/// let lines = "1\n2\n{\"$count\":2}\n";
/// let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap())?;
/// assert_eq!(last[NDJSON_COUNT], 2);
/// # Ok::<_, serde_json::Error>(())
/// ```
pub const NDJSON_COUNT: &str = "$count";

/// The name of the only member of a row that holds another one: `{"$row":{"$count":3}}`.
///
/// A row that is an object with no other member than [`$count`](NDJSON_COUNT), a whole number, could be taken for the record that
/// counts, and a body that broke off behind it for a whole one. So it is written as the only member of an object, and so is
/// one that looks like such an object itself; all others are written as they are. [`JsonItems::counted`](super::JsonItems::counted) takes
/// them out again; whoever reads the lines by other means has to do that as well.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use http::Request;
/// use http_body_util::BodyExt;
/// use serde_json::{Value, json};
/// use std::convert::Infallible;
/// use tower_egress::json::{JsonItems, JsonRows};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let row = json!({"$count": 0});
/// let rows = stream::iter([Ok::<_, Infallible>(row.clone())]);
/// let response = JsonRows::ndjson().respond(&Request::new(()), rows).await?;
/// let bytes = response.into_body().collect().await?.to_bytes();
/// assert_eq!(bytes, "{\"$row\":{\"$count\":0}}\n{\"$count\":1}\n");
///
/// let mut items = JsonItems::<_, Value>::counted(http_body_util::Full::new(bytes));
/// assert_eq!(items.next().await.transpose()?, Some(row));
/// # Ok(()) }
/// ```
pub const NDJSON_ROW: &str = "$row";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counting {
    #[serde(rename = "$count")]
    count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holding<T> {
    #[serde(rename = "$row")]
    row: T,
}

/// Returns what the record says, if this line is the one that counts.
pub(super) fn count_of(line: &[u8]) -> Option<u64> {
    let counting: Option<Counting> = may_be_one(line)
        .then(|| serde_json::from_slice(line).ok())
        .flatten();
    Some(counting?.count)
}

/// Tells whether this line holds a row.
pub(super) fn holds_a_row(line: &[u8]) -> bool {
    may_be_one(line) && serde_json::from_slice::<Holding<IgnoredAny>>(line).is_ok()
}

/// Reads the row that a line holds.
pub(super) fn held<T: DeserializeOwned>(line: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice::<Holding<T>>(line).map(|holding| holding.row)
}

/// Spares most lines a closer look: it is an object, and its first name begins with a dollar, or with an escape that may
/// stand for one. (An array would do for serde.)
fn may_be_one(line: &[u8]) -> bool {
    let inside = line.trim_ascii_start().strip_prefix(b"{");
    let name = inside.and_then(|inside| inside.trim_ascii_start().strip_prefix(b"\""));
    matches!(name, Some([b'$' | b'\\', ..]))
}
