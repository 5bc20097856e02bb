//! A stack around hyper's client, for a strict origin, and many requests for it.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{num::NonZeroUsize, time::Duration};
use strict_origin::StrictOrigin;
use tower_egress::{Api, Egress, EgressService, Quota, ReplayBody, TokioTimer};

pub(crate) type Http = Client<HttpConnector, ReplayBody<Full<Bytes>>>;
pub(crate) type Stack =
    EgressService<Http, hyper::body::Incoming, TokioTimer, tower_egress::TokioExecutor>;

/// A stack for an origin that permits `limit` in a period, with a hundredth of head-room: what departs evenly does not arrive so.
pub(crate) fn stack(
    origin: &StrictOrigin,
    limit: u32,
    period: Duration,
    burst: u32,
) -> (Egress<TokioTimer, tower_egress::TokioExecutor>, Stack) {
    let quota = Quota::new(limit, period + period / 100).unwrap();
    let authority = origin.addr().to_string().parse().unwrap();
    let egress = Egress::builder()
        .concurrency(6)
        .executor(tower_egress::TokioExecutor::new())
        .api(
            Api::github()
                .at(&authority)
                .with_quota(quota.with_burst(burst).unwrap()),
        )
        .build();
    let client = egress.layer(Client::builder(TokioExecutor::new()).build_http());
    (egress, client)
}

pub(crate) fn repositories(origin: &StrictOrigin, count: usize) -> Vec<Request<Full<Bytes>>> {
    let one = |number| Request::get(format!("{}/repos/owner/name-{number}", origin.url()));
    (0..count)
        .map(|number| one(number).body(Full::default()).unwrap())
        .collect()
}

pub(crate) const AT_ONCE: NonZeroUsize = NonZeroUsize::new(40).unwrap();
