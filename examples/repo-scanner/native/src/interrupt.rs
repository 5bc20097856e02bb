//! Ctrl-C: once to end with what there is, twice to end at once.

use crate::failure::Failure;
use tokio::sync::oneshot;

/// Does `work`, which is handed what resolves at the first Ctrl-C. The second drops it, wherever it is.
pub(crate) async fn heeded<F>(work: impl FnOnce(oneshot::Receiver<()>) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let (tell, told) = oneshot::channel();
    let twice = async move {
        ctrl_c().await;
        // Work that is past the point where it listens is about to end.
        let _ = tell.send(());
        ctrl_c().await;
    };
    tokio::select! {
        // Listens before the work begins, so that whoever sees a sign of it may send a Ctrl-C.
        biased;
        () = twice => Err(Failure::interrupted("interrupted twice, and ended at once")),
        result = work(told) => result,
    }
}

/// Waits for Ctrl-C; for ever, where the system does not tell.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
