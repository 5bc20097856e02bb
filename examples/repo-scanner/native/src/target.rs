//! The server that a scan is at.

use crate::{asked::Asked, failure::Failure, origin, quota::Pace};
use http::Uri;
use std::{fmt, time::Duration};
use strict_origin::{NamedRule, StrictOrigin};

const GITHUB: &str = "https://api.github.com";
const ANTHROPIC: &str = "https://api.anthropic.com";

/// What the server inside permits when nobody says otherwise: 200 requests a second, and ten analyses.
const DEMO_RULE: &str = "github=600/1s,burst=10,spacing=5ms";
const DEMO_ANTHROPIC: &str = "anthropic=10/1s,burst=2,spacing=50ms";

/// Where to scan, and the server inside if it is that.
pub(crate) struct Target {
    pub(crate) base: Uri,
    pub(crate) pace: Pace,
    /// Where repositories are described.
    pub(crate) anthropic: Uri,
    pub(crate) anthropic_pace: Pace,
    inside: Option<StrictOrigin>,
}

impl Target {
    /// Finds out where to scan, and starts the server inside if it is that.
    pub(crate) async fn of(asked: &Asked) -> Result<Self, Failure> {
        let pace = |given: Option<&NamedRule>, otherwise| given.map_or(Ok(otherwise), Pace::new);
        let (github, anthropic) = (asked.github.as_ref(), asked.anthropic.as_ref());
        let real = asked.token.as_ref().map(|_| {
            let anthropic = Uri::from_static(ANTHROPIC);
            (Uri::from_static(GITHUB), anthropic)
        });
        let given = asked.origin.clone().map(|base| (base.clone(), base));
        if let Some((base, at)) = given.or(real) {
            return Ok(Self {
                base,
                pace: pace(github, Pace::GITHUB)?,
                anthropic: at,
                anthropic_pace: pace(anthropic, Pace::ANTHROPIC)?,
                inside: None,
            });
        }
        let rule = |given: Option<&NamedRule>, otherwise: &str| match given {
            Some(given) => Ok(given.clone()),
            None => otherwise.parse::<NamedRule>().map_err(broken),
        };
        let rules = [rule(github, DEMO_RULE)?, rule(anthropic, DEMO_ANTHROPIC)?];
        let (pace, anthropic_pace) = (Pace::new(&rules[0])?, Pace::new(&rules[1])?);
        let inside = origin::start(&rules, 0, asked.faults, 1).await?;
        let base: Uri = inside.url().parse().map_err(broken)?;
        Ok(Self {
            anthropic: base.clone(),
            base,
            pace,
            anthropic_pace,
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

fn broken(error: impl fmt::Display) -> Failure {
    Failure::failed("the server inside cannot be set up", error)
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
