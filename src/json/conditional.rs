//! Requests that depend on what the client has: `If-Match` and `If-None-Match`.
//!
//! <https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2>

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What tells one version of a representation from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntityTag(HeaderValue);

impl EntityTag {
    /// Of these bytes.
    pub(super) fn strong(content: &[u8]) -> Self {
        Self::of(content, "")
    }

    /// Of whatever stands for the content.
    pub(super) fn weak(version: &impl Hash) -> Self {
        Self::of(version, "W/")
    }

    fn of(content: &(impl Hash + ?Sized), prefix: &str) -> Self {
        // It is compared with what this or another machine has said before; that it changes with the version of the
        // standard library costs an answer that could have been spared.
        let hash = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            content.hash(&mut hasher);
            hasher.finish()
        };
        let tag = format!("{prefix}\"{:016x}{:016x}\"", hash(0), hash(1));
        let value = HeaderValue::try_from(tag);
        Self(value.expect("hexadecimal digits may stand in a header"))
    }

    pub(super) const fn header(&self) -> &HeaderValue {
        &self.0
    }

    fn matches(&self, other: &[u8], is_strong: bool) -> bool {
        let own = self.0.as_bytes();
        if is_strong {
            own.starts_with(b"\"") && own == other
        } else {
            opaque(own) == opaque(other)
        }
    }
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// What a GET or HEAD is answered instead of the representation, if anything.
pub(super) fn evaluate(headers: &HeaderMap, tag: Option<&EntityTag>) -> Option<StatusCode> {
    if headers.contains_key(IF_MATCH) && !any(headers, IF_MATCH, tag, true) {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    any(headers, IF_NONE_MATCH, tag, false).then_some(StatusCode::NOT_MODIFIED)
}

fn any(headers: &HeaderMap, name: HeaderName, tag: Option<&EntityTag>, is_strong: bool) -> bool {
    headers.get_all(name).iter().any(|value| {
        let list = value.as_bytes().trim_ascii();
        // Of what is asked for there is always some version.
        list == b"*" || tag.is_some_and(|tag| Tags(list).any(|other| tag.matches(other, is_strong)))
    })
}

/// The tags of a list. Commas may stand in them; what is no tag ends the list.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|byte| !b" \t,".contains(byte))?;
        let list = &self.0[start..];
        let quote = list.len() - opaque(list).len();
        if list.get(quote) != Some(&b'"') {
            self.0 = &[];
            return None;
        }
        let length = list[quote + 1..].iter().position(|byte| *byte == b'"')?;
        let (tag, rest) = list.split_at(quote + length + 2);
        self.0 = rest;
        Some(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn answer(name: HeaderName, value: &str, tag: &EntityTag) -> Option<u16> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        evaluate(&headers, Some(tag)).map(|status| status.as_u16())
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let strong = EntityTag::strong(b"abc");
        let tag = strong.header().to_str().unwrap();
        assert_eq!(tag.len(), 34);
        for (list, expected) in [
            (tag.to_owned(), Some(304)),
            (format!("W/{tag}"), Some(304)),
            (format!("\"a,b\" ,, W/\"c\",\t{tag}"), Some(304)),
            ("*".to_owned(), Some(304)),
            (" * ".to_owned(), Some(304)),
            ("\"abc\"".to_owned(), None),
            (tag.replace('"', ""), None),
            (format!("abc, {tag}"), None),
            (format!("\"abc, {tag}"), None),
            (String::new(), None),
            ("W/".to_owned(), None),
            ("\"".to_owned(), None),
        ] {
            assert_eq!(answer(IF_NONE_MATCH, &list, &strong), expected, "{list}");
        }
    }

    #[test]
    fn what_must_be_the_same_is_compared_strongly() {
        let strong = EntityTag::strong(b"abc");
        let tag = strong.header().to_str().unwrap();
        assert_eq!(answer(IF_MATCH, tag, &strong), None);
        assert_eq!(answer(IF_MATCH, "*", &strong), None);
        assert_eq!(answer(IF_MATCH, &format!("W/{tag}"), &strong), Some(412));
        assert_eq!(answer(IF_MATCH, "\"other\"", &strong), Some(412));
        let weak = EntityTag::weak(&"abc");
        let tag = weak.header().to_str().unwrap();
        assert_eq!(answer(IF_MATCH, tag, &weak), Some(412));
        assert_eq!(answer(IF_NONE_MATCH, tag, &weak), Some(304));
    }

    #[test]
    fn several_headers_are_one_list() {
        let tag = EntityTag::strong(b"abc");
        let mut headers = HeaderMap::new();
        headers.append(IF_NONE_MATCH, "\"a\"".parse().unwrap());
        headers.append(IF_NONE_MATCH, tag.header().clone());
        assert_eq!(
            evaluate(&headers, Some(&tag)),
            Some(StatusCode::NOT_MODIFIED)
        );
        assert_eq!(evaluate(&headers, None), None);
        headers.insert(IF_MATCH, "*".parse().unwrap());
        let both = evaluate(&headers, Some(&tag));
        assert_eq!(both, Some(StatusCode::NOT_MODIFIED), "one after the other");
    }
}
