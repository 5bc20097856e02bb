//! What it takes to send a request again.

use crate::{ReplayBody, collect::Collected};
use egress_context::RequestContext;
use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

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
    pub(crate) fn new<B>(request: &Request<B>, body: &Collected) -> Self {
        // A context that is alone in them is not worth an allocation: it is put back when they are used.
        let extensions = if RequestContext::is_alone_in(request.extensions()) {
            Extensions::new()
        } else {
            request.extensions().clone()
        };
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
            extensions,
            body: body.clone(),
        }
    }

    /// Returns the request, in the given context.
    pub(crate) fn into_request<B>(self, context: &RequestContext) -> Request<ReplayBody<B>> {
        let mut request = Request::new(ReplayBody::whole(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers;
        *request.extensions_mut() = self.extensions;
        context.carry(request.extensions_mut());
        request
    }
}
