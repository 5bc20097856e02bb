//! Lists that come in pages.

use super::redirect::same_server;
use http::{HeaderMap, Uri, header::LINK};

/// A page of a list, and where the next one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<I> {
    /// What is on it.
    pub items: Vec<I>,
    /// Where the next one is, if there is one; for [`GitHub::next_page`](crate::GitHub::next_page).
    pub next: Option<NextPage>,
}

/// Where the next page of a list is: on the server that the page is from, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage(pub(super) String);

/// Finds the next page in the [`Link`](https://www.rfc-editor.org/rfc/rfc8288) headers of a response to `from`. One on another server is none: our token
/// is for no other.
pub(super) fn next(from: &str, headers: &HeaderMap) -> Option<NextPage> {
    let from: Uri = from.parse().ok()?;
    let values = headers.get_all(LINK).into_iter();
    let links = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(links);
    let mut next = links.filter(|link| link.relations.split_ascii_whitespace().any(is_next));
    let to = next.next()?.target;
    let to = same_server(&from, to)?;
    Some(NextPage(to.to_string()))
}

fn is_next(relation: &str) -> bool {
    relation.eq_ignore_ascii_case("next")
}

struct Link<'a> {
    target: &'a str,
    relations: &'a str,
}

/// Takes a header apart: `<target>; rel="next", <target>; rel=last`. What is no link ends it.
fn links(header: &str) -> impl Iterator<Item = Link<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let mut relations = "";
        rest = after.trim_start();
        while let Some(after) = rest.strip_prefix(';') {
            let (name, after) = after.split_once('=')?;
            let value;
            (value, rest) = match after.trim_start().strip_prefix('"') {
                // Relations have no escapes.
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find([';', ',']).unwrap_or(after.len())),
            };
            rest = rest.trim_start();
            // The first one counts.
            if relations.is_empty() && name.trim().eq_ignore_ascii_case("rel") {
                relations = value.trim();
            }
        }
        Some(Link { target, relations })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(header: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(LINK, header.parse().unwrap())]);
        next("https://api.github.com/search/repositories?q=a", &headers).map(|next| next.0)
    }

    #[test]
    fn the_next_page_is_found_among_links() {
        let there = Some("https://api.github.com/search/repositories?q=a,b&page=2".to_owned());
        for header in [
            r#"<https://api.github.com/search/repositories?q=a,b&page=2>; rel="next", <https://api.github.com/x>; rel="last""#,
            r#"<https://api.github.com/x>; rel="prev",<https://api.github.com/search/repositories?q=a,b&page=2>;rel=next"#,
            r#"<https://api.github.com/search/repositories?q=a,b&page=2>; title="a, b; c"; REL = "first Next""#,
            "<https://api.github.com/search/repositories?q=a,b&page=2>; rel=next; rel=last",
        ] {
            assert_eq!(next_of(header), there, "{header}");
        }
    }

    #[test]
    fn what_is_no_next_page_on_this_server_is_none() {
        for header in [
            "",
            "<>",
            "<https://api.github.com/x",
            "<https://api.github.com/x>; rel=last",
            r#"<https://api.github.com/x>; rel="next"#,
            "<https://api.github.com/x>; rel=last; rel=next",
            "<https://evil.example/x>; rel=next",
            "https://api.github.com/x; rel=next",
            ";;;,,,<<<>>>===\"\"\"",
        ] {
            assert_eq!(next_of(header), None, "{header}");
        }
    }
}
