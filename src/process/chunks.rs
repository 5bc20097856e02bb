//! Several items at once.

use futures_core::Stream;
use pin_project_lite::pin_project;
use std::{
    fmt, mem,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// The items of a stream, several at a time; made by [`Process::chunks`](super::Process::chunks).
    ///
    /// All chunks are full but the last one. One that is not full is not handed over before the stream ends.
    ///
    /// ```
    /// use std::{convert::Infallible, num::NonZeroUsize};
    /// use tower_egress::{TokioTimer, process::Process};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let four = NonZeroUsize::new(4).unwrap();
    /// let chunks = Process::iter(0..10, TokioTimer::new()).chunks(four);
    /// let (chunks, _) = chunks.collect(async |chunk: Vec<u32>| Ok::<_, Infallible>(chunk)).await;
    /// assert_eq!(chunks, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    /// # }
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct Chunks<S: Stream> {
        // Nothing once it has ended.
        #[pin]
        stream: Option<S>,
        size: NonZeroUsize,
        chunk: Vec<S::Item>,
    }
}

impl<S: Stream> Chunks<S> {
    pub(super) const fn new(stream: S, size: NonZeroUsize) -> Self {
        Self {
            stream: Some(stream),
            size,
            chunk: Vec::new(),
        }
    }
}

impl<S: Stream> Stream for Chunks<S> {
    type Item = Vec<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        while let Some(stream) = this.stream.as_mut().as_pin_mut() {
            match ready!(stream.poll_next(cx)) {
                None => this.stream.set(None),
                Some(item) => {
                    this.chunk.push(item);
                    if this.chunk.len() >= this.size.get() {
                        break;
                    }
                }
            }
        }
        let chunk = mem::take(this.chunk);
        Poll::Ready((!chunk.is_empty()).then_some(chunk))
    }
}

impl<S: Stream> fmt::Debug for Chunks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("size", &self.size)
            .field("collected", &self.chunk.len())
            .finish_non_exhaustive()
    }
}
