//! The list of repositories to scan.

use std::{fmt, io, num::NonZeroUsize};

/// The longest owner or repository name that GitHub allows, in characters, with room to spare.
const MAX_NAME: usize = 100;

/// A repository's `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct RepoName(Box<str>);

impl RepoName {
    /// Parses `owner/name`.
    ///
    /// # Errors
    ///
    /// When it is anything else than two names of letters, digits, `-`, `_` and `.` with one slash between.
    pub fn parse(text: &str) -> Result<Self, NotARepository> {
        let valid = |part: &str| {
            !part.is_empty()
                && part.len() <= MAX_NAME
                && part != "."
                && part != ".."
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match text.split_once('/') {
            Some((owner, name)) if valid(owner) && valid(name) => Ok(Self(text.into())),
            _ => Err(NotARepository(excerpt(text))),
        }
    }

    /// Returns `owner/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a list is called: a sum of its names in their order, by which it is known again.
///
/// It is the same for every program and every version, so that a scan can go on after an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListKey(u64);

impl ListKey {
    /// That of a list without names.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds the next name.
    pub fn add(&mut self, name: &RepoName) {
        // FNV-1a of 64 bits; no name has a line break.
        let bytes = name.as_str().bytes().chain([b'\n']);
        self.0 = bytes.fold(self.0, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    }
}

impl Default for ListKey {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a repository; expected owner/name")]
pub struct NotARepository(String);

/// A list of repositories that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReposError {
    /// A line is not a repository.
    #[error("line {line}: {source}")]
    Line {
        /// The line, counted from 1.
        line: NonZeroUsize,
        /// What is wrong with it.
        source: NotARepository,
    },
    /// The list cannot be read.
    #[error("line {line}: {source}")]
    Read {
        /// The line, counted from 1.
        line: NonZeroUsize,
        /// Why not.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("no repository in it")]
    Empty,
}

/// A list of repositories, wherever it is from.
pub type List<'a> = Box<dyn Iterator<Item = Result<RepoName, ReposError>> + Send + 'a>;

/// Reads a list: one `owner/name` a line, further tab-separated columns ignored.
///
/// A byte order mark at its beginning, blank lines and lines that start with `#` are skipped, and so is a first line whose first column is `full_name`,
/// the heading of a table. The list is checked one line at a time and never held whole.
pub fn repos(list: impl io::BufRead) -> impl Iterator<Item = Result<RepoName, ReposError>> {
    let numbers = (1..).filter_map(NonZeroUsize::new);
    let lines = numbers.zip(list.lines());
    lines.filter_map(|(line, text)| {
        let text = match text {
            Ok(text) => text,
            Err(source) => return Some(Err(ReposError::Read { line, source })),
        };
        // What some editors write before the first character.
        let text = match line {
            NonZeroUsize::MIN => text.strip_prefix('\u{feff}').unwrap_or(&text),
            _ => &text,
        };
        let first = text.split('\t').next().unwrap_or_default().trim();
        let heading = line == NonZeroUsize::MIN && first == "full_name";
        if first.is_empty() || first.starts_with('#') || heading {
            return None;
        }
        let name = RepoName::parse(first);
        Some(name.map_err(|source| ReposError::Line { line, source }))
    })
}

fn excerpt(text: &str) -> String {
    let mut excerpt: String = text.chars().take(60).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Result<Vec<String>, String> {
        repos(list.as_bytes())
            .map(|name| name.map(|name| name.to_string()).map_err(|e| e.to_string()))
            .collect()
    }

    #[test]
    fn a_table_with_a_heading_and_a_plain_list_both_work() {
        let table = "full_name\tcrate\ntower-rs/tower\ttower\n\n# later\nhyperium/hyper\n";
        assert_eq!(names(table).unwrap(), ["tower-rs/tower", "hyperium/hyper"]);
        assert_eq!(names("a/b.rs\r\n").unwrap(), ["a/b.rs"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        assert_eq!(names("\u{feff}a/b\nc/d\n").unwrap(), ["a/b", "c/d"]);
        assert_eq!(names("\u{feff}full_name\na/b\n").unwrap(), ["a/b"]);
        assert!(names("\u{feff}\n").unwrap().is_empty());
        assert!(names("a/b\n\u{feff}c/d\n").is_err());
    }

    #[test]
    fn a_line_that_is_no_repository_is_named_with_its_number() {
        assert_eq!(
            names("a/b\nhttps://github.com/a/b\n").unwrap_err(),
            "line 2: \"https://github.com/a/b\" is not a repository; expected owner/name"
        );
        for bad in [
            "a", "a/", "/b", "a/b/c", "a b/c", "../etc", "a/..", "a/b?c", "ä/b",
        ] {
            assert!(names(bad).is_err(), "{bad}");
        }
        assert!(names("full_name\n").unwrap().is_empty());
        assert!(
            names("a/b\nfull_name\n").is_err(),
            "a heading is the first line"
        );
    }

    #[test]
    fn a_list_is_known_again_by_its_names_and_their_order() {
        let key = |names: &[&str]| {
            let mut key = ListKey::new();
            let names = names.iter().map(|name| RepoName::parse(name).unwrap());
            names.for_each(|name| key.add(&name));
            key.to_string()
        };
        assert_eq!(key(&[]), "cbf29ce484222325");
        assert_eq!(key(&["a/b"]), "727aee827e1872d1");
        assert_ne!(key(&["a/b", "c/d"]), key(&["c/d", "a/b"]));
        assert_ne!(key(&["a/bc", "d/e"]), key(&["a/b", "cd/e"]));
    }

    #[test]
    fn a_long_line_is_quoted_in_part() {
        let error = names(&"x".repeat(10_000)).unwrap_err();
        assert!(error.len() < 200, "{error}");
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_with_their_line() {
        let list: &[u8] = b"a/b\n\xff\xfe/c\n";
        let error = repos(list).find_map(Result::err).unwrap();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }
}
