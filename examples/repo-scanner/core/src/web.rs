//! The HTTP API and the dashboard, as a function of a request.

mod answer;
mod pages;
mod problem;
mod repositories;
mod scan;
mod status;

pub use self::{answer::AnswerBody, problem::Problem, scan::CATALOGUE_KEY, status::Scope};

use crate::Scans;
use bytes::Bytes;
use http::{Method, Request, Response, header::AUTHORIZATION};
use http_body::Body;
use http_body_util::Full;
use tower_egress::{BoxError, Egress, FetchExt, Timer, monitor::Monitor, sql::Database};

/// The site: all that a request can ask about.
#[derive(Debug)]
pub struct Web<C, D, T: Timer, X> {
    /// The scans.
    pub scans: Scans<C, D, T>,
    /// The stack that they go through.
    pub egress: Egress<T, X>,
    /// What watches the program.
    pub monitor: Monitor<T>,
    /// Whether its figures are those of a process or of an isolate.
    pub scope: Scope,
    /// What writing endpoints ask for, if anything.
    pub token: Option<String>,
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
                Err(problem) => Response::from(problem).map(AnswerBody::whole),
            };
        }
        let answer = self.whole(&request, body).await;
        answer.unwrap_or_else(Response::from).map(AnswerBody::whole)
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
            [""] => get().map(|()| pages::dashboard()),
            ["api", "openapi.json"] => get().map(|()| pages::openapi()),
            ["metrics"] => get().map(|()| self.metrics()),
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
                        self.authorize(request)?;
                        self.begin_scan(body).await
                    }
                    Method::DELETE => {
                        self.authorize(request)?;
                        self.end_scan().await
                    }
                    _ => self.scan().await,
                }
            }
            _ => Err(Problem::not_found("there is nothing at this path")),
        }
    }

    /// Makes sure that whoever wants something written may have it written.
    fn authorize(&self, request: &Request<()>) -> Result<(), Problem> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = request.headers().get(AUTHORIZATION);
        let given = given.and_then(|value| value.as_bytes().split_at_checked(7));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        match given {
            Some((_, given)) if is_same(given.trim_ascii(), token.as_bytes()) => Ok(()),
            Some(_) => Err(Problem::unauthorized(
                "the token is not the one that is configured",
            )),
            None => Err(Problem::unauthorized(
                "this takes a token: Authorization: Bearer …",
            )),
        }
    }
}

fn allow(request: &Request<()>, methods: &[Method]) -> Result<(), Problem> {
    match methods.contains(request.method()) {
        true => Ok(()),
        false => Err(Problem::method_not_allowed(methods)),
    }
}

/// Compares in a time that does not tell where the two differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}
