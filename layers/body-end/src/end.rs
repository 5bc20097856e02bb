//! The ways in which a body ends, and the guard that tells which.

use http::{Method, StatusCode};
use http_body::{Body, Frame};
use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Poll,
};

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyEnd {
    /// It was read to its end, trailers included, or its owner was told that nothing more would come and stopped there.
    Complete,
    /// It yielded an error.
    Failed,
    /// Its owner dropped it before its end.
    Dropped,
}

/// Is told how a body ended. Implemented for closures.
pub trait OnBodyEnd {
    /// Takes note of the end. Runs in the owner's poll or drop: it must not block.
    fn on_body_end(self, end: BodyEnd);
}

impl<F: FnOnce(BodyEnd)> OnBodyEnd for F {
    fn on_body_end(self, end: BodyEnd) {
        self(end);
    }
}

/// What a body's `poll_frame` returns.
pub type PolledFrame<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

/// Calls its handler exactly once: when the body it watches has ended, or when it is dropped before that.
///
/// It looks at the body after each poll and at no other time. An end that a body learns of between two polls, like an
/// HTTP/2 `END_STREAM` that arrives when the last frame was taken, is reported with the next poll; with the drop, if the
/// owner was [told](Self::tell) of it.
pub struct EndGuard<H: OnBodyEnd> {
    handler: Option<H>,
    // Relaxed: whoever drops the guard is after all who had a reference to it.
    is_known: AtomicBool,
}

impl<H: OnBodyEnd> EndGuard<H> {
    /// Starts to watch `body`; one that is already at its end is reported at once.
    pub fn new<B: Body>(body: &B, handler: H) -> Self {
        let mut guard = Self {
            handler: Some(handler),
            is_known: AtomicBool::new(false),
        };
        if body.is_end_stream() {
            guard.end(BodyEnd::Complete);
        }
        guard
    }

    /// Looks at what `body` has just returned from `poll_frame`.
    pub fn observe<B: Body>(&mut self, body: &B, frame: &PolledFrame<B>) {
        match frame {
            Poll::Pending => {}
            Poll::Ready(None) => self.end(BodyEnd::Complete),
            Poll::Ready(Some(Err(_))) => self.end(BodyEnd::Failed),
            // Trailers are the last frame there is, whatever the body says of itself.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() || body.is_end_stream() => {
                self.end(BodyEnd::Complete);
            }
            // Who was told that nothing more comes was told wrong.
            Poll::Ready(Some(Ok(_))) => *self.is_known.get_mut() = false,
        }
    }

    /// Passes on what the body has just told its owner of its [end](Body::is_end_stream).
    ///
    /// An owner who knows that nothing more will come need not poll again. When it drops the body then, that was read to its
    /// end.
    pub fn tell(&self, is_end_stream: bool) -> bool {
        if is_end_stream {
            self.is_known.store(true, Relaxed);
        }
        is_end_stream
    }

    /// Reports `end`, unless an end was reported before.
    pub fn end(&mut self, end: BodyEnd) {
        if let Some(handler) = self.handler.take() {
            handler.on_body_end(end);
        }
    }

    /// Tells whether the end was reported.
    pub const fn is_over(&self) -> bool {
        self.handler.is_none()
    }

    /// Returns the handler, while the end is not reported.
    pub const fn handler(&self) -> Option<&H> {
        self.handler.as_ref()
    }

    /// Returns the handler, while the end is not reported.
    pub const fn handler_mut(&mut self) -> Option<&mut H> {
        self.handler.as_mut()
    }
}

impl<H: OnBodyEnd> Drop for EndGuard<H> {
    fn drop(&mut self) {
        let end = if *self.is_known.get_mut() {
            BodyEnd::Complete
        } else {
            BodyEnd::Dropped
        };
        self.end(end);
    }
}

impl<H: OnBodyEnd> fmt::Debug for EndGuard<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndGuard")
            .field("is_over", &self.is_over())
            .finish_non_exhaustive()
    }
}

/// Tells whether a response to `method` with `status` has a body at all
/// ([RFC 9110, 6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1)).
///
/// It has none after `HEAD`, with 1xx, 204 and 304, and after a successful `CONNECT`.
pub fn has_body(method: &Method, status: StatusCode) -> bool {
    BodyRule::of(method).allows(status)
}

/// What a method means for [whether there is a body](has_body): a byte to keep instead of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// The status decides, as with most methods.
    ByStatus,
    /// There is none: `HEAD`.
    Never,
    /// There is one if the server refuses: `CONNECT`.
    UnlessSuccess,
}

impl BodyRule {
    /// Returns the rule for responses to `method`.
    pub fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Never,
            Method::CONNECT => Self::UnlessSuccess,
            _ => Self::ByStatus,
        }
    }

    /// Tells whether a response with `status` has a body.
    pub fn allows(self, status: StatusCode) -> bool {
        let none = match self {
            Self::ByStatus => false,
            Self::Never => true,
            Self::UnlessSuccess => status.is_success(),
        };
        !(none
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED)
    }
}
