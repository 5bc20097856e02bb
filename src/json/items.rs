//! Items out of a body.

use super::{
    ItemError,
    scan::{Found, Scanner},
};
use crate::{BoxError, fetch::DecodeError};
use bytes::{Buf, BytesMut};
use futures_core::{Stream, stream::FusedStream};
use http_body::Body;
use pin_project_lite::pin_project;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::error::Category;
use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// Reads the items of a JSON array, or of NDJSON, out of a body as they come.
    ///
    /// It holds one item and a frame of the body. Dropping it drops the body.
    ///
    /// # Defaults
    ///
    /// - An item has at most **1 MiB**, with the white space around it.
    ///
    /// # Errors
    ///
    /// [`ItemError`]. An item of another shape is passed over, and the next can be read; nothing comes after any other
    /// error. A body that ends before its JSON does is one.
    ///
    /// # Cancel safety
    ///
    /// `next` may be dropped and called again.
    #[must_use = "streams do nothing unless polled"]
    pub struct JsonItems<B, T> {
        #[pin]
        body: B,
        scanner: Scanner,
        buffer: BytesMut,
        items: u64,
        max_item: usize,
        count: Count,
        phase: Phase,
        item: PhantomData<fn() -> T>,
    }
}

/// The record that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Unwanted,
    Wanted,
    Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// The body is at its end, the buffer may not be.
    Rest,
    Done,
}

impl<B, T> JsonItems<B, T> {
    fn new(body: B, scanner: Scanner, count: Count) -> Self {
        Self {
            body,
            scanner,
            buffer: BytesMut::new(),
            items: 0,
            max_item: 1 << 20,
            count,
            phase: Phase::Reading,
            item: PhantomData,
        }
    }

    /// Reads an array.
    pub fn array(body: B) -> Self {
        Self::new(body, Scanner::array(), Count::Unwanted)
    }

    /// Reads NDJSON: one item in each line. Empty lines are passed over.
    ///
    /// A body that breaks off between two lines is not told from a whole one.
    pub fn ndjson(body: B) -> Self {
        Self::new(body, Scanner::lines(), Count::Unwanted)
    }

    /// Reads NDJSON whose last record [counts the others](super::NDJSON_COUNT), as [`JsonRows`](super::JsonRows) writes it. It is
    /// checked, and is no item.
    pub fn counted(body: B) -> Self {
        Self::new(body, Scanner::lines(), Count::Wanted)
    }

    /// Sets how many bytes an item has at most.
    pub fn with_max_item(mut self, bytes: usize) -> Self {
        self.max_item = bytes;
        self
    }

    /// Returns how many items were read, those of another shape included.
    pub const fn items(&self) -> u64 {
        self.items
    }
}

/// What became of an item.
enum Read<T> {
    Item(Result<T, ItemError>),
    /// It was the record that counts.
    Counted,
}

impl<B, T> Stream for JsonItems<B, T>
where
    B: Body,
    B::Error: Into<BoxError>,
    T: DeserializeOwned,
{
    type Item = Result<T, ItemError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let this = self.as_mut().project();
            let items = *this.items;
            let next = match *this.phase {
                Phase::Done => return Poll::Ready(None),
                Phase::Rest if this.buffer.is_empty() => {
                    *this.phase = Phase::Done;
                    let is_whole = this.scanner.may_end() && *this.count != Count::Wanted;
                    return Poll::Ready((!is_whole).then_some(Err(ItemError::Truncated { items })));
                }
                Phase::Rest | Phase::Reading => this.scanner.scan(this.buffer),
            };
            let error = match next {
                Found::Skip(length) => {
                    this.buffer.advance(length);
                    continue;
                }
                Found::Wrong => ItemError::Syntax { items },
                Found::Item(length) if length > *this.max_item => self.too_large(),
                Found::Item(length) => match self.as_mut().take(length) {
                    Read::Counted => continue,
                    Read::Item(Err(error)) if error.is_final() => error,
                    Read::Item(item) => return Poll::Ready(Some(item)),
                },
                Found::More if this.buffer.len() > *this.max_item => self.too_large(),
                Found::More if *this.phase == Phase::Rest => {
                    if this.scanner.may_end() {
                        // The last line.
                        this.buffer.extend_from_slice(b"\n");
                        continue;
                    }
                    ItemError::Truncated { items }
                }
                Found::More => match ready!(this.body.poll_frame(cx)) {
                    None => {
                        *this.phase = Phase::Rest;
                        continue;
                    }
                    Some(Err(error)) => ItemError::Body {
                        items,
                        error: error.into(),
                    },
                    Some(Ok(frame)) => {
                        if let Ok(mut data) = frame.into_data() {
                            while data.has_remaining() {
                                let chunk = data.chunk();
                                let length = chunk.len();
                                this.buffer.extend_from_slice(chunk);
                                data.advance(length);
                            }
                        }
                        continue;
                    }
                },
            };
            *self.as_mut().project().phase = Phase::Done;
            return Poll::Ready(Some(Err(error)));
        }
    }
}

impl<B, T> FusedStream for JsonItems<B, T>
where
    B: Body,
    B::Error: Into<BoxError>,
    T: DeserializeOwned,
{
    fn is_terminated(&self) -> bool {
        self.phase == Phase::Done
    }
}

impl<B, T: DeserializeOwned> JsonItems<B, T> {
    const fn too_large(&self) -> ItemError {
        ItemError::TooLarge {
            items: self.items,
            limit: self.max_item,
        }
    }

    /// Takes an item and the byte behind it off the buffer.
    fn take(self: Pin<&mut Self>, length: usize) -> Read<T> {
        let this = self.project();
        let items = *this.items;
        let bytes = this.buffer.split_to(length);
        this.buffer.advance(1);
        if *this.count == Count::Read {
            return Read::Item(Err(ItemError::Syntax { items }));
        }
        if *this.count == Count::Wanted
            && let Some(said) = count_of(&bytes)
        {
            *this.count = Count::Read;
            return if said == items {
                Read::Counted
            } else {
                Read::Item(Err(ItemError::Miscounted { items, said }))
            };
        }
        let item = serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
            Category::Data => ItemError::Shape {
                items,
                error: DecodeError::new(&error),
            },
            _ => ItemError::Syntax { items },
        });
        // What serde stops reading at is not looked at further.
        let item = match item {
            Err(ItemError::Shape { .. }) if !is_json(&bytes) => Err(ItemError::Syntax { items }),
            item => item,
        };
        if !matches!(item, Err(ItemError::Syntax { .. })) {
            *this.items += 1;
        }
        Read::Item(item)
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// The record that counts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counting {
    #[serde(rename = "$count")]
    count: u64,
}

/// Returns what the record says, if it is the one that counts.
fn count_of(bytes: &[u8]) -> Option<u64> {
    // An array would do for serde.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let counting: Counting = serde_json::from_slice(bytes).ok()?;
    Some(counting.count)
}

impl<B, T> fmt::Debug for JsonItems<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonItems")
            .field("items", &self.items)
            .field("buffered", &self.buffer.len())
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
