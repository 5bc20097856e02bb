//! Tells exactly once how an HTTP body ended.
//!
//! A body ends in one of three ways ([`BodyEnd`]): it was read to its end, it failed, or its owner dropped it
//! before that. Whatever is tied to a body's life – a permit, a measurement, a connection – must be given back
//! at that moment, once, and on every path. [`EndGuard`] decides that in one place; [`ObservedBody`] wraps a body with one.
//!
//! The end is noticed as early as it can be known: with the last frame when the body says
//! [`is_end_stream`](http_body::Body::is_end_stream) after it, with the trailers, and at once for a body that
//! is empty from the start. A wrapper that waits for its own drop gives back too late: a body that was fully
//! read may be kept for a long time. What a body learns between two polls cannot be noticed before the next one or the
//! drop: nobody is there to look.
//!
//! A response that has no body at all – to `HEAD`, or 204 and 304 – should not hold anything; see [`has_body`].
//!
//! # Example
//!
//! ```
//! use egress_body_end::{BodyEnd, ObservedBody};
//! use http_body_util::Full;
//! use std::cell::Cell;
//!
//! let ended = Cell::new(None);
//! let body = ObservedBody::new(Full::<&[u8]>::from(b"unread".as_slice()), |end: BodyEnd| ended.set(Some(end)));
//! drop(body);
//! assert_eq!(ended.get(), Some(BodyEnd::Dropped));
//! ```

mod bell;
mod captured;
mod end;
mod look;
mod observed;

pub use self::{
    bell::Bell,
    captured::CapturedBody,
    end::{BodyEnd, BodyRule, EndGuard, OnBodyEnd, PolledFrame, has_body},
    look::{is_look, looking},
    observed::ObservedBody,
};
