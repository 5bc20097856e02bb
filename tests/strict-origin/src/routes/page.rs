//! Pages of a list, as GitHub's REST API cuts them.

use http::HeaderValue;

use crate::{content, query};

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// From 1.
    number: usize,
    /// 30 unless asked for, at most 100.
    size: usize,
}

impl Page {
    pub(super) fn of(query: Option<&str>) -> Self {
        let get = |key: &str| query::number(query, key).and_then(|n| usize::try_from(n).ok());
        Self {
            number: get("page").unwrap_or(1).max(1),
            size: get("per_page").unwrap_or(30).clamp(1, 100),
        }
    }

    /// Returns the part of a list of `total` that this page shows.
    pub(super) fn range(self, total: usize) -> std::ops::Range<usize> {
        let start = (self.number - 1).saturating_mul(self.size).min(total);
        start..start.saturating_add(self.size).min(total)
    }

    /// Returns how many items come up to the end of this page, if it is full.
    pub(super) fn end(self) -> usize {
        self.number.saturating_mul(self.size)
    }

    /// Returns the `Link` header of a list of `total` at `url`, if it has more than one page.
    pub(super) fn links(
        self,
        total: usize,
        url: &str,
        search: Option<&str>,
    ) -> Option<HeaderValue> {
        let last = total.div_ceil(self.size);
        if last <= 1 {
            return None;
        }
        let search = search
            .map(|q| format!("q={}&", query::encode(q)))
            .unwrap_or_default();
        let size = self.size;
        let link = |page: usize, rel: &str| {
            format!("<{url}?{search}per_page={size}&page={page}>; rel=\"{rel}\"")
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.push(link(self.number.min(last + 1) - 1, "prev"));
        }
        if self.number < last {
            links.push(link(self.number + 1, "next"));
            links.push(link(last, "last"));
        }
        if self.number > 1 {
            links.push(link(1, "first"));
        }
        Some(content::text(links.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_part_of_the_list() {
        assert_eq!(Page::of(None).range(100), 0..30);
        assert_eq!(Page::of(Some("per_page=500&page=2")).range(150), 100..150);
        assert_eq!(Page::of(Some("per_page=0&page=0")).range(5), 0..1);
        let far = format!("page={}", u64::MAX);
        assert_eq!(Page::of(Some(&far)).range(5), 5..5);
    }

    #[test]
    fn links_lead_to_the_other_pages() {
        let links = |query: &str| {
            let links = Page::of(Some(query)).links(50, "http://o/x", Some("a b"));
            links.map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(links("per_page=50"), None);
        assert_eq!(
            links("per_page=20&page=2").unwrap(),
            "<http://o/x?q=a%20b&per_page=20&page=1>; rel=\"prev\", \
             <http://o/x?q=a%20b&per_page=20&page=3>; rel=\"next\", \
             <http://o/x?q=a%20b&per_page=20&page=3>; rel=\"last\", \
             <http://o/x?q=a%20b&per_page=20&page=1>; rel=\"first\""
        );
        assert!(!links("per_page=20&page=3").unwrap().contains("next"));
        assert!(
            links("per_page=20&page=9")
                .unwrap()
                .contains("page=3>; rel=\"prev\"")
        );
    }
}
