//! Flags that change while the program runs.

use crate::{config::ConfigFile, flags};
use std::convert::Infallible;
use tower_egress::flags::Flags;

/// Reads the file again at each SIGHUP, and says what came of it. A bad one changes nothing.
#[cfg(unix)]
pub(super) async fn at_hangups(flags: &Flags, file: Option<&ConfigFile>) -> Infallible {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    while hangups.recv().await.is_some() {
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

#[cfg(not(unix))]
pub(super) async fn at_hangups(_: &Flags, _: Option<&ConfigFile>) -> Infallible {
    std::future::pending().await
}
