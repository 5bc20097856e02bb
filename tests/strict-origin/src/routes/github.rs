//! GitHub's REST API, as far as it is played.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ETAG, IF_NONE_MATCH, LINK, LOCATION, USER_AGENT},
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
        ["repos", owner, name, below @ ..] => match find(shared, owner, name) {
            Some(Found::Here(repository)) => show_one(shared, &repository, below),
            Some(Found::Moved(id)) => return moved(shared, id, below),
            None => None,
        },
        ["repositories", number, below @ ..] => {
            let names = shared.state().numbers.find(number);
            names.and_then(|(owner, name)| {
                let repository = today(shared, &owner, &name)?;
                show_one(shared, &repository, below)
            })
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

/// Where a repository is.
enum Found<'a> {
    Here(Repository<'a>),
    /// It has another name today; this is its number.
    Moved(u64),
}

fn find<'a>(shared: &'a Shared, owner: &'a str, name: &'a str) -> Option<Found<'a>> {
    let renames = shared.config.renames;
    if let Some(before) = renames.before(owner, name)
        && let Some(repository) = today(shared, owner, before)
    {
        return Some(Found::Here(repository));
    }
    let repository = today(shared, owner, name)?;
    if renames.today(owner, name).is_none() {
        return Some(Found::Here(repository));
    }
    let id = repository.id();
    shared.state().numbers.tell(id, owner, name);
    Some(Found::Moved(id))
}

/// Returns what a repository that once had this name is today.
fn today<'a>(shared: &'a Shared, owner: &'a str, name: &'a str) -> Option<Repository<'a>> {
    let repository = exists(shared, owner, name)?;
    Some(match shared.config.renames.today(owner, name) {
        Some(today) => repository.renamed(today),
        None => repository,
    })
}

fn show_one(shared: &Shared, repository: &Repository<'_>, below: &[&str]) -> Option<Value> {
    match below {
        [] => Some(repository.to_json(&shared.base)),
        ["languages"] => Some(repository.languages()),
        _ => None,
    }
}

/// Redirects from an old name to the number.
fn moved(shared: &Shared, id: u64, below: &[&str]) -> Response<Content> {
    let mut url = format!("{}/repositories/{id}", shared.base);
    below.iter().for_each(|part| {
        url.push('/');
        url.push_str(part);
    });
    let body = json!({
        "message": "Moved Permanently",
        "url": url,
        "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
    });
    let mut response = content::json(StatusCode::MOVED_PERMANENTLY, &body);
    response.headers_mut().insert(LOCATION, text(url));
    response
}

fn exists<'a>(shared: &'a Shared, owner: &'a str, name: &'a str) -> Option<Repository<'a>> {
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
