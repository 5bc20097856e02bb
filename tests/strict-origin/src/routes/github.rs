//! GitHub's REST API, as far as it is played.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ETAG, IF_NONE_MATCH, LINK, USER_AGENT},
};
use serde_json::{Value, json};

use super::{page::Page, repository::Repository, segments};
use crate::{
    Api,
    catalogue::is_name,
    content::{self, Content, text},
    errors, hash, query,
    state::Shared,
};

/// How many results of a search can be had.
const MOST_RESULTS: usize = 1_000;

pub(super) fn serve(shared: &Shared, api: Api, request: &Request<Bytes>) -> Response<Content> {
    if shared.config.require_headers && !request.headers().contains_key(USER_AGENT) {
        let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        return errors::error(api, StatusCode::FORBIDDEN, message);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found(api);
    }
    let response = match segments(request.uri().path()).as_slice() {
        ["repos", owner, name] => {
            find(shared, owner, name).map(|repository| repository.to_json(&shared.base))
        }
        ["repos", owner, name, "languages"] => {
            find(shared, owner, name).map(|repository| repository.languages())
        }
        ["users" | "orgs", owner, "repos"] => return list(shared, owner, request),
        ["search", "repositories"] => return search(shared, request),
        _ => None,
    };
    match response {
        Some(value) => conditional(request, content::json(StatusCode::OK, &value)),
        None => not_found(api),
    }
}

fn not_found(api: Api) -> Response<Content> {
    errors::error(api, StatusCode::NOT_FOUND, "Not Found")
}

fn find<'a>(shared: &'a Shared, owner: &'a str, name: &'a str) -> Option<Repository<'a>> {
    match &shared.config.catalogue {
        Some(catalogue) => catalogue.get(owner, name).map(Repository::listed),
        None => (is_name(owner) && is_name(name)).then(|| Repository::invented(owner, name)),
    }
}

/// `GET /users/{owner}/repos`; without a catalogue an owner has up to 119 repositories.
fn list(shared: &Shared, owner: &str, request: &Request<Bytes>) -> Response<Content> {
    let repositories: Vec<Repository<'_>> = match &shared.config.catalogue {
        Some(catalogue) => catalogue.of_owner(owner).map(Repository::listed).collect(),
        None => invent(owner, 120, |n| {
            Repository::invented(owner, format!("repo-{n}"))
        }),
    };
    if repositories.is_empty() && shared.config.catalogue.is_some() {
        return not_found(Api::Github);
    }
    let page = Page::of(request.uri().query());
    let items = show(shared, &repositories, page);
    let url = format!("{}{}", shared.base, request.uri().path());
    let links = page.links(repositories.len(), &url, None);
    conditional(
        request,
        with_links(content::json(StatusCode::OK, &items), links),
    )
}

/// `GET /search/repositories`; without a catalogue a search finds up to 299.
fn search(shared: &Shared, request: &Request<Bytes>) -> Response<Content> {
    let uri = request.uri();
    let Some(q) = query::value(uri.query(), "q").filter(|q| !q.trim().is_empty()) else {
        return errors::error(
            Api::GithubSearch,
            StatusCode::UNPROCESSABLE_ENTITY,
            "Validation Failed",
        );
    };
    let page = Page::of(uri.query());
    if page.end() > MOST_RESULTS && page.range(MOST_RESULTS).is_empty() {
        let message = "Only the first 1000 search results are available";
        return errors::error(Api::GithubSearch, StatusCode::UNPROCESSABLE_ENTITY, message);
    }
    let found: Vec<Repository<'_>> = match &shared.config.catalogue {
        Some(catalogue) => catalogue
            .search(&q)
            .into_iter()
            .map(Repository::listed)
            .collect(),
        None => invent(&q, 300, |n| {
            Repository::invented(format!("owner-{n}"), format!("found-{n}"))
        }),
    };
    let total = found.len();
    let reachable = found.get(..total.min(MOST_RESULTS)).unwrap_or_default();
    let mut items = show(shared, reachable, page);
    if let Value::Array(items) = &mut items {
        items.iter_mut().for_each(|item| item["score"] = json!(1.0));
    }
    let body = json!({ "total_count": total, "incomplete_results": false, "items": items });
    let url = format!("{}{}", shared.base, uri.path());
    let links = page.links(reachable.len(), &url, Some(&q));
    conditional(
        request,
        with_links(content::json(StatusCode::OK, &body), links),
    )
}

/// Returns fewer than `most` repositories, as many as the hash of `seed` says.
fn invent<'a>(
    seed: &str,
    most: u64,
    repository: impl Fn(u64) -> Repository<'a>,
) -> Vec<Repository<'a>> {
    let count = hash::mix(hash::fnv1a(seed.as_bytes())) % most;
    (0..count).map(repository).collect()
}

fn show(shared: &Shared, repositories: &[Repository<'_>], page: Page) -> Value {
    let shown = repositories
        .get(page.range(repositories.len()))
        .unwrap_or_default();
    shown
        .iter()
        .map(|repository| repository.to_json(&shared.base))
        .collect()
}

fn with_links(mut response: Response<Content>, links: Option<HeaderValue>) -> Response<Content> {
    if let Some(links) = links {
        response.headers_mut().insert(LINK, links);
    }
    response
}

/// Adds the entity tag, and answers 304 if the client has that version.
fn conditional(request: &Request<Bytes>, mut response: Response<Content>) -> Response<Content> {
    let bytes = response.body().bytes().map_or(&[][..], |bytes| bytes);
    let tag = format!("\"{:016x}\"", hash::fnv1a(bytes));
    response
        .headers_mut()
        .insert(ETAG, text(format!("W/{tag}")));
    // Weak comparison, RFC 9110, section 13.1.2.
    let known = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| {
            let tags = value.to_str().unwrap_or_default().split(',').map(str::trim);
            tags.map(|known| known.strip_prefix("W/").unwrap_or(known))
                .any(|known| known == tag || known == "*")
        });
    if known {
        let mut unchanged = content::empty(StatusCode::NOT_MODIFIED);
        unchanged
            .headers_mut()
            .insert(ETAG, text(format!("W/{tag}")));
        return unchanged;
    }
    response
}
