//! What works on batches.

use super::answers::Handled;

/// Works on one batch after the other. Closures are wrapped in [`Plain`] or [`Keyed`] by the
/// [builder](super::BatchBuilder).
pub trait Handler<K, I, R, E> {
    /// The work on one batch.
    type Future: Future<Output = Handled<R, E>>;

    /// Begins to work on a batch.
    fn handle(&mut self, key: &K, items: Vec<I>) -> Self::Future;
}

/// A closure that takes a batch.
#[derive(Clone, Copy, Debug)]
pub struct Plain<H>(pub(super) H);

/// A closure that takes a key and its batch.
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
