//! The part of GitHub's REST API that a scan needs.

use crate::RepoName;
use http::{
    Uri,
    header::{ACCEPT, USER_AGENT},
};
use serde::{Deserialize, Serialize};
use tower_egress::{Error, FetchExt};

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
    /// Fetches one repository.
    ///
    /// # Errors
    ///
    /// Whatever the stack or the server answers; see [`tower_egress::ErrorKind`].
    pub async fn repository(&self, name: &RepoName) -> Result<Repository, Error> {
        let mut request = self
            .client
            .get(format!("{}/repos/{name}", self.base))
            .header(ACCEPT, "application/vnd.github+json")
            // GitHub refuses requests without one.
            .header(USER_AGENT, "tower-egress-repo-scanner");
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        request.json().await
    }
}
