//! The origin as its user holds it.

use std::{collections::BTreeSet, io, net::SocketAddr, sync::Arc, thread};

use tokio::{net::TcpSocket, runtime, sync::oneshot};

use crate::{Builder, Score, builder::Config, server, state::Shared};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The size of the send buffers: small, so that a body that nobody reads is seen to be open.
const SEND_BUFFER: u32 = 64 * 1024;

/// A running origin. Dropping it stops it.
#[derive(Debug)]
pub struct StrictOrigin {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// The server runs until this is dropped.
    stop: oneshot::Sender<()>,
    /// Resolves when the thread has ended.
    ended: oneshot::Receiver<()>,
}

impl StrictOrigin {
    /// Returns a builder with nothing limited and no faults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Returns the URL, such as `http://127.0.0.1:40123`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.shared.base
    }

    /// Returns the address.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the score so far.
    pub fn score(&self) -> Score {
        self.shared.state().score()
    }

    /// Returns the paths (with query) that [`Score::unique_paths_served`] counts.
    pub fn served_paths(&self) -> BTreeSet<String> {
        self.shared.served_paths()
    }

    /// Forgets everything: the score, the windows, who was told to wait, the attempts of each
    /// request, how far scripts have come, and what was written. What is under way counts on.
    pub fn reset(&self) {
        self.shared.state().reset();
    }

    /// Stops the origin, closing every connection, and returns the score as it was before that.
    pub async fn shutdown(self) -> Score {
        let score = self.score();
        drop(self.stop);
        // Resolves either way, when the thread drops its end.
        let _ = self.ended.await;
        score
    }
}

/// Says why an origin did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address can be reached from other machines.
    #[error("{0} is no loopback address")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened at, or the thread or its runtime cannot be started.
    #[error("cannot listen at {0}: {1}")]
    Io(SocketAddr, #[source] io::Error),
}

/// Starts the origin's thread and waits until it listens.
pub(crate) async fn start(address: SocketAddr, config: Config) -> Result<StrictOrigin, StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    let (ready, is_ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    thread::Builder::new()
        .name("strict-origin".to_owned())
        .spawn(move || {
            run(address, config, ready, stopped);
            drop(end);
        })
        .map_err(|error| StartError::Io(address, error))?;
    let (shared, bound) = is_ready
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the thread ended")))
        .map_err(|error| StartError::Io(address, error))?;
    Ok(StrictOrigin {
        shared,
        address: bound,
        stop,
        ended,
    })
}

type Ready = io::Result<(Arc<Shared>, SocketAddr)>;

/// Is the origin's thread.
fn run(
    address: SocketAddr,
    config: Config,
    ready: oneshot::Sender<Ready>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever waited for it may be gone.
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        let listener = match listen(address) {
            Ok(listener) => listener,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let bound = listener.local_addr().unwrap_or(address);
        let shared = Arc::new(Shared::new(config, format!("http://{bound}")));
        if ready.send(Ok((Arc::clone(&shared), bound))).is_ok() {
            server::serve(&listener, &shared, stopped).await;
        }
    });
}

fn listen(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if cfg!(unix) {
        // Elsewhere it would let two servers share a port.
        socket.set_reuseaddr(true)?;
    }
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
