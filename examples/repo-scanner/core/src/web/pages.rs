//! What is the same for everybody.

use super::Whole;
use http::{
    HeaderValue, Response,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Serialize;

const DASHBOARD: &str = include_str!("../../assets/dashboard.html");
const OPENAPI: &str = include_str!("../../assets/openapi.json");

/// The page's own script and style, by their hashes, and nothing else; a test compares them with the page.
pub(crate) const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src 'self' data:; \
    script-src 'sha256-SCRIPT'; style-src 'sha256-STYLE'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn dashboard() -> Whole {
    let mut response = Response::new(DASHBOARD.into());
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn openapi() -> Whole {
    let mut response = Response::new(OPENAPI.into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
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
