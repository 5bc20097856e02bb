//! Flags that change while the program runs.

use crate::{config::ConfigFile, flags};
use std::convert::Infallible;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tower_egress::flags::Flags;

/// Each SIGHUP from when this is made, one that comes before anybody asks for it too.
pub(super) struct Hangups {
    #[cfg(unix)]
    signal: Option<Signal>,
}

impl Hangups {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: signal(SignalKind::hangup()).ok(),
        }
    }

    /// Reads the file again at each, and says what came of it. A bad one changes nothing.
    pub(super) async fn reload(mut self, flags: &Flags, file: Option<&ConfigFile>) -> Infallible {
        while self.next().await {
            match file {
                None => eprintln!("there is nothing to read again without --config"),
                Some(file) => match flags::reload(flags, file) {
                    Ok(()) => eprintln!("flags are as {} says", file.path().display()),
                    Err(failure) => eprintln!("flags stay as they were: {failure}"),
                },
            }
        }
        std::future::pending().await
    }

    /// Waits for the next; returns whether there is one.
    #[cfg(unix)]
    async fn next(&mut self) -> bool {
        match &mut self.signal {
            Some(signal) => signal.recv().await.is_some(),
            None => false,
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> bool {
        false
    }
}
