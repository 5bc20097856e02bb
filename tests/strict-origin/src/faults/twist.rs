//! How a fault changes a response that is served all the same.

use std::time::Duration;

use http::{HeaderValue, Response, header::AGE};

use crate::{
    FaultKind, FaultPlan,
    clock::Moment,
    content::{Content, Cut},
    dialect::Claim,
};

/// How far off the end of a stale hint is.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How many pieces a dribbling body comes in.
const DRIBBLE: u64 = 8;

/// Changes what a served response claims about the quota.
pub(crate) fn claim(kind: FaultKind, claim: Claim, now: Moment) -> Claim {
    let later = now.at.saturating_add(HOUR);
    match kind {
        FaultKind::StaleHint => Claim {
            remaining: 0,
            next_unit: later,
            all_units: later,
            ..claim
        },
        FaultKind::InflatedRemaining => Claim {
            limit: claim.limit.saturating_mul(10),
            remaining: claim.limit.saturating_mul(10),
            ..claim
        },
        _ => claim,
    }
}

/// Changes the head and the body of a served response; `own_connection` says that no other request
/// shares it.
pub(crate) fn response(
    kind: FaultKind,
    plan: &FaultPlan,
    own_connection: bool,
    mut response: Response<Content>,
) -> Response<Content> {
    let length = response.body().len();
    match kind {
        FaultKind::StaleHint => {
            response.headers_mut().insert(AGE, HeaderValue::from(60));
        }
        FaultKind::SlowBody => {
            response = response.map(|content| content.slowly(DRIBBLE, plan.slowness()))
        }
        FaultKind::TruncatedBody | FaultKind::ResetInsideBody if length > 1 => {
            response.body_mut().cut = Some(Cut {
                after: length / 2,
                reset: own_connection && kind == FaultKind::ResetInsideBody,
            });
        }
        _ => {}
    }
    response
}
