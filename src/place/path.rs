//! The beginning of a path.

use std::iter;

/// The path of an API: every path belongs to it that begins with its segments.
///
/// Paths that mean the same are the same ([RFC 3986, section 6.2.2]): some clients write them anew before they send, and
/// servers do before they look. Otherwise a request would pay less than it costs, depending on how it is written.
///
/// - An escaped letter, digit, `-`, `.`, `_` or `~` is the plain one. What else is escaped is not what stands there
///   unescaped: `%2F` is a part of its segment and divides nothing. A `%` that begins no escape is an escaped one.
/// - `.` is no segment, and `..` takes away the one before it.
/// - Nor is an empty one. No RFC says so, but routers do, and what is none of theirs costs nothing.
/// - A `\` is a `/`, and what is not ASCII is escaped, as those write them anew who follow the [URL standard]: browsers,
///   Workers, reqwest.
///
/// [URL standard]: https://url.spec.whatwg.org/#path-state
/// [RFC 3986, section 6.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// As all that mean the same can be written, without a slash at its end. Every `%` begins an escape.
    text: Vec<u8>,
}

/// A part of a path, on the way from the left to the right.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Down(&'a str),
    Up,
}

/// A part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Plain(u8),
    Escaped(u8),
}

impl Path {
    /// Takes a path that somebody wrote.
    pub(super) fn new(path: &str) -> Self {
        let mut segments = Vec::new();
        for step in steps(path) {
            match step {
                Step::Down(segment) => segments.push(segment),
                Step::Up => drop(segments.pop()),
            }
        }
        let mut text = Vec::new();
        for segment in segments {
            text.push(b'/');
            for letter in letters(segment.as_bytes()) {
                match letter {
                    Letter::Plain(byte) => text.push(byte),
                    Letter::Escaped(byte) => text.extend(format!("%{byte:02X}").into_bytes()),
                }
            }
        }
        Self { text }
    }

    /// Tells how long it is, in bytes.
    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }

    /// Tells whether the segments of `path` begin with these.
    pub(super) fn begins(&self, path: &str) -> bool {
        if self.text.is_empty() {
            return true;
        }
        if !is_plain(path) {
            return self.begins_what_is_not_plain(path);
        }
        // "/search" is no beginning of "/searches".
        let rest = path.as_bytes().strip_prefix(self.text.as_slice());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// Walks along `path` and keeps no more of it than how many segments it has and how many of the first are these.
    #[cold]
    fn begins_what_is_not_plain(&self, path: &str) -> bool {
        let (mut depth, mut same) = (0, 0);
        for step in steps(path) {
            match step {
                Step::Down(segment) => {
                    let own = self.segment(depth).filter(|_| same == depth);
                    if own.is_some_and(|own| letters(own).eq(letters(segment.as_bytes()))) {
                        same += 1;
                    }
                    depth += 1;
                }
                Step::Up => {
                    depth = depth.saturating_sub(1);
                    same = same.min(depth);
                }
            }
        }
        self.segment(same).is_none()
    }

    fn segment(&self, place: usize) -> Option<&[u8]> {
        let mut segments = self.text.split(|byte| *byte == b'/').skip(1);
        segments.nth(place)
    }
}

/// Tells whether a path is written as a [`Path`] is, which is nearly always and asked each time.
fn is_plain(path: &str) -> bool {
    let path = path.as_bytes();
    // Without an early exit, many bytes are looked at together.
    let differs = |differs, (before, byte): (&u8, &u8)| {
        differs
            | (*byte == b'%')
            | (*byte == b'\\')
            | (*byte >= 0x80)
            | ((*before == b'/') & ((*byte == b'/') | (*byte == b'.')))
    };
    path.first() == Some(&b'/') && !path.iter().zip(path.iter().skip(1)).fold(false, differs)
}

/// Goes along a path, whose slashes are those that stand there.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['/', '\\']).filter_map(|segment| {
        let dot = Letter::Plain(b'.');
        let letters = || letters(segment.as_bytes());
        if segment.is_empty() || letters().eq([dot]) {
            None
        } else if letters().eq([dot, dot]) {
            Some(Step::Up)
        } else {
            Some(Step::Down(segment))
        }
    })
}

fn letters(mut rest: &[u8]) -> impl Iterator<Item = Letter> {
    iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        rest = after;
        if first != b'%' {
            return Some(if first.is_ascii() {
                Letter::Plain(first)
            } else {
                Letter::Escaped(first)
            });
        }
        let Some((byte, after)) = escaped(after) else {
            return Some(Letter::Escaped(first));
        };
        rest = after;
        Some(if is_unreserved(byte) {
            Letter::Plain(byte)
        } else {
            Letter::Escaped(byte)
        })
    })
}

/// Reads the two digits of an escape.
fn escaped(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], after) = rest.split_first_chunk()?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = digit(high)? << 4 | digit(low)?;
    Some((u8::try_from(byte).ok()?, after))
}

/// Tells whether a byte means the same with and without an escape
/// ([RFC 3986, section 2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn begins(own: &str, path: &str) -> bool {
        Path::new(own).begins(path)
    }

    #[test]
    fn a_path_begins_with_whole_segments() {
        for path in ["/search", "/search/", "/search/code", "/search/..a/.b"] {
            assert!(begins("/search", path), "{path}");
            assert!(begins("/search/", path), "{path}");
            assert!(begins("", path), "{path}");
        }
        for path in ["", "/", "*", "/searches", "/Search", "/a/search", "/sear"] {
            assert!(!begins("/search", path), "{path}");
            assert!(begins("", path), "{path}");
        }
        assert!(begins("/a/b", "/a/b/c"));
        assert!(!begins("/a/b", "/a"));
        assert!(!begins("/a/b", "/a/c/b"));
    }

    /// They paid GitHub's bucket and not that of its search.
    #[test]
    fn an_escaped_letter_is_the_letter() {
        for path in [
            "/%73earch/repositories",
            "/s%65arch",
            "/%73%65%61%72%63%68/code",
            "/searc%68/",
        ] {
            assert!(begins("/search", path), "{path}");
        }
        assert!(
            begins("/%73earch", "/search"),
            "and so is one in the API's own path"
        );
        assert!(begins("/~a-b_c.d", "/%7ea%2Db%5fc%2E%64"));
        // Only once: "%2573" is an escaped "%" before "73".
        assert!(!begins("/search", "/%2573earch"));
    }

    #[test]
    fn what_is_escaped_for_a_reason_stays_escaped() {
        assert!(!begins("/search", "/search%2Fcode"));
        assert!(!begins("/search", "/search%2fcode"));
        assert!(!begins("/search/code", "/search%2Fcode"));
        assert!(!begins("/search", "%2Fsearch"));
        assert!(!begins("/search", "/search%00"));
        assert!(!begins("/search", "/search%3Fq"));
        assert!(!begins("/a:b", "/a%3Ab"));
        // The case of the digits is no difference.
        assert!(begins("/a%2fb", "/a%2Fb/c"));
        assert!(begins("/a%2Fb", "/a%2fb/c"));
        assert!(!begins("/a%2Fb", "/a/b"));
    }

    #[test]
    fn what_clients_write_anew_is_what_they_make_of_it() {
        assert!(begins("/search", r"/search\code"));
        assert!(begins("/search", r"/x\..\search"));
        assert!(!begins("/search", "/search%5Ccode"));
        assert!(begins("/é", "/%C3%A9/a") && begins("/%c3%a9", "/é"));
        assert!(!begins("/é", "/e"));
    }

    #[test]
    fn what_is_no_escape_is_an_escaped_percent_sign() {
        for path in [
            "/%",
            "/%7",
            "/%zz",
            "/%7",
            "/search%",
            "/search%4",
            "/search%zz",
            "/%%73earch",
        ] {
            assert!(!begins("/search", path), "{path}");
            assert!(begins(path, path), "{path}");
        }
        assert!(begins("/search", "/search/%"));
        assert!(begins("/search", "/search/%zz/%4"));
        assert!(begins("/100%", "/100%25/a"));
        // These make a "%25" only if somebody reads them twice.
        assert!(begins("/%2%35", "/%2%35"));
        assert!(!begins("/%2%35", "/%25"));
        // A letter of more than one byte.
        assert!(begins("/ä", "/ä/%"));
        assert!(begins("/ä", "/%C3%A4"));
        assert!(!begins("/search", "/%é"));
        assert!(!begins("/search", "/%4é"));
    }

    #[test]
    fn empty_segments_are_none() {
        for path in ["//search/code", "/search//code", "///search", "//search//"] {
            assert!(begins("/search", path), "{path}");
            assert!(begins("/search//", path), "{path}");
        }
        assert!(begins("/search/code", "//search///code/x"));
        assert!(begins("//search", "/search"));
        assert!(!begins("/search", "//repos/search"));
        assert!(begins("/", "//"));
    }

    #[test]
    fn dot_segments_are_walked() {
        for path in [
            "/./search",
            "/x/../search/code",
            "/%2e/search",
            "/x/%2E%2e/search",
            "/x/.%2e/search",
            "/../../search",
            "/x/y/../../search",
            "/x//../search",
            "/search/code/..",
            "/search/x/../../search",
            "/search/.",
        ] {
            assert!(begins("/search", path), "{path}");
        }
        for path in [
            "/search/..",
            "/search/../repos/a/b",
            "/search/%2e%2E/repos",
            "/x/search/..",
            "/.../search",
            "/.search",
            "/..search",
            "/repos/a/.github/search",
        ] {
            assert!(!begins("/search", path), "{path}");
        }
        assert!(begins("/a/b", "/a/c/../b"));
        assert!(!begins("/a/b", "/a/b/../../b"));
        assert!(begins("/x/../a/./b", "/a/b"));
    }
}
