//! Errors as each API writes them.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    Api,
    content::{self, Content},
};

/// An error as the API writes it.
pub(crate) fn error(api: Api, status: StatusCode, message: &str) -> Response<Content> {
    content::json(status, &error_body(api, status, message))
}

fn error_body(api: Api, status: StatusCode, message: &str) -> Value {
    match api {
        Api::Github | Api::GithubSearch => json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
            "status": status.as_str(),
        }),
        Api::Anthropic => json!({
            "type": "error",
            "error": { "type": anthropic_error(status), "message": message },
        }),
        Api::External => json!({ "error": { "status": status.as_u16(), "message": message } }),
    }
}

/// The error types of Anthropic's API, by status.
fn anthropic_error(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    }
}
