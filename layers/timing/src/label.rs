//! Which requests are counted together.

use http::{Method, Request, Uri};

/// Tells which label of the [`Recorder`](crate::Recorder) a request belongs to.
///
/// It is asked once for each request. It answers with an index and not with a name, so that nothing is allocated or
/// looked up and the number of labels is bounded. Implemented for closures that need the method and the URI only.
pub trait Label {
    /// Returns the index of the label among those that the recorder was made with.
    ///
    /// `None` and an index beyond them mean that the request has no label.
    fn label<B>(&self, request: &Request<B>) -> Option<usize>;
}

impl<F: Fn(&Method, &Uri) -> Option<usize>> Label for F {
    fn label<B>(&self, request: &Request<B>) -> Option<usize> {
        self(request.method(), request.uri())
    }
}

/// Gives no request a label: all are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unlabelled;

impl Label for Unlabelled {
    fn label<B>(&self, _: &Request<B>) -> Option<usize> {
        None
    }
}
