//! The repositories that exist.

use std::collections::HashMap;

/// Lists the repositories that an origin knows.
///
/// Names are compared as GitHub compares them, without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

/// One repository of a [`Catalogue`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) license: String,
    pub(crate) topics: Vec<String>,
    pub(crate) description: String,
}

impl Catalogue {
    /// Reads lines of `owner/name`, with tab-separated columns after it.
    ///
    /// A first line that starts with `full_name` names the columns; of those `license`, `topics`
    /// (with commas between) and `description` are used. Empty lines are skipped; of a repository
    /// that is there twice the first counts.
    ///
    /// # Errors
    ///
    /// A line whose first column is not `owner/name` is named by its number.
    pub fn from_tsv(text: &str) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        let mut columns: Vec<&str> = Vec::new();
        for (line, number) in text.lines().zip(1_usize..) {
            let cells: Vec<&str> = line.trim_end_matches('\r').split('\t').collect();
            let full_name = cells.first().copied().unwrap_or_default().trim();
            if full_name.is_empty() {
                continue;
            }
            if number == 1 && full_name == "full_name" {
                columns = cells;
                continue;
            }
            let cell = |column: &str| {
                let place = columns.iter().position(|name| *name == column)?;
                cells.get(place).map(|cell| cell.trim())
            };
            let (owner, name) = full_name
                .split_once('/')
                .filter(|(owner, name)| is_name(owner) && is_name(name))
                .ok_or_else(|| CatalogueError {
                    line: number,
                    text: full_name.to_owned(),
                })?;
            catalogue.add(Entry {
                owner: owner.to_owned(),
                name: name.to_owned(),
                license: cell("license").unwrap_or_default().to_owned(),
                topics: split_topics(cell("topics").unwrap_or_default()),
                description: cell("description").unwrap_or_default().to_owned(),
            });
        }
        Ok(catalogue)
    }

    /// Returns how many repositories there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the full names (`owner/name`) in the order of the list.
    pub fn full_names(&self) -> impl Iterator<Item = String> + '_ {
        self.entries
            .iter()
            .map(|entry| format!("{}/{}", entry.owner, entry.name))
    }

    pub(crate) fn get(&self, owner: &str, name: &str) -> Option<&Entry> {
        let place = *self.by_name.get(&key(owner, name))?;
        self.entries.get(place)
    }

    pub(crate) fn of_owner<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.owner.eq_ignore_ascii_case(owner))
    }

    /// Returns the repositories that a search finds: every word is in name, description or topics,
    /// and every known qualifier (`user:`, `org:`, `repo:`, `topic:`, `license:`, `language:`)
    /// holds.
    pub(crate) fn search(&self, query: &str) -> Vec<&Entry> {
        let words: Vec<String> = query
            .split_whitespace()
            .map(str::to_ascii_lowercase)
            .collect();
        let found = |entry: &&Entry| words.iter().all(|word| entry.matches(word));
        self.entries.iter().filter(found).collect()
    }

    fn add(&mut self, entry: Entry) {
        let place = self.entries.len();
        let key = key(&entry.owner, &entry.name);
        if self.by_name.contains_key(&key) {
            return;
        }
        self.by_name.insert(key, place);
        self.entries.push(entry);
    }
}

impl Entry {
    /// Returns whether a word of a search, in lower case, holds.
    fn matches(&self, word: &str) -> bool {
        let has = |text: &str| text.to_ascii_lowercase().contains(word);
        match word.split_once(':') {
            Some(("user" | "org", owner)) => self.owner.eq_ignore_ascii_case(owner),
            Some(("repo", full_name)) => key(&self.owner, &self.name) == full_name,
            Some(("topic", topic)) => self
                .topics
                .iter()
                .any(|own| own.eq_ignore_ascii_case(topic)),
            Some(("license", license)) => self.license.to_ascii_lowercase().contains(license),
            // The catalogue is one of Rust repositories.
            Some(("language", language)) => language == "rust",
            Some(_) => true,
            None => {
                has(&self.name)
                    || has(&self.description)
                    || self.topics.iter().any(|topic| has(topic))
            }
        }
    }
}

/// Says which line of a list names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}` is no repository, expected owner/name")]
pub struct CatalogueError {
    line: usize,
    text: String,
}

/// Returns whether a text can be the name of an owner or a repository.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn key(owner: &str, name: &str) -> String {
    format!("{owner}/{name}").to_ascii_lowercase()
}

fn split_topics(text: &str) -> Vec<String> {
    let topics = text.split(',').map(str::trim);
    topics
        .filter(|topic| !topic.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TSV: &str = "full_name\tcrate\tversion\tlicense\ttopics\tdescription\n\
        Tower-rs/tower\ttower\t0.5\tMIT\thttp,async\tLayers and services\n\
        \n\
        a/b\tb\t1.0\n\
        A/B\tagain\n";

    #[test]
    fn columns_go_by_their_names() {
        let catalogue = Catalogue::from_tsv(TSV).unwrap();
        assert_eq!(
            catalogue.full_names().collect::<Vec<_>>(),
            ["Tower-rs/tower", "a/b"]
        );
        let tower = catalogue.get("tower-RS", "TOWER").unwrap();
        assert_eq!(
            (tower.license.as_str(), tower.description.as_str()),
            ("MIT", "Layers and services")
        );
        assert_eq!(tower.topics, ["http", "async"]);
        assert_eq!(catalogue.get("a", "b").unwrap().license, "");
    }

    #[test]
    fn a_bare_list_of_names_will_do() {
        let catalogue = Catalogue::from_tsv("a/b\r\nc/d\tmore\n").unwrap();
        assert_eq!(catalogue.len(), 2);
        assert!(Catalogue::from_tsv("").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_names_nothing_is_named() {
        let error = Catalogue::from_tsv("a/b\nc\n").unwrap_err().to_string();
        assert_eq!(error, "line 2: `c` is no repository, expected owner/name");
        assert!(Catalogue::from_tsv("a/b/c").is_err());
    }

    #[test]
    fn searches_go_by_words_and_qualifiers() {
        let catalogue = Catalogue::from_tsv(TSV).unwrap();
        let count = |query| catalogue.search(query).len();
        assert_eq!(count(""), 2);
        assert_eq!(count("LAYERS async"), 1);
        assert_eq!(count("user:tower-rs"), 1);
        assert_eq!(count("topic:http language:rust stars:>5"), 1);
        assert_eq!(count("language:go"), 0);
        assert_eq!(count("repo:A/b"), 1);
        assert_eq!(count("license:mit nothing"), 0);
    }
}
