//! What is the same for everybody.

use super::Whole;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Serialize;

const DASHBOARD: &str = include_str!(concat!(env!("OUT_DIR"), "/dashboard.html"));
const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Answers with the dashboard. Of what a page can load, it may load its own script and style and nothing else.
pub(super) fn dashboard<B>(request: &Request<B>) -> Whole {
    let tag = env!("DASHBOARD_ETAG");
    let mut response = page(request, DASHBOARD, "text/html; charset=utf-8", tag);
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, env!("DASHBOARD_POLICY")),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn openapi<B>(request: &Request<B>) -> Whole {
    page(request, OPENAPI, "application/json", env!("OPENAPI_ETAG"))
}

/// Answers with what is the same as long as the program is, or says that the client has it.
fn page<B>(
    request: &Request<B>,
    text: &'static str,
    kind: &'static str,
    tag: &'static str,
) -> Whole {
    let known = request.headers().get_all(IF_NONE_MATCH).iter();
    let mut known = known.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let is_known = known.any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    });
    let mut response = match is_known {
        true => Whole::default(),
        false => Whole::new(text.into()),
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::from_static(tag));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    match is_known {
        true => *response.status_mut() = StatusCode::NOT_MODIFIED,
        false => drop(headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind))),
    }
    response
}

/// What is true at this moment only.
pub(super) fn json(value: &impl Serialize) -> Whole {
    // What is told here has nothing that JSON has no word for.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
