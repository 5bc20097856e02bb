//! What is wrong with a request, or with us: RFC 9457.

use super::Whole;
use crate::StoreError;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde::Serialize;
use std::{borrow::Cow, error::Error, sync::Arc};
use tower_egress::json::RowError;

/// An answer that says what is wrong, as [`application/problem+json`](https://www.rfc-editor.org/rfc/rfc9457).
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    detail: Cow<'static, str>,
    /// Which parameter, or which member of the body.
    field: Option<Cow<'static, str>>,
    header: Option<(http::HeaderName, HeaderValue)>,
    cause: Option<Cause>,
}

/// Why we could not do what a request asked for, for the operator's eyes: in the extensions of the answer.
#[derive(Clone, Debug)]
pub struct Cause(pub Arc<str>);

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            detail: detail.into(),
            field: None,
            header: None,
            cause: None,
        }))
    }

    /// The parameter, or the member of the body, cannot be used.
    pub(super) fn field(
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, detail);
        problem.0.field = Some(field.into());
        problem
    }

    pub(super) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn unauthorized(detail: &'static str) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, detail);
        problem.0.header = Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        problem
    }

    /// It is not the request's fault. What the database says is not for everybody's eyes.
    fn of_ours(error: &dyn Error) -> Self {
        let detail = "the database cannot be used now";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        problem.0.cause = Some(Cause(error.to_string().into()));
        problem
    }

    pub(super) fn method_not_allowed(methods: &[Method]) -> Self {
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let names = names.join(", ");
        let allow = HeaderValue::try_from(names.as_str());
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut problem = Self::new(status, format!("this takes {names}"));
        problem.0.header = allow.ok().map(|allow| (ALLOW, allow));
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ScanIsRunning => Self::new(
                StatusCode::CONFLICT,
                "a scan of another list has begun; end it with DELETE /api/scan, or wait until it is done",
            ),
            error => Self::of_ours(&error),
        }
    }
}

impl From<RowError<StoreError>> for Problem {
    fn from(error: RowError<StoreError>) -> Self {
        match error {
            RowError::Source(error) => error.into(),
            error => Self::of_ours(&error),
        }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl From<Problem> for Whole {
    fn from(Problem(problem): Problem) -> Self {
        let json = Json {
            r#type: "about:blank",
            title: problem.status.canonical_reason().unwrap_or_default(),
            status: problem.status.as_u16(),
            detail: &problem.detail,
            field: problem.field.as_deref(),
        };
        // It is made of texts and a number.
        let body = serde_json::to_vec(&json).unwrap_or_default();
        let mut response = Response::new(body.into());
        *response.status_mut() = problem.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, json);
        headers.extend(problem.header);
        if let Some(cause) = problem.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
