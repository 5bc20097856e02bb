//! Futures of one type, so that what awaits them is compiled once, and is no part of each of them.

use std::{future::Future, pin::Pin};

/// What [`thin`] returns.
#[cfg(target_arch = "wasm32")]
pub(crate) type Thin<'a, F> = Pin<&'a mut (dyn Future<Output = <F as Future>::Output> + 'a)>;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type Thin<'a, F> = Pin<&'a mut F>;

/// Hides the type of a future in a Worker, which is weighed. Natively it stays what it is: some have to be `Send`, and
/// a hidden one would not be.
pub(crate) fn thin<'a, F: Future + 'a>(future: Pin<&'a mut F>) -> Thin<'a, F> {
    future
}
