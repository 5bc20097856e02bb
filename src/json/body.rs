//! A body of rows.

use super::{RowError, writer::Writer};
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use serde::Serialize;
use std::{
    fmt,
    mem::replace,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// How many bytes of rows make a frame. Fewer go out when the source has no more for the moment.
const FRAME: usize = 16 * 1024;

/// The body of a response of [`JsonRows`](super::JsonRows).
///
/// It asks its source for rows when it is polled, and holds no more than a frame of them. Dropping it drops the source.
///
/// ```
/// use futures_util::stream;
/// use http::Request;
/// use http_body_util::BodyExt;
/// use tower_egress::json::{JsonRows, RowError};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rows = stream::iter([Ok(1), Ok(2), Err("the database is gone")]);
/// let streamed = JsonRows::array().with_threshold(0);
/// let mut body = streamed.respond(&Request::new(()), rows).await?.into_body();
/// let rows = body.frame().await.expect("some rows")?;
/// assert_eq!(rows.into_data().expect("no trailers"), "[1,2");
/// let end = body.frame().await.expect("an error");
/// assert!(matches!(end, Err(RowError::Source("the database is gone"))));
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`RowError`], after the rows before it; nothing follows.
#[must_use = "a body that is not read is cancelled"]
pub struct JsonBody<S, E> {
    state: State<S, E>,
}

enum State<S, E> {
    /// All that is to come.
    Whole(Bytes),
    Rows {
        // On the heap, for it was polled before there was a body.
        rows: Pin<Box<S>>,
        writer: Writer,
    },
    /// What came before it was handed over.
    Failed(RowError<E>),
}

impl<S, E> JsonBody<S, E> {
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self {
            state: State::Whole(bytes),
        }
    }

    /// Goes on behind what the writer has.
    pub(super) const fn rows(rows: Pin<Box<S>>, writer: Writer) -> Self {
        Self {
            state: State::Rows { rows, writer },
        }
    }

    /// Ends with what is left, and leaves the source.
    fn end(&mut self, state: State<S, E>) -> Option<Bytes> {
        match replace(&mut self.state, state) {
            State::Rows { mut writer, .. } => Some(writer.take()).filter(|left| !left.is_empty()),
            _ => None,
        }
    }
}

/// What it polls is on the heap.
impl<S, E> Unpin for JsonBody<S, E> {}

impl<S, T, E> Body for JsonBody<S, E>
where
    S: Stream<Item = Result<T, E>>,
    T: Serialize,
{
    type Data = Bytes;
    type Error = RowError<E>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RowError<E>>>> {
        let nothing = || State::Whole(Bytes::new());
        let data = match &mut self.state {
            State::Rows { rows, writer } => match ready!(poll_rows(rows.as_mut(), writer, cx)) {
                Ok(Progress::Frame) => Some(writer.take()),
                Ok(Progress::End) => {
                    writer.end();
                    self.end(nothing())
                }
                Err(error) => self.end(State::Failed(error)),
            },
            State::Whole(bytes) if !bytes.is_empty() => Some(std::mem::take(bytes)),
            _ => None,
        };
        if let Some(data) = data {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(match replace(&mut self.state, nothing()) {
            State::Failed(error) => Some(Err(error)),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.state, State::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Whole(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            _ => SizeHint::default(),
        }
    }
}

enum Progress {
    /// There is something to hand over.
    Frame,
    /// There are no more rows.
    End,
}

/// Writes rows until they make a frame, or there are none for the moment.
fn poll_rows<S, T, E>(
    mut rows: Pin<&mut S>,
    writer: &mut Writer,
    cx: &mut Context<'_>,
) -> Poll<Result<Progress, RowError<E>>>
where
    S: Stream<Item = Result<T, E>>,
    T: Serialize,
{
    while writer.len() < FRAME {
        match rows.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(row))) => writer.write(&row)?,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(RowError::Source(error))),
            Poll::Ready(None) => return Poll::Ready(Ok(Progress::End)),
            Poll::Pending if writer.len() == 0 => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(Ok(Progress::Frame))
}

impl<S, E> fmt::Debug for JsonBody<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Whole(bytes) => write!(f, "JsonBody({} bytes)", bytes.len()),
            State::Rows { writer, .. } => write!(f, "JsonBody({} rows so far)", writer.rows()),
            State::Failed(_) => f.write_str("JsonBody(failed)"),
        }
    }
}
