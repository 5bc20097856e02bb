//! A response body that holds a permit, as it is shown to others.

use crate::open_bodies::OpenBody;
use egress_time::Instant;
use http::Method;
use std::{fmt, sync::Arc, time::Duration};

/// A response body that holds a permit.
///
/// It is shown as method, host and path, never with the query, which may hold a secret.
#[derive(Clone)]
pub struct Holder {
    body: Arc<OpenBody>,
    unread_for: Duration,
}

impl Holder {
    pub(crate) fn new(now: Instant, body: &Arc<OpenBody>) -> Self {
        Self {
            body: Arc::clone(body),
            unread_for: now - body.left_alone_at(),
        }
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &Method {
        self.body.method()
    }

    /// Returns the host of the request, if its URI had one.
    pub fn host(&self) -> Option<&str> {
        self.body.host()
    }

    /// Returns the path of the request, without its query.
    pub fn path(&self) -> &str {
        self.body.path()
    }

    /// Returns for how long its owner had left it alone; zero while the owner was waiting for more of it.
    pub const fn unread_for(&self) -> Duration {
        self.unread_for
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host().unwrap_or_default();
        let (method, path) = (self.method(), self.path());
        write!(f, "{method} {host}{path} ({:.1?})", self.unread_for)
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder")
            .field("method", self.method())
            .field("host", &self.host())
            .field("path", &self.path())
            .field("unread_for", &self.unread_for)
            .finish()
    }
}

/// Several holders in a row.
pub(crate) struct Names<'a>(pub(crate) &'a [Holder]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, holder) in self.0.iter().enumerate() {
            write!(f, "{}{holder}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
