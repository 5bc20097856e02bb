//! Where work goes that outlives its caller.

/// Runs futures that nobody waits for.
///
/// It is handed in by whoever owns the tasks; without one, this layer does nothing in the background. There
/// is no `Send` bound here: an implementation asks for what it needs. An executor may drop a future instead
/// of running it, which closes the connection that the future was to save.
///
/// # Example
///
/// ```
/// use egress_body_cleanup::Executor;
///
/// #[derive(Clone, Debug)]
/// struct Tokio;
///
/// impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tokio {
///     fn execute(&self, future: F) {
///         // The handle is dropped: the task goes on by itself.
///         tokio::spawn(future);
///     }
/// }
/// ```
pub trait Executor<F> {
    /// Takes over a future and returns at once.
    fn execute(&self, future: F);
}

/// The executor of a layer that has none; it drops what it gets.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoExecutor;

impl<F> Executor<F> for NoExecutor {
    fn execute(&self, _: F) {}
}
