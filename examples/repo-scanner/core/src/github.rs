//! The part of GitHub's REST API that a scan needs.

use crate::RepoName;
use http::{
    Response, StatusCode, Uri,
    header::{ACCEPT, LOCATION, USER_AGENT},
};
use http_body::Body;
use http_body_util::{LengthLimitError, Limited};
use serde::{Deserialize, Deserializer, Serialize};
use std::error::Error as StdError;
use tower_egress::{BoxError, DEFAULT_MAX_BYTES, Error, FetchExt, RequestBuilder, ResponseExt};

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
    #[serde(default, deserialize_with = "none_if_null")]
    pub topics: Vec<String>,
    /// When somebody last pushed to it.
    pub pushed_at: Option<String>,
}

/// Why a repository was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotFetched {
    /// There was no response that could be read: none at all, or one of another status.
    #[error(transparent)]
    NoResponse(Error),
    /// There was one, and its body broke off, took too long, or is no repository.
    #[error(transparent)]
    Body(Error),
    /// There was one, and its body is larger than what is read.
    #[error("the response is larger than {max} bytes")]
    TooLarge {
        /// How much is read.
        max: usize,
    },
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
    pub async fn repository(&self, name: &RepoName) -> Result<Repository, NotFetched> {
        let mut url = format!("{}/repos/{name}", self.base);
        for _ in 0..MAX_HOPS {
            let response = self.send(&url).await?;
            match moved(&url, &response) {
                Some(next) => url = next,
                None => return read(response).await,
            }
        }
        read(self.send(&url).await?).await
    }

    async fn send(&self, url: &str) -> Result<Response<C::ResponseBody>, NotFetched> {
        self.get(url).send().await.map_err(NotFetched::NoResponse)
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

/// Reads a repository; a body that is too large is given up as soon as that is known.
async fn read<B>(response: Response<B>) -> Result<Repository, NotFetched>
where
    B: Body<Error: Into<BoxError>>,
{
    let max = DEFAULT_MAX_BYTES;
    let response = response
        .error_for_status()
        .map_err(NotFetched::NoResponse)?;
    // `Limited` would state its own limit for a body that states more.
    if u64::try_from(max).is_ok_and(|max| response.body().size_hint().lower() > max) {
        return Err(NotFetched::TooLarge { max });
    }
    let limited = response.map(|body| Limited::new(body, max));
    limited.into_json().await.map_err(|error| {
        let mut chain = std::iter::successors(error.source(), |&error| error.source());
        if chain.any(|error| error.is::<LengthLimitError>()) {
            NotFetched::TooLarge { max }
        } else {
            NotFetched::Body(error)
        }
    })
}

/// Takes `null` for an empty list, which some servers write so.
fn none_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
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
    fn topics_may_be_missing_or_null() {
        let rest = r#""id":1,"full_name":"a/b","stargazers_count":1,"forks_count":1,"open_issues_count":0"#;
        for topics in ["", r#","topics":null"#, r#","topics":[]"#] {
            let repository: Repository =
                serde_json::from_str(&format!("{{{rest}{topics}}}")).unwrap();
            assert!(repository.topics.is_empty());
        }
        let topics = format!(r#"{{{rest},"topics":["a"]}}"#);
        let repository: Repository = serde_json::from_str(&topics).unwrap();
        assert_eq!(repository.topics, ["a"]);
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
