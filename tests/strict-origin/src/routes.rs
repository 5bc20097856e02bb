//! What the APIs answer when nothing is wrong.

mod anthropic;
mod external;
mod github;
mod license;
mod owner;
mod page;
mod repository;
mod urls;

use bytes::Bytes;
use http::{Request, Response};

use crate::{Api, content::Content, state::Shared};

/// Serves a request.
pub(crate) async fn serve(
    shared: &Shared,
    api: Api,
    request: &Request<Bytes>,
) -> Response<Content> {
    let handler = shared.config.handler.as_ref();
    if let Some(response) = handler.and_then(|handler| handler.handle(request)) {
        return response.map(Content::from);
    }
    match api {
        Api::Github | Api::GithubSearch => github::serve(shared, api, request),
        Api::Anthropic => anthropic::serve(shared, request),
        Api::External => external::serve(shared, request).await,
    }
}

/// Splits a path at its slashes.
fn segments(path: &str) -> Vec<&str> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .collect()
}
