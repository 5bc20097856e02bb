//! Answers that say something else than they are.

use crate::{Ask, said};
use bytes::Bytes;
use http::{Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame};
use http_body_util::{Full, StreamBody};
use serde_json::{Value, json};
use std::{convert::Infallible, future::pending};
use tower_egress_worker::{Reply, until_disconnect};
use worker::{AbortController, Result, web_sys};

/// Answers with `status`, the header `content-length` and a body of `text`, with `empty` in parts of which every other is empty.
pub(crate) fn reply(ask: &Ask) -> Result<web_sys::Response> {
    let text = ask.text("text").unwrap_or_default().to_owned();
    if ask.text("empty").is_none() {
        return with_head(ask, Full::<Bytes>::from(text));
    }
    let parts: Vec<_> = text
        .into_bytes()
        .into_iter()
        .flat_map(|byte| [Bytes::new(), vec![byte].into()])
        .map(|part| Ok::<_, Infallible>(Frame::data(part)))
        .collect();
    with_head(ask, StreamBody::new(futures_util::stream::iter(parts)))
}

fn with_head<B>(ask: &Ask, body: B) -> Result<web_sys::Response>
where
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let status = ask.number("status").unwrap_or(200);
    let status = u16::try_from(status).map_err(said)?;
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(said)?;
    if let Some(length) = ask.number("content-length") {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    Reply(response).into_js().map_err(said)
}

/// Works for a client that went away before the work began.
pub(crate) async fn gone_before() -> Value {
    let controller = AbortController::default();
    let signal = controller.signal();
    controller.abort();
    let mut began = false;
    let work = async {
        began = true;
        pending::<()>().await;
    };
    let done = until_disconnect(&signal, work).await;
    json!({ "done": done.is_some(), "began": began })
}
