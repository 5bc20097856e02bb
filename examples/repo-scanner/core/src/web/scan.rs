//! Scans: how the last one is getting on, beginning one, ending it.

use super::{Problem, Web, Whole, pages, wish};
use crate::{BeginError, CATALOGUE, List, ListKey, RepoName, ScanState, ScanStatus, repos};
use http::StatusCode;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::io;
use tower_egress::{BoxError, FetchExt, Timer, sql::Database};

/// How long a list may be that somebody sends: some 200,000 repositories.
const MAX_BODY: usize = 8 << 20;

/// What the list is called that the program ships with.
pub const CATALOGUE_KEY: &str = "catalogue";

impl<C: FetchExt, D: Database + Clone, T: Timer, X> Web<C, D, T, X> {
    pub(super) async fn scan(&self) -> Result<Whole, Problem> {
        Ok(pages::json(&self.scan_status().await?))
    }

    pub(super) async fn scan_status(&self) -> Result<ScanStatus, Problem> {
        let mut status = self.scans.status().await?;
        if status.state == ScanState::Running {
            let limits = self.egress.status().rate_limits;
            let mut pauses = limits.values().filter_map(|limit| limit.paused_for_ms);
            if pauses.any(|pause| pause > 0.0) {
                // Somebody works, and everybody waits because a server asked for it.
                status.state = ScanState::Paused;
            }
        }
        Ok(status)
    }

    /// Begins a scan, or joins the one that runs; somebody else [works](crate::Scans::work) on it.
    pub(super) async fn begin_scan<B>(&self, body: B) -> Result<Whole, Problem>
    where
        B: Body<Error: Into<BoxError>>,
    {
        // Of one type, as beginning a scan is compiled for each.
        let (key, list): (_, List<'_>) = match wish(body).await? {
            None => {
                let list = repos(CATALOGUE.as_bytes());
                (CATALOGUE_KEY.to_owned(), Box::new(list))
            }
            Some(names) => {
                let mut key = ListKey::new();
                names.iter().for_each(|name| key.add(name));
                (key.to_string(), Box::new(names.into_iter().map(Ok)))
            }
        };
        let begun = self.scans.begin(&key, list).await;
        begun.map_err(|error| match error {
            BeginError::Store(error) => error.into(),
            BeginError::List(error) => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        })?;
        self.accepted().await
    }

    pub(super) async fn end_scan(&self) -> Result<Whole, Problem> {
        self.scans.end().await?;
        self.accepted().await
    }

    async fn accepted(&self) -> Result<Whole, Problem> {
        let mut response = self.scan().await?;
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }
}

/// Reads what is to be scanned; nothing is the list that the program ships with.
async fn wish<B>(body: B) -> Result<Option<Vec<RepoName>>, Problem>
where
    B: Body<Error: Into<BoxError>>,
{
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| match error.downcast_ref().map(io::Error::kind) {
        _ if error.is::<LengthLimitError>() => {
            let most = format!("the body is larger than {MAX_BODY} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, most)
        }
        Some(io::ErrorKind::TimedOut) => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "the body broke off"),
    })?;
    let body = body.to_bytes();
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    wish::read(&body)
}
