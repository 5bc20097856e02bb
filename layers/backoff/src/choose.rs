//! Who says which policy a request has.

use crate::Policy;
use http::request::Parts;

/// Chooses the policy of each request: a [`Policy`] for all of them, or a closure.
pub trait ChoosePolicy {
    /// Returns the policy for a request with this head.
    fn choose(&self, request: &Parts) -> Policy;
}

impl ChoosePolicy for Policy {
    fn choose(&self, _: &Parts) -> Policy {
        self.clone()
    }
}

impl<F: Fn(&Parts) -> Policy> ChoosePolicy for F {
    fn choose(&self, request: &Parts) -> Policy {
        self(request)
    }
}
