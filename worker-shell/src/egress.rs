//! The stack as a Worker needs it.

use crate::WorkerTimer;
use tower_egress::{Drain, Egress, EgressBuilder, ReleaseAt};

/// Starts to set up an egress for a Worker.
///
/// It is plain data: make it once, at global scope, and share it; each invocation takes [`Egress::for_invocation`], whose
/// connection limit is its own, as the platform counts it. Rate limits, retry budget and figures are those of the isolate.
///
/// # Defaults
///
/// Those of [`EgressBuilder`], but for what the platform has rules of its own for:
///
/// - a request is in flight [to its headers](ReleaseAt::Headers), the [rule of Workers since
///   2026-04-09](https://developers.cloudflare.com/changelog/2026-04-09-relaxed-connection-limiting)
/// - the rest of a body is cancelled when it is dropped, not drained: connections are the runtime's
/// - bodies that nobody reads are left alone: they hold no connection that another request could use
/// - nobody is woken who waits for a rate limit, each looks again by its own timer: a task that another invocation wakes
///   cannot use its own I/O objects
///
/// # Example
///
/// ```
/// use std::sync::LazyLock;
/// use tower_egress::{Api, Egress};
/// use tower_egress_worker::{WorkerTimer, egress};
///
/// # fn global_scope() {
/// static EGRESS: LazyLock<Egress<WorkerTimer>> =
///     LazyLock::new(|| egress().api(Api::github()).api(Api::github_search()).build());
///
/// let mine = EGRESS.for_invocation();
/// # }
/// ```
pub fn egress() -> EgressBuilder<WorkerTimer> {
    Egress::builder_on(WorkerTimer::new())
        .release_at(ReleaseAt::Headers)
        .drain(Drain::NEVER)
        .idle_timeout(None)
        .wakeups(false)
}
