//! A request body that can be sent again, if its size allows it.

use crate::collect::Collected;
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// What [`Backoff`](crate::Backoff) sends: a body that was read into memory, or the caller's own.
    ///
    /// A body in memory can be sent any number of times and knows its exact size, so a transport announces its
    /// `Content-Length`; one that wants bytes instead of a stream asks [`as_bytes`](Self::as_bytes). The caller's own
    /// body is passed on frame by frame, with the size it states itself, and can be sent once.
    pub struct ReplayBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Buffered {
            // Taken by the first poll.
            data: Option<Bytes>,
            // Boxed: they are rare, and a header map is larger than all the rest.
            trailers: Option<Box<HeaderMap>>,
        },
        Streamed {
            #[pin]
            body: B,
        },
    }
}

impl<B> ReplayBody<B> {
    /// Makes a body of these bytes, which can be sent again.
    pub fn buffered(bytes: Bytes) -> Self {
        Self::whole((bytes, None))
    }

    /// Wraps a body that is sent as it comes, and once.
    pub const fn streamed(body: B) -> Self {
        Self {
            kind: Kind::Streamed { body },
        }
    }

    pub(crate) fn whole((data, trailers): Collected) -> Self {
        Self {
            kind: Kind::Buffered {
                data: Some(data),
                trailers,
            },
        }
    }

    /// Returns the whole body, if it is in memory and nothing was read from it yet.
    ///
    /// For transports that take bytes: they keep the length and may send them again themselves, as on a redirect with
    /// status 307. Trailers are not among the bytes.
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Buffered { data, .. } => data.as_ref(),
            Kind::Streamed { .. } => None,
        }
    }

    /// Returns a copy to send again, if the body is in memory and nothing was read from it yet.
    ///
    /// The copy shares the bytes.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.kind {
            Kind::Buffered {
                data: Some(data),
                trailers,
            } => Some(Self::whole((data.clone(), trailers.clone()))),
            Kind::Buffered { data: None, .. } | Kind::Streamed { .. } => None,
        }
    }
}

impl<B> From<Bytes> for ReplayBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::buffered(bytes)
    }
}

impl<B: Body> Body for ReplayBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Buffered { data, trailers } => {
                let data = data.take().filter(|data| !data.is_empty());
                let frame = match data {
                    Some(data) => Some(Frame::data(data)),
                    None => trailers.take().map(|trailers| Frame::trailers(*trailers)),
                };
                Poll::Ready(frame.map(Ok))
            }
            // Does not copy what is `Bytes` already.
            KindProj::Streamed { body } => body
                .poll_frame(cx)
                .map_ok(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Buffered { data, trailers } => {
                trailers.is_none() && data.as_ref().is_none_or(Bytes::is_empty)
            }
            Kind::Streamed { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Buffered { data, .. } => {
                let left = data.as_ref().map_or(0, Bytes::len);
                // A usize is not wider than 64 bits on any target of std.
                SizeHint::with_exact(u64::try_from(left).unwrap_or(u64::MAX))
            }
            Kind::Streamed { body } => body.size_hint(),
        }
    }
}

/// Shows lengths, not contents.
impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Buffered { data, trailers } => f
                .debug_struct("Buffered")
                .field("left", &data.as_ref().map_or(0, Bytes::len))
                .field("trailers", &trailers.is_some())
                .finish(),
            Kind::Streamed { .. } => f.debug_struct("Streamed").finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Empty, Full};
    use std::{convert::Infallible, pin::pin};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn frames<B: Body>(body: ReplayBody<B>) -> Vec<Frame<Bytes>> {
        let mut body = pin!(body);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut frames = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) {
            frames.push(frame);
        }
        frames
    }

    /// B6
    #[test]
    fn bytes_can_be_sent_again_until_they_are_read() {
        let mut body: ReplayBody<Full<Bytes>> = Bytes::from_static(b"payload").into();
        assert_eq!(
            body.as_bytes().map(|bytes| &bytes[..]),
            Some(&b"payload"[..])
        );
        assert_eq!(body.size_hint().exact(), Some(7));
        assert!(!body.is_end_stream());
        let copy = body.try_clone().expect("nothing was read");

        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
        assert!(
            body.as_bytes().is_none(),
            "these would not be all the bytes"
        );
        assert!(body.try_clone().is_none());
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));

        let sent = frames(copy);
        assert_eq!(sent.len(), 1);
        assert_eq!(
            sent[0].data_ref().map(|data| &data[..]),
            Some(&b"payload"[..])
        );
    }

    #[test]
    fn an_empty_body_is_at_its_end_at_once() {
        let body: ReplayBody<Empty<Bytes>> = ReplayBody::buffered(Bytes::new());
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.try_clone().is_some());
        assert!(frames(body).is_empty(), "no empty frame");
    }

    /// B6
    #[test]
    fn trailers_come_last_and_are_copied() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", "abc".parse().unwrap());
        for data in ["", "data"] {
            let body: ReplayBody<Empty<Bytes>> =
                ReplayBody::whole((Bytes::from(data), Some(Box::new(trailers.clone()))));
            assert!(!body.is_end_stream());
            let sent = frames(body.try_clone().unwrap());
            assert_eq!(sent.last().and_then(Frame::trailers_ref), Some(&trailers));
            assert_eq!(sent.len(), 1 + usize::from(!data.is_empty()));
        }
    }

    /// B6
    #[test]
    fn a_stream_is_passed_on_as_it_is() {
        let known = ReplayBody::streamed(Full::<Bytes>::from("0123456789"));
        assert_eq!(known.size_hint().exact(), Some(10));
        assert!(known.as_bytes().is_none() && known.try_clone().is_none());
        assert_eq!(frames(known).len(), 1);

        let unknown = ReplayBody::streamed(Chunks(["a", "bc"].into_iter()));
        assert_eq!(unknown.size_hint().exact(), None);
        let sent: Vec<_> = frames(unknown)
            .into_iter()
            .filter_map(|frame| frame.into_data().ok())
            .collect();
        assert_eq!(sent, ["a", "bc"]);
    }

    struct Chunks<I>(I);

    impl<I: Iterator<Item = &'static str> + Unpin> Body for Chunks<I> {
        type Data = &'static [u8];
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
            Poll::Ready(self.0.next().map(|chunk| Ok(Frame::data(chunk.as_bytes()))))
        }
    }

    #[test]
    fn debug_shows_no_contents() {
        let body: ReplayBody<Empty<Bytes>> = Bytes::from_static(b"secret").into();
        assert_eq!(format!("{body:?}"), "Buffered { left: 6, trailers: false }");
        let body = ReplayBody::streamed(Full::<Bytes>::from("secret"));
        assert_eq!(format!("{body:?}"), "Streamed { .. }");
    }
}
