//! Items out of a body.

mod take;

use self::take::Read;
use super::{
    ItemError, record,
    scan::{Found, Scanner},
};
use crate::BoxError;
use bytes::{Buf, BufMut, BytesMut};
use futures_core::{Stream, stream::FusedStream};
use http_body::Body;
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;
use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// How many frames are read for one item before others get their turn.
const TURN: usize = 1024;

pin_project! {
    #[project = Parts]
    /// Reads the items of a JSON array, or of NDJSON, out of a body as they come.
    ///
    /// It holds one item and a frame of the body. Dropping it drops the body, and so does the end of the items, whichever it is.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use tower_egress::json::JsonItems;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// #[derive(serde::Deserialize)]
    /// struct Repo {
    ///     name: String,
    /// }
    ///
    /// // Any body will do: that of a response, of a request, or a text.
    /// let body = String::from("{\"name\": \"tower\", \"stars\": 3700}\n{\"name\": \"hyper\"}\n{\"$count\":2}\n");
    /// let mut repos = JsonItems::<_, Repo>::counted(body).with_max_item(64 * 1024);
    /// assert_eq!(repos.next().await.transpose()?.expect("a repo").name, "tower");
    /// assert_eq!(repos.next().await.transpose()?.expect("a repo").name, "hyper");
    /// assert!(repos.next().await.is_none(), "and the count was right");
    /// assert_eq!(repos.items(), 2);
    /// # Ok(()) }
    /// ```
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
        // Nothing once nothing more can come: a body holds a connection.
        #[pin]
        body: Option<B>,
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
            body: Some(body),
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
    /// A body that breaks off between two lines is not told from a whole one, and neither is one that breaks off within a
    /// number in its last line: `12` may have been `123`.
    pub fn ndjson(body: B) -> Self {
        Self::new(body, Scanner::lines(), Count::Unwanted)
    }

    /// Reads NDJSON whose last record [counts the others](super::NDJSON_COUNT), as [`JsonRows`](super::JsonRows) writes it. It is
    /// checked, and is no item. A row that [another one holds](super::NDJSON_ROW) is taken out of it.
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

impl<B, T> Stream for JsonItems<B, T>
where
    B: Body,
    B::Error: Into<BoxError>,
    T: DeserializeOwned,
{
    type Item = Result<T, ItemError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut frames = 0;
        loop {
            let mut this = self.as_mut().project();
            let items = *this.items;
            let next = match *this.phase {
                Phase::Done => return Poll::Ready(None),
                Phase::Rest if this.buffer.is_empty() => {
                    this.end();
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
                Found::Item(length) if !this.may_have(length) => self.too_large(),
                Found::Item(length) => match self.as_mut().take(length) {
                    Read::Counted => continue,
                    Read::Item(Err(error)) if error.is_final() => error,
                    Read::Item(item) => return Poll::Ready(Some(item)),
                },
                Found::More if this.buffer.len() > this.longest() => self.too_large(),
                Found::More if *this.phase == Phase::Rest => {
                    // Where a record is to follow, a line that is not at its end may be a part of one.
                    let is_cut =
                        *this.count == Count::Wanted && record::count_of(this.buffer).is_none();
                    if this.scanner.may_end() && !is_cut {
                        // The last line.
                        this.buffer.extend_from_slice(b"\n");
                        continue;
                    }
                    ItemError::Truncated { items }
                }
                Found::More if frames == TURN => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Found::More => {
                    frames += 1;
                    let frame = match this.body.as_mut().as_pin_mut() {
                        Some(body) => ready!(body.poll_frame(cx)),
                        None => None,
                    };
                    match frame {
                        None => {
                            this.body.set(None);
                            *this.phase = Phase::Rest;
                            continue;
                        }
                        Some(Ok(frame)) => {
                            if let Ok(data) = frame.into_data() {
                                this.buffer.put(data);
                            }
                            continue;
                        }
                        Some(Err(error)) => ItemError::Body {
                            items,
                            error: error.into(),
                        },
                    }
                }
            };
            self.as_mut().project().end();
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
