//! The server that a scan is at.

use crate::{failure::Failure, origin, quota::Pace, scan::ScanCommand};
use http::Uri;
use std::{fmt, time::Duration};
use strict_origin::{NamedRule, StrictOrigin};

const GITHUB: &str = "https://api.github.com";

/// What the server inside permits when nobody says otherwise: 200 requests a second.
const DEMO_RULE: &str = "github=600/1s,burst=10,spacing=5ms";

/// Where to scan, and the server inside if it is that.
pub(crate) struct Target {
    pub(crate) base: Uri,
    pub(crate) pace: Pace,
    inside: Option<StrictOrigin>,
}

impl Target {
    /// Finds out where to scan, and starts the server inside if it is that.
    pub(crate) async fn of(options: &ScanCommand) -> Result<Self, Failure> {
        let given = options.quota.as_ref();
        let real = || options.token.as_ref().map(|_| Uri::from_static(GITHUB));
        if let Some(base) = options.origin.clone().or_else(real) {
            return Ok(Self {
                base,
                pace: given.map_or(Ok(Pace::GITHUB), Pace::new)?,
                inside: None,
            });
        }
        let demo: NamedRule = DEMO_RULE
            .parse()
            .map_err(|error| Failure::failed("the default quota is broken", error))?;
        let rule = given.unwrap_or(&demo);
        let pace = Pace::new(rule)?;
        let inside = origin::start(std::slice::from_ref(rule), 0, options.faults, 1).await?;
        let base = inside.url().parse();
        Ok(Self {
            base: base
                .map_err(|error| Failure::failed("the server inside has no address", error))?,
            pace,
            inside: Some(inside),
        })
    }

    /// Says whether it is the server inside.
    pub(crate) const fn is_inside(&self) -> bool {
        self.inside.is_some()
    }

    /// Finds out whether anybody is there, so that an address that nobody serves is one clear line and not a thousand.
    pub(crate) async fn reach(&self) -> Result<(), Failure> {
        let host = self.base.host().unwrap_or_default();
        let host = host.trim_matches(['[', ']']);
        let port = self
            .base
            .port_u16()
            .unwrap_or(match self.base.scheme_str() {
                Some("https") => 443,
                _ => 80,
            });
        let connect = tokio::net::TcpStream::connect((host, port));
        #[allow(
            clippy::disallowed_methods,
            reason = "the program itself, not a layer: it owns its runtime"
        )]
        let connected = tokio::time::timeout(Duration::from_secs(10), connect).await;
        let unreachable = format!("cannot reach {self}");
        match connected {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::failed(unreachable, error)),
            Err(_) => Err(Failure::failed(unreachable, "no answer in 10 s")),
        }
    }

    /// Stops the server inside, and says what it has to complain of.
    pub(crate) async fn leave(self) {
        let Some(inside) = self.inside else { return };
        let complaints = inside.shutdown().await.complaints();
        if !complaints.is_empty() {
            eprintln!("the server complains of: {}", complaints.join("; "));
        }
    }
}

/// The address as it may be shown: without user and query, which may hold secrets.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.base.scheme_str().unwrap_or("http");
        let authority = self.base.authority().map_or("", |it| it.as_str());
        let host = authority.rsplit('@').next().unwrap_or_default();
        let path = self.base.path().trim_end_matches('/');
        write!(f, "{scheme}://{host}{path}")?;
        if self.is_inside() {
            f.write_str(" (a strict test server inside this program)")?;
        }
        Ok(())
    }
}
