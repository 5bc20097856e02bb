//! Where a response sends us.

use http::{Response, StatusCode, Uri, header::LOCATION};

/// Returns where a response sends us, if that is on the same server: our token is for no other.
pub(super) fn moved<B>(from: &str, response: &Response<B>) -> Option<String> {
    let moved = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).filter(|_| moved)?;
    let location = location.to_str().ok()?;
    let from: Uri = from.parse().ok()?;
    same_server(&from, location).map(|to| to.to_string())
}

/// Resolves a location, if it is on the server of `from`.
pub(super) fn same_server(from: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (from.scheme()?, from.authority()?);
    let to = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        location.to_owned()
    };
    let to: Uri = to.parse().ok()?;
    (origin(&to)? == origin(from)?).then_some(to)
}

/// What makes two URLs those of one server.
fn origin(uri: &Uri) -> Option<(&str, String, u16)> {
    let scheme = uri.scheme_str()?;
    let default = if scheme == "https" { 443 } else { 80 };
    let host = uri.host()?.to_ascii_lowercase();
    Some((scheme, host, uri.port_u16().unwrap_or(default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved_to(status: u16, location: &str) -> Option<String> {
        let response = Response::builder()
            .status(status)
            .header(LOCATION, location);
        moved(
            "https://api.github.com/repos/a/b",
            &response.body(()).unwrap(),
        )
    }

    #[test]
    fn a_redirection_is_followed_on_the_same_server_only() {
        let there = Some("https://api.github.com/repositories/1".to_owned());
        for status in [301, 302, 307, 308] {
            let location = "https://api.github.com/repositories/1";
            assert_eq!(moved_to(status, location), there, "{status}");
        }
        for same in [
            "/repositories/1",
            "//api.github.com/repositories/1",
            "https://api.github.com/repositories/1#fragment",
        ] {
            assert_eq!(moved_to(301, same), there, "{same}");
        }
        assert!(moved_to(301, "https://API.github.com:443/a?b=c").is_some());
        for other in [
            "https://evil.example/repositories/1",
            "//evil.example/repositories/1",
            "https://api.github.com@evil.example/",
            "https://api.github.com:8443/",
            "http://api.github.com/repositories/1",
            "repositories/1",
            "",
        ] {
            assert_eq!(moved_to(301, other), None, "{other}");
        }
        for status in [200, 300, 303, 304, 404] {
            assert_eq!(moved_to(status, "/a"), None, "{status}");
        }
    }
}
