//! One connection: its socket, whether it counts, and how it is closed.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::state::Shared;

/// What the requests of one connection share.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    counted: AtomicBool,
    reset: AtomicBool,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            counted: AtomicBool::new(false),
            reset: AtomicBool::new(false),
        })
    }

    /// Counts the connection, once.
    pub(crate) fn count(&self) {
        if !self.counted.swap(true, Ordering::Relaxed) {
            self.shared.state().tally.connections.rise();
        }
    }

    /// Returns the error that makes hyper close the connection (HTTP/1.1) or reset the stream
    /// (HTTP/2) without another byte. With `reset`, an HTTP/1.1 connection ends with a TCP reset.
    pub(crate) fn hang_up(&self, reset: bool) -> Hangup {
        if reset {
            self.reset.store(true, Ordering::Relaxed);
        }
        Hangup
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if *self.counted.get_mut() {
            self.shared.state().tally.connections.fall();
        }
    }
}

/// Ends an exchange without a word.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the origin hangs up")]
pub(crate) struct Hangup;

/// A TCP stream that is reset when it is dropped, if its connection says so.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.connection.reset.load(Ordering::Relaxed) {
            // Without it the peer sees an orderly end, which is merely less of a fault.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
