//! What the layers of one stack tell each other about one request.
//!
//! Layers do not name each other, yet they have things to say: the deadline of the request, how long it
//! waited for what, how often it was sent, who retries it, and whether a failure means that nothing was sent
//! at all. [`RequestContext`] is where they say it. It rides in the request's extensions.
//!
//! The outermost layer that wants a context [joins](RequestContext::join) first and thereby makes it; those inside
//! find it. The extensions hold it weakly: it lives as long as the layer that made it works on the request,
//! so a request that a caller keeps and sends again starts with a new one.
//!
//! All values are atomics. A context costs one small allocation, and three more for the first extension of a request.
//!
//! # Example
//!
//! ```
//! use egress_context::RequestContext;
//! use std::time::Duration;
//!
//! let mut request = http::Request::new(());
//! let outer = RequestContext::join(request.extensions_mut());
//!
//! // Some layer further in, which knows nothing of the outer one:
//! if let Some(context) = RequestContext::current(request.extensions()) {
//!     context.add_rate_wait(Duration::from_millis(120));
//! }
//! assert_eq!(outer.rate_wait(), Duration::from_millis(120));
//!
//! drop(outer);
//! assert!(RequestContext::current(request.extensions()).is_none());
//! ```

mod attempt;
mod context;
mod head;

pub use self::{
    attempt::{Failure, RetryOwner},
    context::RequestContext,
    head::RequestHead,
};
