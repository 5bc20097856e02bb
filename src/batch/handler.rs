//! What works on batches.

use super::answers::Handled;

/// Works on one batch after the other. Closures are wrapped in [`Plain`] or [`Keyed`] by the
/// [builder](super::BatchBuilder).
///
/// It is there to name the types of what has a [`Run`](super::Run):
///
/// ```
/// use std::convert::Infallible;
/// use tower_egress::{TokioTimer, batch::{Batch, Handler, Run}};
///
/// /// A batch that does not run yet.
/// struct Waiting<H: Handler<(), u32, u32, Infallible>> {
///     batch: Batch<u32, u32, Infallible>,
///     run: Run<u32, u32, Infallible, TokioTimer, H>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (batch, run) = Batch::builder()
///     .build(TokioTimer::new(), |items: Vec<u32>| async move { Ok(items.into_iter().map(Ok).collect()) });
/// let Waiting { batch, run } = Waiting { batch, run };
/// let (answer, closed, ()) = tokio::join!(batch.add(1), batch.close(), run);
/// assert_eq!((answer?, closed?), (1, ()));
/// # Ok(()) }
/// ```
pub trait Handler<K, I, R, E> {
    /// The work on one batch.
    type Future: Future<Output = Handled<R, E>>;

    /// Begins to work on a batch.
    fn handle(&mut self, key: &K, items: Vec<I>) -> Self::Future;
}

/// A closure that takes a batch.
///
/// ```
/// use std::{convert::Infallible, future::{Ready, ready}};
/// use tower_egress::{TokioTimer, batch::{Batch, Plain, Run}};
///
/// type Answers = Result<Vec<Result<u32, Infallible>>, Infallible>;
/// type Echo = Plain<fn(Vec<u32>) -> Ready<Answers>>;
///
/// let echo: fn(Vec<u32>) -> Ready<Answers> = |items| ready(Ok(items.into_iter().map(Ok).collect()));
/// let (batch, run) = Batch::builder().build(TokioTimer::new(), echo);
/// let run: Run<u32, u32, Infallible, TokioTimer, Echo> = run;
/// # drop((batch, run));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Plain<H>(pub(super) H);

/// A closure that takes a key and its batch.
///
/// ```
/// use std::{convert::Infallible, future::{Ready, ready}};
/// use tower_egress::{TokioTimer, batch::{BatchBuilder, Keyed, Run}};
///
/// type Answers = Result<Vec<Result<u32, Infallible>>, Infallible>;
/// type Echo = Keyed<fn(&char, Vec<u32>) -> Ready<Answers>>;
///
/// let echo: fn(&char, Vec<u32>) -> Ready<Answers> = |_, items| ready(Ok(items.into_iter().map(Ok).collect()));
/// let (batches, run) = BatchBuilder::new().build_keyed(TokioTimer::new(), echo);
/// let run: Run<u32, u32, Infallible, TokioTimer, Echo, char> = run;
/// # drop((batches, run));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Keyed<H>(pub(super) H);

impl<I, R, E, H, F> Handler<(), I, R, E> for Plain<H>
where
    H: FnMut(Vec<I>) -> F,
    F: Future<Output = Handled<R, E>>,
{
    type Future = F;

    fn handle(&mut self, (): &(), items: Vec<I>) -> F {
        (self.0)(items)
    }
}

impl<K, I, R, E, H, F> Handler<K, I, R, E> for Keyed<H>
where
    H: FnMut(&K, Vec<I>) -> F,
    F: Future<Output = Handled<R, E>>,
{
    type Future = F;

    fn handle(&mut self, key: &K, items: Vec<I>) -> F {
        (self.0)(key, items)
    }
}
