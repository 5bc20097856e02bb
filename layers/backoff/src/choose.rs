//! Who says which policy a request has.

use crate::Policy;
use egress_context::RequestHead;

/// Chooses the policy of each request: a [`Policy`] for all of them, or a closure.
pub trait ChoosePolicy {
    /// Returns the policy for a request with this head.
    fn choose(&self, request: &RequestHead<'_>) -> Policy;
}

impl ChoosePolicy for Policy {
    fn choose(&self, _: &RequestHead<'_>) -> Policy {
        self.clone()
    }
}

impl<F: Fn(&RequestHead<'_>) -> Policy> ChoosePolicy for F {
    fn choose(&self, request: &RequestHead<'_>) -> Policy {
        self(request)
    }
}
