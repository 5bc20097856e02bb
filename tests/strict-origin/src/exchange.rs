//! One request and its response, from the arrival of one head to the departure of the other.
#![allow(
    clippy::disallowed_methods,
    reason = "slow responses pause on the origin's own runtime"
)]

mod asked;
mod settle;
mod waiting;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::{sync::SemaphorePermit, time::sleep};

pub(crate) use self::asked::Asked;
use self::{
    settle::{asks_for_retry, finish, no_quota, settle},
    waiting::Waiting,
};
use crate::{
    FaultKind, HeaderSlots,
    body::Outgoing,
    connection::{Connection, Hangup},
    content::Content,
    control, dialect, errors,
    faults::{Shape, wire},
    returns::Told,
    routes,
    state::{Shared, Verdict},
    writes::Write,
};

/// The largest request body that is read.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// What a client that has too many requests under way is asked to wait.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

/// Answers a request, or hangs up on it.
pub(crate) async fn exchange(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Hangup> {
    if let Some(response) = control::answer(&shared, request.method(), request.uri().path()) {
        return Ok(response.map(|content| Outgoing::untracked(connection, content)));
    }
    connection.count();
    let (head, body) = request.into_parts();
    let asked = Asked::new(&head);
    let mut waiting = Waiting::arrive(&shared, &asked);
    let (verdict, _slot) = admit(&shared, &asked, waiting.arrived).await;
    let body = match Limited::new(body, LARGEST_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let response = errors::error(
                asked.api,
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request is too large.",
            );
            return Ok(finish(
                &shared,
                connection,
                &asked,
                &mut waiting,
                response,
                None,
            ));
        }
        // Nobody is left to answer.
        Err(_) => return Err(Hangup),
    };
    let write = Write::of(&head.method, &asked.path, &head.headers, &body);
    if let Some(write) = &write {
        shared.state().writes.arrive(write);
    }
    let (response, told) = match verdict {
        Verdict::Serve { taken, twist } => {
            if twist == Some(FaultKind::SlowHeaders) {
                sleep(shared.config.faults.slowness()).await;
            }
            let request = Request::from_parts(head, body);
            let response = serve(&shared, &asked, &request, write.clone()).await;
            (settle(&shared, &asked, taken, twist, response), None)
        }
        Verdict::Reply(reply) => {
            if !reply.delay.is_zero() {
                sleep(reply.delay).await;
            }
            let mut response = Response::new(Content::from(reply.body));
            *response.status_mut() = reply.status;
            *response.headers_mut() = reply.headers;
            let until = reply
                .wait
                .map(|wait| shared.clock.now().at.saturating_add(wait));
            (
                response,
                until.map(|until| Told {
                    until,
                    everyone: true,
                }),
            )
        }
        Verdict::Fault(kind) => match kind.shape() {
            Shape::HangUp { reset } => {
                waiting.answer(&asked, true, None);
                return Err(connection.hang_up(reset && asked.own_connection));
            }
            _ => wire::respond(kind, asked.api, &shared.config.faults, shared.clock.now()),
        },
        Verdict::OverLimit(back) => {
            let now = shared.clock.now();
            let mut state = shared.state();
            let claim = state
                .ledger(asked.api)
                .claim(now.at)
                .unwrap_or(no_quota(now.at));
            let (response, told) =
                dialect::over_limit(asked.api, &claim, back, now, state.forbids());
            (response, Some(told))
        }
        Verdict::Crowded => dialect::secondary(asked.api, Some(CROWDED_WAIT), shared.clock.now()),
        Verdict::NoSlot => {
            let message = "More requests wait for their response heads than there are slots.";
            (
                errors::error(asked.api, StatusCode::SERVICE_UNAVAILABLE, message),
                None,
            )
        }
    };
    if let Some(write) = &write
        && asks_for_retry(&response)
    {
        shared.state().writes.excuse(write);
    }
    Ok(finish(
        &shared,
        connection,
        &asked,
        &mut waiting,
        response,
        told,
    ))
}

/// Decides about a request, and waits for its header slot if slots are scarce.
async fn admit<'a>(
    shared: &'a Shared,
    asked: &Asked,
    now: Duration,
) -> (Verdict, Option<SemaphorePermit<'a>>) {
    let Some(slots) = &shared.slots else {
        return (shared.state().decide(&shared.config, asked, now), None);
    };
    let free = slots.try_acquire().ok();
    if free.is_none() && matches!(shared.config.slots, Some(HeaderSlots::Refuse(_))) {
        shared.state().tally.refused_for_slot += 1;
        return (Verdict::NoSlot, None);
    }
    // Before the wait: the rule goes by the time of arrival.
    let verdict = shared.state().decide(&shared.config, asked, now);
    let slot = match free {
        Some(slot) => Some(slot),
        None => {
            shared.state().tally.held_for_slot += 1;
            slots.acquire().await.ok()
        }
    };
    (verdict, slot)
}

async fn serve(
    shared: &Shared,
    asked: &Asked,
    request: &Request<Bytes>,
    write: Option<Write>,
) -> Response<Content> {
    let replay = write
        .as_ref()
        .and_then(|write| shared.state().writes.replay(write));
    if let Some(response) = replay {
        return response;
    }
    let response = routes::serve(shared, asked.api, request).await;
    if let Some(write) = write {
        shared.state().writes.done(write, &response);
    }
    response
}
