//! Where to listen.

use crate::failure::Failure;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpListener;

/// Where to listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listen {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
}

impl Listen {
    /// Makes sure that not everybody may begin scans.
    pub(crate) fn check(self, has_token: bool) -> Result<(), Failure> {
        if has_token || self.host.is_loopback() {
            return Ok(());
        }
        let host = self.host;
        let why = "whoever reaches it could begin and end scans";
        let instead = "set REPO_SCANNER_TOKEN, or leave --host at 127.0.0.1";
        Err(Failure::usage(format!("--host {host}: {why}; {instead}")))
    }

    /// Listens.
    pub(crate) async fn bind(self) -> Result<TcpListener, Failure> {
        let address = SocketAddr::from((self.host, self.port));
        let listener = TcpListener::bind(address).await;
        listener.map_err(|error| Failure::failed(format!("cannot serve on {address}"), error))
    }
}
