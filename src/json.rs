//! JSON that is never held whole: responses that stream rows, and bodies that are read item by item.
//!
//! # Writing
//!
//! [`JsonRows`] makes a response of a `Stream` of rows. A small set is answered whole, with its length and an `ETag`; a
//! larger one is streamed as the client reads it, so that the memory that it takes does not grow with the number of rows.
//!
//! ```
//! use futures_util::stream;
//! use http::Request;
//! use serde::Serialize;
//! use tower_egress::json::JsonRows;
//!
//! #[derive(Serialize)]
//! struct Repo {
//!     name: String,
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let request = Request::get("/api/repos").body(())?;
//! let repos = (0..3).map(|n| Ok::<_, std::io::Error>(Repo { name: format!("repo-{n}") }));
//! let response = JsonRows::array().respond(&request, stream::iter(repos)).await?;
//! assert_eq!(response.headers()["content-length"], "55");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! **An error is never a short success.** What fails before the first byte is returned, for the caller to answer with a
//! status. What fails later breaks the body off: an array is not closed, and the connection is aborted. Where a runtime
//! ends a failed body as if it were whole, as Workers do with one of unknown length, an array does not parse, and NDJSON
//! lacks [its last record](NDJSON_COUNT).
//!
//! # Reading
//!
//! [`JsonItems`] reads the items of an array, or of NDJSON, out of a body as they come, each up to a bound.
//!
//! ```
//! use futures_util::StreamExt;
//! use http_body_util::Full;
//! use tower_egress::json::JsonItems;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let body = Full::new(bytes::Bytes::from("[[1, 2], [3]]"));
//! let mut items = JsonItems::<_, Vec<u64>>::array(body);
//! let mut sum = 0;
//! while let Some(numbers) = items.next().await {
//!     sum += numbers?.iter().sum::<u64>();
//! }
//! assert_eq!(sum, 6);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod body;
mod conditional;
mod error;
mod items;
mod record;
mod rows;
mod scan;
mod writer;

pub use self::{
    body::JsonBody,
    error::{ItemError, RowError},
    items::JsonItems,
    record::{NDJSON_COUNT, NDJSON_ROW},
    rows::JsonRows,
};
