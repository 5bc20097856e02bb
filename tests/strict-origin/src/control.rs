//! The origin's own routes, which do not count.

use http::{Method, Response, StatusCode};
use serde_json::json;

use crate::{
    content::{self, Content},
    state::Shared,
};

/// Answers a request to one of the origin's own routes.
pub(crate) fn answer(shared: &Shared, method: &Method, path: &str) -> Option<Response<Content>> {
    let name = path.strip_prefix("/__")?;
    Some(match (name, method.as_str()) {
        ("score", "GET") => {
            let score = shared.state().score();
            let value = serde_json::to_value(score).unwrap_or_default();
            content::json(StatusCode::OK, &value)
        }
        ("reset", "POST") => {
            shared.state().reset();
            content::empty(StatusCode::NO_CONTENT)
        }
        ("health", "GET") => content::json(StatusCode::OK, &json!({ "status": "ok" })),
        ("score" | "reset" | "health", _) => content::empty(StatusCode::METHOD_NOT_ALLOWED),
        _ => content::empty(StatusCode::NOT_FOUND),
    })
}
