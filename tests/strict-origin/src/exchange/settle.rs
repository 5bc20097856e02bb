//! What a response costs, says and counts as, before it is handed to its connection.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header::CONTENT_LENGTH};

use super::{Asked, waiting::Waiting};
use crate::{
    FaultKind,
    body::Outgoing,
    connection::Connection,
    content::Content,
    dialect::{self, Claim},
    faults::twist,
    returns::Told,
    state::Shared,
};

/// What a lie about a quota is told of where there is none.
const NO_QUOTA: u64 = 60;

/// Settles the cost of a served request and says what is left.
pub(super) fn settle(
    shared: &Shared,
    asked: &Asked,
    taken: Duration,
    twist: Option<FaultKind>,
    mut response: Response<Content>,
) -> Response<Content> {
    let now = shared.clock.now();
    let mut state = shared.state();
    let ledger = state.ledger(asked.api);
    if asked.api.is_github() && response.status() == StatusCode::NOT_MODIFIED {
        ledger.give_back(taken);
    }
    let lies = matches!(
        twist,
        Some(FaultKind::StaleHint | FaultKind::InflatedRemaining)
    );
    let claim = ledger.claim(now.at).or(lies.then(|| no_quota(now.at)));
    drop(state);
    if let Some(claim) = claim {
        let claim = twist.map_or(claim, |kind| twist::claim(kind, claim, now));
        dialect::describe(asked.api, &claim, now, response.headers_mut());
    }
    match twist {
        Some(kind) => twist::response(kind, &shared.config.faults, asked.own_connection, response),
        None => response,
    }
}

/// Hands a response to its connection.
pub(super) fn finish(
    shared: &Arc<Shared>,
    connection: Arc<Connection>,
    asked: &Asked,
    waiting: &mut Waiting,
    mut response: Response<Content>,
    told: Option<Told>,
) -> Response<Outgoing> {
    let status = response.status();
    waiting.answer(
        asked,
        response.body().cut.is_some() || is_failure(status),
        told,
    );
    shared.state().tally.status(status.as_u16());
    if asked.method == Method::HEAD.as_str() {
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
        *response.body_mut() = Content::default();
    } else if response.body().cut.is_some() {
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    let served = status.is_success() || status == StatusCode::NOT_MODIFIED;
    let served = served.then(|| asked.path_and_query());
    response.map(|content| Outgoing::new(shared, connection, content, served))
}

/// A claim about a quota where there is none.
pub(super) fn no_quota(now: Duration) -> Claim {
    Claim {
        limit: NO_QUOTA,
        remaining: NO_QUOTA,
        window: Duration::from_secs(60),
        next_unit: now,
        all_units: now,
    }
}

/// Returns whether a client may send the request again because of its answer.
fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 403 | 408 | 425 | 429)
}

/// Returns whether a response asks for its request to be sent again.
pub(super) fn asks_for_retry(response: &Response<Content>) -> bool {
    let name = HeaderName::from_static("x-should-retry");
    response
        .headers()
        .get(name)
        .is_some_and(|value| value == "true")
}
