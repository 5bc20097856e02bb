//! A request without its body.

use http::{Extensions, HeaderMap, Method, Request, Uri};

/// A request without its body: what those may look at who decide which rules it is subject to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// Where it goes.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The extensions, where callers put keys of their own.
    pub extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// Returns the head of a request.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}
