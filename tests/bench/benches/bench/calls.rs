//! The rows that are calls.

use crate::{ours, peers};
use bench::{Effort, Entry, Meter, Origin, Report, exchange, request};
use bytes::Bytes;
use egress_time::{Clock, TokioTimer};
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use std::{fmt::Debug, hint::black_box};
use tower_service::Service;

/// What calls cost, and which rows the ratios need.
pub(crate) struct Calls {
    pub(crate) report: Report,
    pub(crate) bare: Entry,
    pub(crate) ours: Entry,
    pub(crate) ours_without_shelf: Entry,
    pub(crate) ours_to_headers: Entry,
    pub(crate) same_jobs: Entry,
    pub(crate) peers: Entry,
}

/// Measures calls through everything.
pub(crate) fn measure(effort: Effort) -> Calls {
    let mut meter = Meter::new();
    let origin = Origin::new();
    let telling = Origin::with_limit(TokioTimer::new().unix_time());

    meter.section("Nothing");
    let bare = add(&mut meter, "bare service", origin.clone());
    ours::layers(&mut meter, &origin, &telling);
    ours::growing(&mut meter, &origin);
    peers::layers(&mut meter, &origin);

    meter.section("Whole stacks");
    let peers = peers::stack(&mut meter, &origin);
    let same_jobs = ours::same_jobs(&mut meter, &origin);
    let egress = ours::egress();
    let ours = add(
        &mut meter,
        "tower-egress",
        egress.build().layer(origin.clone()),
    );
    let without_shelf = ours::egress().idle_timeout(None).build();
    let ours_without_shelf = add(
        &mut meter,
        "tower-egress, no idle timeout",
        without_shelf.layer(origin.clone()),
    );
    let to_headers = ours::egress()
        .idle_timeout(None)
        .release_at(egress_concurrency_limit::ReleaseAt::Headers)
        .build();
    let ours_to_headers = add(
        &mut meter,
        "tower-egress, permits to headers, no idle timeout",
        to_headers.layer(origin),
    );
    add(
        &mut meter,
        "tower-egress, headers of a rate limit",
        ours::egress().build().layer(telling),
    );
    Calls {
        report: meter.measure(effort).over(bare),
        bare,
        ours,
        ours_without_shelf,
        ours_to_headers,
        same_jobs,
        peers,
    }
}

/// Adds a row of calls to a service.
pub(crate) fn add<S, B>(meter: &mut Meter, name: &'static str, mut service: S) -> Entry
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + 'static,
    S::Error: Debug,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let request = request();
    meter.add(name, move || {
        black_box(exchange(&mut service, request.clone()));
    })
}
