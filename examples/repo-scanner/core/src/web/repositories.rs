//! Repositories: many, filtered and in order, or one with its history.

use super::{Problem, Web, Whole, pages};
use crate::{Cursor, Moment, Order, Query, RepoName, Sort, Store, StoreError, Stored};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderValue, Request, Response, header::LINK};
use http_body::Body;
use serde::Serialize;
use std::collections::VecDeque;
use tower_egress::{BoxError, FetchExt, Timer, json::JsonRows, sql::Database};

/// How many rows are read at a time.
const PAGE: u32 = 200;
/// The most that `limit` can be.
const MAX_LIMIT: u32 = 1000;
/// The longest text that is searched for, in bytes.
const MAX_TEXT: usize = 200;

#[derive(Serialize)]
struct WithHistory {
    #[serde(flatten)]
    repository: Stored,
    history: Vec<Moment>,
}

impl<C: FetchExt, D: Database + Clone, T: Timer, X> Web<C, D, T, X> {
    /// Answers with repositories: with `limit` so many, and a link to the next; otherwise all, streamed unless that is switched off.
    pub(super) async fn list(
        &self,
        request: &Request<()>,
    ) -> Result<Response<impl Body<Data = Bytes, Error: Into<BoxError>> + use<C, D, T, X>>, Problem>
    {
        let wanted = Wanted::of(request.uri().query().unwrap_or_default())?;
        let clock = self.monitor.clock();
        let streaming = self.scans.store().switches().streaming(clock);
        let began = clock.now();
        let listed = self.listed(request, wanted, streaming.is_on).await;
        // When the answer begins: when it ends is up to who reads it.
        streaming.record(listed.is_ok(), clock.now() - began);
        listed
    }

    async fn listed(
        &self,
        request: &Request<()>,
        wanted: Wanted,
        streamed: bool,
    ) -> Result<Response<impl Body<Data = Bytes, Error: Into<BoxError>> + use<C, D, T, X>>, Problem>
    {
        let Wanted { mut query, limit } = wanted;
        let store = self.scans.store().clone();
        let mut link = None;
        let first = match limit {
            // One more, to know whether there is a next page.
            Some(limit) => {
                let mut page = store.find(&query, limit + 1).await?;
                if page.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
                    page.pop();
                    link = page
                        .last()
                        .map(|last| next_page(request, &query.cursor(last)));
                }
                page
            }
            None if streamed => store.find(&query, PAGE).await?,
            None => store.find(&query, u32::MAX).await?,
        };
        let is_all = limit.is_some()
            || !streamed
            || first.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        if let Some(last) = first.last() {
            query.after = Some(query.cursor(last));
        }
        let rows = rows(store, query, first, is_all);
        let answer = match streamed {
            true => JsonRows::array(),
            false => JsonRows::array().with_threshold(u64::MAX),
        };
        let response = answer.respond(request, rows).await;
        let mut response = response?;
        if let Some(link) = link.flatten() {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    pub(super) async fn repository(&self, owner: &str, name: &str) -> Result<Whole, Problem> {
        let name = named(owner, name)?;
        let store = self.scans.store();
        let Some(repository) = store.repository(&name).await? else {
            return Err(Problem::not_found(format!("{name} is not known here")));
        };
        let history = match RepoName::parse(&repository.name) {
            Ok(name) => store.history(&name).await?,
            Err(_) => Vec::new(),
        };
        Ok(pages::json(&WithHistory {
            repository,
            history,
        }))
    }
}

/// All rows from here on, read a page at a time.
fn rows<D: Database, T: Timer>(
    store: Store<D, T>,
    query: Query,
    first: Vec<Stored>,
    is_all: bool,
) -> impl Stream<Item = Result<Stored, StoreError>> {
    let page = VecDeque::from(first);
    stream::try_unfold((store, query, page, is_all), async |state| {
        let (store, mut query, mut page, mut is_all) = state;
        if page.is_empty() && !is_all {
            page = store.find(&query, PAGE).await?.into();
            is_all = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            if let Some(last) = page.back() {
                query.after = Some(query.cursor(last));
            }
        }
        let row = page.pop_front();
        Ok(row.map(|row| (row, (store, query, page, is_all))))
    })
}

/// The repository that two segments of a path name.
fn named(owner: &str, name: &str) -> Result<RepoName, Problem> {
    let (owner, name) = (decoded(owner), decoded(name));
    RepoName::parse(&format!("{owner}/{name}")).map_err(|error| {
        let owner_is_one = RepoName::parse(&format!("{owner}/name")).is_ok();
        let field = if owner_is_one { "name" } else { "owner" };
        Problem::field(field, error.to_string())
    })
}

/// Reads a segment of a path in which any character may be written as `%` and two digits. What is not well-formed stands for
/// itself, and is in no name.
fn decoded(segment: &str) -> String {
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn next_page(request: &Request<()>, cursor: &Cursor) -> Option<HeaderValue> {
    let query = request.uri().query().unwrap_or_default();
    let rest = query.split('&').filter(|pair| {
        let name = pair.split('=').next().map(decoded);
        !pair.is_empty() && name.as_deref() != Some("cursor")
    });
    let rest: Vec<&str> = rest.collect();
    let path = request.uri().path();
    // What stands in a cursor may stand in a query, but for the slash, which may as well.
    let link = format!("<{path}?{}&cursor={cursor}>; rel=\"next\"", rest.join("&"));
    HeaderValue::try_from(link).ok()
}

/// What a query string asks for.
struct Wanted {
    query: Query,
    limit: Option<u32>,
}

impl Wanted {
    fn of(text: &str) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(text.as_bytes());
        let mut wanted = Self {
            query: Query::default(),
            limit: None,
        };
        let mut seen = Vec::new();
        for (name, value) in pairs {
            wanted.take(&name, value.into_owned())?;
            if seen.contains(&name) {
                return Err(Problem::field(
                    name.into_owned(),
                    "it is given more than once",
                ));
            }
            seen.push(name);
        }
        if let Some(cursor) = &wanted.query.after
            && !wanted.query.has(cursor)
        {
            return Err(Problem::field("cursor", "it is of a list in another order"));
        }
        Ok(wanted)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), Problem> {
        let query = &mut self.query;
        match name {
            "limit" => {
                let limit = value.parse().ok();
                let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
                let expected = || format!("expected a number from 1 to {MAX_LIMIT}");
                self.limit = Some(limit.ok_or_else(|| Problem::field("limit", expected()))?);
            }
            "cursor" => {
                let cursor = value.parse();
                query.after = Some(cursor.map_err(|error: crate::NoCursor| {
                    Problem::field("cursor", error.to_string())
                })?);
            }
            "sort" => {
                let expected =
                    || Problem::field("sort", "expected name, stars, forks or scannedAt");
                query.sort = Sort::named(&value).ok_or_else(expected)?;
            }
            "order" => {
                query.order = match value.as_str() {
                    "asc" => Order::Ascending,
                    "desc" => Order::Descending,
                    _ => return Err(Problem::field("order", "expected asc or desc")),
                };
            }
            "language" => query.language = text("language", value)?,
            "q" => query.text = text("q", value)?,
            _ => {
                let expected = "expected limit, cursor, sort, order, language or q";
                return Err(Problem::field(name.to_owned(), expected));
            }
        }
        Ok(())
    }
}

/// What is empty asks for nothing: a form that nobody has filled in.
fn text(field: &'static str, value: String) -> Result<Option<String>, Problem> {
    match value.len() {
        0 => Ok(None),
        1..=MAX_TEXT => Ok(Some(value)),
        _ => {
            let most = format!("it is longer than {MAX_TEXT} bytes");
            Err(Problem::field(field, most))
        }
    }
}
