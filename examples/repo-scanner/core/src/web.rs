//! The HTTP API and the dashboard, as a function of a request.

mod answer;
mod authorize;
mod pages;
mod problem;
mod repositories;
mod scan;
mod status;
mod wish;

pub use self::{
    answer::AnswerBody,
    problem::{Cause, Problem},
    scan::CATALOGUE_KEY,
    status::Scope,
};

use crate::Scans;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::Body;
use http_body_util::Full;
use std::fmt;
use tower_egress::{BoxError, Egress, FetchExt, Timer, monitor::Monitor, sql::Database};

/// The site: all that a request can ask about.
pub struct Web<C, D, T: Timer, X> {
    /// The scans.
    pub scans: Scans<C, D, T>,
    /// The stack that they go through.
    pub egress: Egress<T, X>,
    /// What watches the program.
    pub monitor: Monitor<T>,
    /// Whether its figures are those of a process or of a Durable Object.
    pub scope: Scope,
    /// What writing endpoints ask for, if anything.
    pub token: Option<String>,
}

/// Without the token.
impl<C, D, T: Timer, X> fmt::Debug for Web<C, D, T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web")
            .field("scope", &self.scope)
            .field("takes_token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

type Whole = Response<Full<Bytes>>;

impl<C: FetchExt, D: Database + Clone, T: Timer, X> Web<C, D, T, X> {
    /// Answers a request. It always has an answer: what is wrong with it, or with us, is told there.
    ///
    /// # Cancel safety
    ///
    /// A scan that was to begin may have begun.
    pub async fn respond<B: Body<Error: Into<BoxError>>>(
        &self,
        request: Request<B>,
    ) -> Response<AnswerBody<impl Body<Data = Bytes, Error: Into<BoxError>> + use<C, D, T, X, B>>>
    {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        if request.uri().path() == "/api/repos" {
            let rows = match allow(&request, &[Method::GET, Method::HEAD]) {
                Ok(()) => self.list(&request).await,
                Err(problem) => Err(problem),
            };
            return match rows {
                Ok(rows) => rows.map(AnswerBody::rows),
                Err(problem) => to(&request, problem.into()).map(AnswerBody::whole),
            };
        }
        let answer = self.whole(&request, body).await;
        let answer = answer.unwrap_or_else(Response::from);
        to(&request, answer).map(AnswerBody::whole)
    }

    async fn whole<B: Body<Error: Into<BoxError>>>(
        &self,
        request: &Request<()>,
        body: B,
    ) -> Result<Whole, Problem> {
        let get = || allow(request, &[Method::GET, Method::HEAD]);
        let path = request.uri().path();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments[..] {
            [""] => get().map(|()| pages::dashboard(request)),
            ["api", "openapi.json"] => get().map(|()| pages::openapi(request)),
            ["metrics"] => {
                get()?;
                Ok(self.metrics().await)
            }
            ["api", "status"] => {
                get()?;
                self.status().await
            }
            ["api", "repos", owner, name] => {
                get()?;
                self.repository(owner, name).await
            }
            ["api", "scan"] => {
                let methods = [Method::GET, Method::HEAD, Method::POST, Method::DELETE];
                allow(request, &methods)?;
                match *request.method() {
                    Method::POST => {
                        authorize::writing(request, self.token.as_deref())?;
                        self.begin_scan(body).await
                    }
                    Method::DELETE => {
                        authorize::writing(request, self.token.as_deref())?;
                        self.end_scan().await
                    }
                    _ => self.scan().await,
                }
            }
            _ => Err(Problem::not_found("there is nothing at this path")),
        }
    }
}

/// Leaves out the body where only the head was asked for: some servers would send it.
fn to(request: &Request<()>, mut answer: Whole) -> Whole {
    if request.method() == Method::HEAD {
        let body = std::mem::take(answer.body_mut());
        let length = body.size_hint().exact().map(HeaderValue::from);
        let length = length.filter(|_| answer.status() != StatusCode::NOT_MODIFIED);
        let length = length.map(|length| (CONTENT_LENGTH, length));
        answer.headers_mut().extend(length);
    }
    answer
}

fn allow(request: &Request<()>, methods: &[Method]) -> Result<(), Problem> {
    match methods.contains(request.method()) {
        true => Ok(()),
        false => Err(Problem::method_not_allowed(methods)),
    }
}
