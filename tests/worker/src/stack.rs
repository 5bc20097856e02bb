//! The stack that the routes send through: made once at global scope, as a Worker does.

use std::{sync::LazyLock, time::Duration};
use tower_egress::{Api, Dialect, Egress, EgressService, Quota, ReplayBody};
use tower_egress_worker::{Fetch, FetchBody, WorkerTimer, egress};

/// What is shared by all invocations of the isolate.
///
/// A test chooses its API by name. `free` has no limit, `wide` none that is met; `paced` lets ten through in a second, one at a time; the others are held to
/// what the origin is started with.
static EGRESS: LazyLock<Egress<WorkerTimer>> = LazyLock::new(|| {
    let quick = || {
        Quota::new(600, Duration::from_secs(1))
            .and_then(|quota| quota.with_burst(10))
            .and_then(|quota| quota.with_spacing(Duration::from_millis(5)))
            .expect("that is a quota")
    };
    let paced = Quota::new(10, Duration::from_secs(1))
        .and_then(|quota| quota.with_burst(1))
        .expect("that is a quota");
    let wide = Quota::new(100_000, Duration::from_secs(1)).expect("that is a quota");
    egress()
        .api(Api::github().with_quota(quick()))
        .api(Api::anthropic().with_quota(quick()))
        .api(Api::new("paced").with_quota(paced))
        .api(Api::new("wide").with_quota(wide))
        .api(Api::new("free").with_dialect(Dialect::Generic))
        .otherwise(Api::external().with_quota(quick()))
        .attempt_timeout(Duration::from_secs(5))
        .build()
});

/// A client of one invocation.
pub(crate) type Client<B> = EgressService<Fetch, FetchBody<ReplayBody<B>>, WorkerTimer>;

pub(crate) fn invocation() -> Egress<WorkerTimer> {
    EGRESS.for_invocation()
}

pub(crate) fn client<B>() -> Client<B> {
    invocation().layer(Fetch::new())
}
