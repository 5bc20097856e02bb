//! What it takes to send a request again.

use crate::{ReplayBody, collect::Collected};
use egress_context::RequestContext;
use http::{Extensions, HeaderMap, Method, Request, Uri, Version, request::Parts};

/// A request, kept whole.
#[derive(Clone)]
pub(crate) struct Original {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    extensions: Extensions,
    body: Collected,
}

impl Original {
    /// Keeps a copy of the request with this head and body.
    pub(crate) fn new(head: &Parts, body: &Collected) -> Self {
        // A context that is alone in them is not worth an allocation: it is put back when they are used.
        let extensions = if RequestContext::is_alone_in(&head.extensions) {
            Extensions::new()
        } else {
            head.extensions.clone()
        };
        Self {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            headers: head.headers.clone(),
            extensions,
            body: body.clone(),
        }
    }

    /// Returns the request, in the given context.
    pub(crate) fn into_request<B>(self, context: &RequestContext) -> Request<ReplayBody<B>> {
        let (data, trailers) = self.body;
        let mut request = Request::new(ReplayBody::whole(data, trailers));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers;
        *request.extensions_mut() = self.extensions;
        context.carry(request.extensions_mut());
        request
    }
}
