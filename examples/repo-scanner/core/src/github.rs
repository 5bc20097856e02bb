//! The part of GitHub's REST API that a scan needs.

use crate::RepoName;
use http::{
    Response, StatusCode, Uri,
    header::{ACCEPT, LOCATION, USER_AGENT},
};
use serde::{Deserialize, Serialize};
use tower_egress::{Error, FetchExt, RequestBuilder, ResponseExt};

/// How many redirections are followed for one repository.
const MAX_HOPS: usize = 3;

/// GitHub, at an address, through a client.
#[derive(Clone, Debug)]
pub struct GitHub<C> {
    client: C,
    base: String,
    token: Option<String>,
}

/// A repository as a scan keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// GitHub's number for it.
    pub id: i64,
    /// `owner/name`, as GitHub writes it today; it may differ from what was asked for after a renaming.
    pub full_name: String,
    /// What it is, in its owner's words.
    pub description: Option<String>,
    /// The main language.
    pub language: Option<String>,
    /// The stars.
    #[serde(rename = "stargazers_count")]
    pub stars: i64,
    /// The forks.
    #[serde(rename = "forks_count")]
    pub forks: i64,
    /// The open issues, pull requests included.
    #[serde(rename = "open_issues_count")]
    pub open_issues: i64,
    /// The topics.
    #[serde(default)]
    pub topics: Vec<String>,
    /// When somebody last pushed to it.
    pub pushed_at: Option<String>,
}

impl<C> GitHub<C> {
    /// Makes a service at `base`, for example `https://api.github.com`.
    pub fn new(client: C, base: &Uri) -> Self {
        Self {
            client,
            base: base.to_string().trim_end_matches('/').to_owned(),
            token: None,
        }
    }

    /// Sends this token along.
    #[must_use]
    pub fn with_token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }
}

impl<C: FetchExt> GitHub<C> {
    /// Fetches one repository, also if it has another name today.
    ///
    /// GitHub redirects from an old name, which is followed on the same server, three times at most. Each hop is a
    /// request of its own to the client, so that it pays what any other pays.
    ///
    /// # Errors
    ///
    /// Whatever the stack or the server answers; see [`tower_egress::ErrorKind`].
    pub async fn repository(&self, name: &RepoName) -> Result<Repository, Error> {
        let mut url = format!("{}/repos/{name}", self.base);
        for _ in 0..MAX_HOPS {
            let response = self.get(&url).send().await?;
            match moved(&url, &response) {
                Some(next) => url = next,
                None => return response.error_for_status()?.into_json().await,
            }
        }
        self.get(&url).json().await
    }

    fn get(&self, url: &str) -> RequestBuilder<C> {
        let request = self
            .client
            .get(url)
            .header(ACCEPT, "application/vnd.github+json")
            // GitHub refuses requests without one.
            .header(USER_AGENT, "tower-egress-repo-scanner");
        match &self.token {
            Some(token) => request.bearer(token),
            None => request,
        }
    }
}

/// Returns where a response sends us, if that is on the same server: our token is for no other.
fn moved<B>(from: &str, response: &Response<B>) -> Option<String> {
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
    let (scheme, authority) = (from.scheme()?, from.authority()?);
    let to = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        location.to_owned()
    };
    let to: Uri = to.parse().ok()?;
    (origin(&to)? == origin(&from)?).then(|| to.to_string())
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
