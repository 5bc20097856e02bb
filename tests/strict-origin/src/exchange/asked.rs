//! What the books need to know of a request.

use http::{Version, request::Parts};

use crate::Api;

/// A request, as far as limits, faults and scores go by it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) api: Api,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// Method, path and query: what makes two requests the same.
    pub(crate) request: String,
    /// No other request shares the connection: HTTP/1.1.
    pub(super) own_connection: bool,
}

impl Asked {
    pub(super) fn new(head: &Parts) -> Self {
        let (path, query) = (head.uri.path(), head.uri.query());
        let method = head.method.as_str();
        let request = match query {
            Some(query) => format!("{method} {path}?{query}"),
            None => format!("{method} {path}"),
        };
        Self {
            api: Api::of(path),
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            request,
            own_connection: head.version < Version::HTTP_2,
        }
    }

    pub(super) fn path_and_query(&self) -> String {
        let start = self.method.len() + 1;
        self.request.get(start..).unwrap_or_default().to_owned()
    }
}
