//! Ctrl-C, or SIGTERM: once to end with what there is, twice to end at once.

use crate::failure::Failure;
use tokio::sync::watch;

/// Whether the program was told to end.
#[derive(Clone, Debug)]
pub(crate) struct Told(watch::Receiver<bool>);

impl Told {
    /// Makes one, and what tells it.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (tell, told) = watch::channel(false);
        (tell, Self(told))
    }

    /// Waits until it is told.
    pub(crate) async fn to_end(&self) {
        let mut told = self.0.clone();
        // Who could tell is there as long as this is.
        let _ = told.wait_for(|told| *told).await;
    }

    /// Returns whether it was.
    pub(crate) fn already(&self) -> bool {
        *self.0.borrow()
    }
}

/// Does `work`, which is handed what tells it of the first of them. The second drops it, wherever it is.
pub(crate) async fn heeded<F>(work: impl FnOnce(Told) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let (tell, told) = Told::new();
    let mut signals = Signals::new();
    let twice = async move {
        signals.next().await;
        // Work that is past the point where it listens is about to end.
        let _ = tell.send(true);
        signals.next().await;
    };
    tokio::select! {
        // Listens before the work begins, so that whoever sees a sign of it may send a Ctrl-C.
        biased;
        () = twice => Err(Failure::interrupted("interrupted twice, and ended at once")),
        result = work(told) => result,
    }
}

/// What tells a program to end.
struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .ok(),
        }
    }

    /// Waits for the next; for ever, where the system does not tell.
    async fn next(&mut self) {
        tokio::select! {
            () = ctrl_c() => {}
            () = self.terminated() => {}
        }
    }

    #[cfg(unix)]
    async fn terminated(&mut self) {
        let told = match &mut self.terminate {
            Some(terminate) => terminate.recv().await,
            None => None,
        };
        if told.is_none() {
            std::future::pending().await
        }
    }

    #[cfg(not(unix))]
    async fn terminated(&mut self) {
        std::future::pending().await
    }
}

async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
