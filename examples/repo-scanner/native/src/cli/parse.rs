//! Values of the command line, and what is wrong with them in the words of somebody who typed them.

use crate::failure::Failure;
use http::Uri;
use std::{fmt, net::IpAddr, num::NonZeroUsize};

/// The address of a server as it was typed: it may hold a password, and is shown to nobody.
pub(crate) struct OriginText(pub(crate) String);

impl fmt::Debug for OriginText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginText(…)")
    }
}

impl OriginText {
    /// Parses it. What is wrong with it is said without repeating it.
    pub(crate) fn parse(&self) -> Result<Uri, Failure> {
        let refused = |why: &str| {
            let expected = "expected http://host or https://host";
            Failure::usage(format!("--origin: {why}; {expected}"))
        };
        let text = &self.0;
        let uri: Uri = text.parse().map_err(|_| refused("that is not a URL"))?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        // A port that is none is no port to `Uri`.
        let host = uri.host().unwrap_or_default();
        let port = authority.strip_prefix(host).unwrap_or_default();
        let has_bad_port = !port.is_empty() && uri.port_u16().is_none_or(|port| port == 0);
        match uri.scheme_str() {
            Some("http" | "https") if authority.contains('@') => {
                Err(refused("a user and a password are not sent"))
            }
            Some("http" | "https") if uri.query().is_some() => Err(refused("it has a query")),
            // `Uri` leaves it out.
            Some("http" | "https") if text.contains('#') => Err(refused("it has a fragment")),
            Some("http" | "https") if has_bad_port => {
                Err(refused("its port is not a number from 1 to 65535"))
            }
            Some("http" | "https") => Ok(uri),
            _ => Err(refused("it has no scheme that is known")),
        }
    }
}

pub(super) fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    use std::num::IntErrorKind::{PosOverflow, Zero};
    text.parse::<NonZeroUsize>().map_err(|error| {
        match error.kind() {
            Zero => "must be at least 1",
            PosOverflow => "is too large",
            _ => "expected a whole number",
        }
        .to_owned()
    })
}

pub(crate) fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("expected a number from 0 to 1".to_owned())
    }
}

/// Parses where to listen.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        _ => text.parse().map_err(|_| {
            "expected an address of this machine, as 127.0.0.1, or 0.0.0.0 for all of them"
                .to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host() {
        let origin = |text: &str| OriginText(text.to_owned()).parse();
        for bad in [
            "127.0.0.1:80",
            "ftp://a",
            "http://",
            "/x",
            "http://a?b",
            "http://a@b",
            "http://a#b",
            "http://a/#",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:0",
            "http://127.0.0.1:",
            "http://a:b",
            "http://[::1]:99999",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        for good in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://[::1]:1/",
            "https://[::1]",
            "https://a:65535/b",
        ] {
            assert!(origin(good).is_ok(), "{good}");
        }
    }
}
