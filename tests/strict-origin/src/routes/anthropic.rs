//! Anthropic's Messages API, as far as it is played: one answer, not streamed.

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::segments;
use crate::{
    Api,
    content::{self, Content, text},
    errors, hash,
    state::Shared,
};

pub(super) fn serve(shared: &Shared, request: &Request<Bytes>) -> Response<Content> {
    if segments(request.uri().path()) != ["v1", "messages"] || request.method() != Method::POST {
        return error(StatusCode::NOT_FOUND, "Not found");
    }
    if shared.config.require_headers
        && let Some(refusal) = missing_header(request)
    {
        return refusal;
    }
    let model = match check(request.body()) {
        Ok(model) => model,
        Err(message) => return error(StatusCode::BAD_REQUEST, message),
    };
    let print = hash::fnv1a(request.body());
    let message = json!({
        "id": format!("msg_{print:016x}"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{ "type": "text", "text": format!("A small, focused project. (Analysis {print:016x}.)") }],
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": { "input_tokens": request.body().len().div_ceil(4), "output_tokens": 12 },
    });
    let mut response = content::json(StatusCode::OK, &message);
    let id = text(format!("req_{print:016x}"));
    response
        .headers_mut()
        .insert(HeaderName::from_static("request-id"), id);
    response
}

/// Returns the model that a valid request names, or what is wrong with it.
fn check(body: &[u8]) -> Result<String, &'static str> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| "The request body is not valid JSON")?;
    let model = body["model"].as_str().ok_or("model: Field required")?;
    if body["max_tokens"].as_u64().is_none_or(|most| most == 0) {
        return Err("max_tokens: Input should be greater than or equal to 1");
    }
    if body["messages"].as_array().is_none_or(Vec::is_empty) {
        return Err("messages: at least one message is required");
    }
    if body["stream"] == Value::Bool(true) {
        return Err("stream: this origin does not stream");
    }
    Ok(model.to_owned())
}

fn missing_header(request: &Request<Bytes>) -> Option<Response<Content>> {
    let headers = request.headers();
    if !headers.contains_key("x-api-key") && !headers.contains_key(AUTHORIZATION) {
        return Some(error(
            StatusCode::UNAUTHORIZED,
            "x-api-key header is required",
        ));
    }
    if !headers.contains_key("anthropic-version") {
        return Some(error(
            StatusCode::BAD_REQUEST,
            "anthropic-version: header is required",
        ));
    }
    None
}

fn error(status: StatusCode, message: &str) -> Response<Content> {
    errors::error(Api::Anthropic, status, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = [
            ("", "not valid JSON"),
            ("[]", "model"),
            (r#"{"model":"m"}"#, "max_tokens"),
            (r#"{"model":"m","max_tokens":1,"messages":[]}"#, "messages"),
            (
                r#"{"model":"m","max_tokens":1,"messages":[1],"stream":true}"#,
                "stream",
            ),
        ];
        for (body, what) in wrong {
            let error = check(body.as_bytes()).unwrap_err();
            assert!(error.contains(what), "{body}: {error}");
        }
        assert_eq!(
            check(br#"{"model":"m","max_tokens":1,"messages":[{}]}"#),
            Ok("m".to_owned())
        );
    }
}
