//! Where an API lives, and where a request goes.

mod path;

use self::path::Path;
use http::{
    HeaderMap, Uri,
    header::HOST,
    uri::{Authority, PathAndQuery},
};

/// Where an API lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Without a port.
    host: String,
    /// If none is given, any will do.
    port: Option<u16>,
    path: Path,
}

/// The host and port that a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    host: &'a str,
    port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Is(u16),
    /// That of a scheme which is not known: a `Host` header without a port leaves 80 and 443.
    Default,
}

impl<'a> Target<'a> {
    /// Returns the target of a request: what its URI says or, if that has no host, its `Host` header.
    pub(crate) fn of(uri: &'a Uri, headers: Option<&'a HeaderMap>) -> Option<Self> {
        let named = match uri.authority() {
            Some(authority) => authority.as_str(),
            None => headers?.get(HOST)?.to_str().ok()?,
        };
        let (host, port) = split(named);
        let port = match (port, uri.scheme_str()) {
            (Some(port), _) => Port::Is(port),
            (None, Some("https" | "wss")) => Port::Is(443),
            (None, Some("http" | "ws")) => Port::Is(80),
            (None, _) => Port::Default,
        };
        Some(Self { host, port })
    }
}

/// Splits an authority into its host, without a user and the dot that a full name may end with, and its port.
fn split(authority: &str) -> (&str, Option<u16>) {
    // Nearly always; and a request is looked at each time it is sent.
    if !authority.bytes().any(|byte| matches!(byte, b'@' | b':')) {
        return (authority.strip_suffix('.').unwrap_or(authority), None);
    }
    let (_, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match place.rsplit_once(':') {
        // An address of IPv6 has colons of its own, within brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (place, None),
    };
    (host.strip_suffix('.').unwrap_or(host), port)
}

impl Place {
    /// Reads `host`, `host:port` or either with the beginning of a path; else says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.as_bytes().windows(3).any(|three| three == b"://") {
            return Err("it has a scheme");
        }
        let (authority, path) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
        if authority.contains('@') {
            return Err("it has a user");
        }
        let checked: Authority = authority.parse().map_err(|_| "that is not a host")?;
        let (host, port) = split(authority);
        if host.is_empty() {
            return Err("it has no host");
        }
        // What is behind a colon is a number, or it is no port.
        if checked.host().len() < authority.len() && port.is_none() {
            return Err("its port is none");
        }
        if path.contains(['?', '#']) || (!path.is_empty() && path.parse::<PathAndQuery>().is_err())
        {
            return Err("behind the host only the beginning of a path may stand");
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            path: Path::new(path),
        })
    }

    /// Keeps its path, and lies at another host.
    pub(crate) fn move_to(&mut self, authority: &Authority) {
        let (host, port) = split(authority.as_str());
        self.host = host.to_owned();
        self.port = port;
    }

    /// Tells how closely a target and its path fit, as a value to compare; `None` if they do not.
    pub(crate) fn fits(&self, target: Target<'_>, path: &str) -> Option<(usize, bool)> {
        let port = match (self.port, target.port) {
            (None, _) => true,
            (Some(ours), Port::Is(port)) => ours == port,
            (Some(ours), Port::Default) => matches!(ours, 80 | 443),
        };
        if !port || (self.host != target.host && !self.host.eq_ignore_ascii_case(target.host)) {
            return None;
        }
        let begins = self.path.begins(path);
        begins.then_some((self.path.len(), self.port.is_some()))
    }
}
