//! Scans: how the last one is getting on, beginning one, ending it.

use super::{Problem, Web, Whole, pages};
use crate::{BeginError, CATALOGUE, RepoName, ReposError, repos};
use http::StatusCode;
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use std::hash::{DefaultHasher, Hash, Hasher};
use tower_egress::{BoxError, FetchExt, Timer, sql::Database};

/// How long a list may be that somebody sends: some 200,000 repositories.
const MAX_BODY: usize = 8 << 20;

/// What the list is called that the program ships with.
pub const CATALOGUE_KEY: &str = "catalogue";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    repos: Option<Vec<String>>,
}

impl<C: FetchExt, D: Database + Clone, T: Timer, X> Web<C, D, T, X> {
    pub(super) async fn scan(&self) -> Result<Whole, Problem> {
        Ok(pages::json(&self.scans.status().await?))
    }

    /// Begins a scan, or joins the one that runs; somebody else [works](crate::Scans::work) on it.
    pub(super) async fn begin_scan<B>(&self, body: B) -> Result<Whole, Problem>
    where
        B: Body<Error: Into<BoxError>>,
    {
        match self.wish(body).await? {
            None => {
                let list = repos(CATALOGUE.as_bytes());
                let begun = self.scans.begin(CATALOGUE_KEY, list).await;
                begun.map_err(|error| match error {
                    BeginError::Store(error) => error.into(),
                    BeginError::List(error) => broken(&error),
                })?;
            }
            Some(names) => {
                let mut hasher = DefaultHasher::new();
                names.hash(&mut hasher);
                let key = format!("{:016x}", hasher.finish());
                let list = names.into_iter().map(Ok::<_, ReposError>);
                let begun = self.scans.begin(&key, list).await;
                begun.map_err(|error| match error {
                    BeginError::Store(error) => error.into(),
                    BeginError::List(error) => broken(&error),
                })?;
            }
        }
        let mut response = self.scan().await?;
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }

    pub(super) async fn end_scan(&self) -> Result<Whole, Problem> {
        self.scans.end().await?;
        let mut response = self.scan().await?;
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }

    /// Reads what is to be scanned; nothing is the list that the program ships with.
    async fn wish<B>(&self, body: B) -> Result<Option<Vec<RepoName>>, Problem>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(
            |error| match error.is::<http_body_util::LengthLimitError>() {
                true => {
                    let most = format!("the body is larger than {MAX_BODY} bytes");
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, most)
                }
                false => Problem::new(StatusCode::BAD_REQUEST, "the body broke off"),
            },
        )?;
        let body = body.to_bytes();
        if body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let wish: Wish = serde_json::from_slice(&body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let expected = r#"expected {"repos": ["owner/name", …]}"#;
            Problem::field("body", format!("line {line}, column {column}: {expected}"))
        })?;
        let Some(names) = wish.repos else {
            return Ok(None);
        };
        if names.is_empty() {
            return Err(Problem::field("repos", "it is empty"));
        }
        let names = names.iter().enumerate().map(|(index, name)| {
            RepoName::parse(name)
                .map_err(|error| Problem::field(format!("repos[{index}]"), error.to_string()))
        });
        names.collect::<Result<_, _>>().map(Some)
    }
}

fn broken(error: &ReposError) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
