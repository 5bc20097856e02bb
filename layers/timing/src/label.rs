//! Which requests are counted together.

use egress_context::RequestHead;
use http::{Method, Uri};

/// Tells which label of the [`Recorder`](crate::Recorder) a request belongs to.
///
/// It is asked once for each request. It answers with an index and not with a name, so that nothing is allocated or
/// looked up and the number of labels is bounded. Implemented for closures that need the method and the URI only.
pub trait Label {
    /// Returns the index of the label among those that the recorder was made with.
    ///
    /// `None` and an index beyond them mean that the request has no label.
    fn label(&self, request: &RequestHead<'_>) -> Option<usize>;
}

impl<F: Fn(&Method, &Uri) -> Option<usize>> Label for F {
    fn label(&self, request: &RequestHead<'_>) -> Option<usize> {
        self(request.method, request.uri)
    }
}

/// Gives no request a label: all are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unlabelled;

impl Label for Unlabelled {
    fn label(&self, _: &RequestHead<'_>) -> Option<usize> {
        None
    }
}
