//! Background work on tokio's tasks.

use egress_body_cleanup::Executor;

/// Runs background work as tasks of the tokio runtime that it is called in.
///
/// For [`EgressBuilder::executor`](crate::EgressBuilder::executor). Outside of a runtime the work is dropped, which closes
/// the connection that it was to save.
///
/// ```
/// use tower_egress::{Egress, TokioExecutor};
///
/// // The rest of a body that is dropped is drained in the background, so that its connection is used again.
/// let egress = Egress::builder().executor(TokioExecutor::new()).build();
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TokioExecutor;

impl TokioExecutor {
    /// Makes the executor.
    pub const fn new() -> Self {
        Self
    }
}

impl<F> Executor<F> for TokioExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Nobody waits for it: it ends by itself, within the bounds that it was given.
            drop(runtime.spawn(future));
        }
    }
}
