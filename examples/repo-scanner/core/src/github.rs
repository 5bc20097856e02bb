//! The part of GitHub's REST API that a scan needs.

mod error;
mod page;
mod redirect;
mod repository;

pub use self::{
    error::NotFetched,
    page::{NextPage, Page},
    repository::Repository,
};

use crate::{RepoName, read};
use http::{
    Response, StatusCode, Uri,
    header::{ACCEPT, ETAG, IF_NONE_MATCH, USER_AGENT},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use tower_egress::{FetchExt, RequestBuilder};

/// How many redirections are followed for one request.
const MAX_HOPS: usize = 3;
/// The longest entity tag that is kept, in bytes.
const MAX_ETAG: usize = 200;

/// GitHub, at an address, through a client.
///
/// Redirections, which GitHub sends for what was renamed, are followed on the same server, three times at most. Each hop is a request of its own to
/// the client, so that it pays what any other pays.
#[derive(Clone, Debug)]
pub struct GitHub<C> {
    client: C,
    base: String,
    token: Option<Token>,
}

/// A token, which nobody is shown.
#[derive(Clone)]
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What became of a repository since it was fetched last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It was not fetched before, or is another today.
    New {
        /// It.
        repository: Repository,
        /// Names this state of it: see [`GitHub::repository`].
        etag: Option<String>,
    },
    /// It is what it was.
    Unchanged,
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
        self.token = token.map(Token);
        self
    }
}

impl<C: FetchExt> GitHub<C> {
    /// Fetches one repository, also if it has another name today.
    ///
    /// With the `etag` of an earlier answer it is only asked whether it has changed; that it has not
    /// [costs no quota](https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate).
    ///
    /// # Errors
    ///
    /// Whatever the stack or the server answers; see [`tower_egress::ErrorKind`].
    pub async fn repository(
        &self,
        name: &RepoName,
        etag: Option<&str>,
    ) -> Result<Fetched, NotFetched> {
        let url = format!("{}/repos/{name}", self.base);
        let (_, response) = self.follow(url, etag).await?;
        if response.status() == StatusCode::NOT_MODIFIED && etag.is_some() {
            return Ok(Fetched::Unchanged);
        }
        let etag = response.headers().get(ETAG);
        let etag = etag.and_then(|etag| Some(etag.to_str().ok()?.to_owned()));
        let etag = etag.filter(|etag| etag.len() <= MAX_ETAG);
        let repository: Repository = read::json(response).await?;
        Ok(Fetched::New {
            repository: repository.within_bounds(),
            etag,
        })
    }

    /// Fetches how many bytes of each language a repository has.
    ///
    /// # Errors
    ///
    /// As [`repository`](Self::repository).
    pub async fn languages(&self, name: &RepoName) -> Result<BTreeMap<String, u64>, NotFetched> {
        let url = format!("{}/repos/{name}/languages", self.base);
        read::json(self.follow(url, None).await?.1).await
    }

    /// Fetches the first page of an owner's repositories, a hundred of them.
    ///
    /// # Errors
    ///
    /// As [`repository`](Self::repository).
    pub async fn repositories_of(&self, owner: &str) -> Result<Page<Repository>, NotFetched> {
        let owner = path_segment(owner);
        let url = format!("{}/users/{owner}/repos?per_page=100", self.base);
        self.page(url).await
    }

    /// Searches repositories, and fetches the first hundred that are found; GitHub shows a thousand at most.
    ///
    /// # Errors
    ///
    /// As [`repository`](Self::repository).
    pub async fn search(&self, query: &str) -> Result<Page<Repository>, NotFetched> {
        let query = query_value(query);
        let url = format!("{}/search/repositories?per_page=100&q={query}", self.base);
        self.found(url).await
    }

    /// Fetches the next page of a list or a search.
    ///
    /// # Errors
    ///
    /// As [`repository`](Self::repository).
    pub async fn next_page(&self, next: NextPage) -> Result<Page<Repository>, NotFetched> {
        let is_search = next.0.contains("/search/");
        match is_search {
            true => self.found(next.0).await,
            false => self.page(next.0).await,
        }
    }

    async fn page(&self, url: String) -> Result<Page<Repository>, NotFetched> {
        self.list(url, |items: Vec<Repository>| items).await
    }

    async fn found(&self, url: String) -> Result<Page<Repository>, NotFetched> {
        #[derive(Deserialize)]
        struct Found {
            items: Vec<Repository>,
        }
        self.list(url, |found: Found| found.items).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        url: String,
        items: impl FnOnce(T) -> Vec<Repository>,
    ) -> Result<Page<Repository>, NotFetched> {
        let (url, response) = self.follow(url, None).await?;
        let next = page::next(&url, response.headers());
        let items = items(read::json(response).await?);
        Ok(Page { items, next })
    }

    /// Sends a request, and follows where it is sent. Returns from where the response is, too.
    async fn follow(
        &self,
        mut url: String,
        etag: Option<&str>,
    ) -> Result<(String, Response<C::ResponseBody>), NotFetched> {
        for _ in 0..MAX_HOPS {
            let response = self.send(&url, etag).await?;
            match redirect::moved(&url, &response) {
                Some(next) => url = next,
                None => return Ok((url, response)),
            }
        }
        let response = self.send(&url, etag).await?;
        Ok((url, response))
    }

    async fn send(
        &self,
        url: &str,
        etag: Option<&str>,
    ) -> Result<Response<C::ResponseBody>, NotFetched> {
        let mut request = self.get(url);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        request.send().await.map_err(NotFetched::NoResponse)
    }

    fn get(&self, url: &str) -> RequestBuilder<C> {
        let request = self
            .client
            .get(url)
            .header(ACCEPT, "application/vnd.github+json")
            // GitHub refuses requests without one.
            .header(USER_AGENT, "tower-egress-repo-scanner");
        match &self.token {
            Some(Token(token)) => request.bearer(token),
            None => request,
        }
    }
}

/// Writes a text as one segment of a path.
fn path_segment(text: &str) -> String {
    query_value(text).replace('+', "%20")
}

/// Writes a text as a value in a query.
fn query_value(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                written.push(char::from(byte));
            }
            b' ' => written.push('+'),
            _ => written += &format!("%{byte:02X}"),
        }
    }
    written
}
