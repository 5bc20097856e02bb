//! A repository, as GitHub tells of it.

use serde::{Deserialize, Deserializer, Serialize};

/// A repository as a scan keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// GitHub's number for it.
    pub id: i64,
    /// `owner/name`, as GitHub writes it today; it may differ from what was asked for after a renaming.
    pub full_name: String,
    /// What it is, in its owner's words.
    pub description: Option<String>,
    /// The main language.
    pub language: Option<String>,
    /// The stars.
    #[serde(rename = "stargazers_count")]
    pub stars: i64,
    /// The forks.
    #[serde(rename = "forks_count")]
    pub forks: i64,
    /// The open issues, pull requests included.
    #[serde(rename = "open_issues_count")]
    pub open_issues: i64,
    /// The topics.
    #[serde(default, deserialize_with = "none_if_null")]
    pub topics: Vec<String>,
    /// When somebody last pushed to it.
    pub pushed_at: Option<String>,
}

/// How many bytes of a text are kept, and how many topics. GitHub's own limits are below that; what a server sends beyond
/// is not let into the database, which takes rows up to a limit and no batch with one that is larger.
const MAX_TEXT: usize = 4_000;
const MAX_TOPICS: usize = 100;
const MAX_TOPIC: usize = 200;
/// The largest number that is the same in every database: D1 has floats, and those beyond may be rounded, so that whoever reads
/// a row of them would be refused.
const MAX_NUMBER: i64 = (1 << 53) - 1;

impl Repository {
    /// Cuts off what is longer, or larger, than any repository's.
    pub(crate) fn within_bounds(mut self) -> Self {
        cut(&mut self.full_name, MAX_TOPIC);
        for text in [
            &mut self.description,
            &mut self.language,
            &mut self.pushed_at,
        ] {
            text.iter_mut().for_each(|text| cut(text, MAX_TEXT));
        }
        self.topics.truncate(MAX_TOPICS);
        self.topics
            .iter_mut()
            .for_each(|topic| cut(topic, MAX_TOPIC));
        for number in [
            &mut self.id,
            &mut self.stars,
            &mut self.forks,
            &mut self.open_issues,
        ] {
            *number = (*number).clamp(-MAX_NUMBER, MAX_NUMBER);
        }
        self
    }
}

fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

/// Takes `null` for an empty list, which some servers write so.
fn none_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_off_between_two_characters() {
        let repository = Repository {
            id: 1,
            full_name: "é".repeat(150),
            description: Some("€".repeat(2_000)),
            language: None,
            stars: i64::MAX,
            forks: i64::MIN,
            open_issues: 1 << 53,
            topics: vec!["a".repeat(300); 300],
            pushed_at: Some("2026".to_owned()),
        };
        let cut = repository.within_bounds();
        assert_eq!(cut.full_name, "é".repeat(100));
        assert_eq!(cut.description.unwrap().len(), 3_999);
        assert_eq!((cut.topics.len(), cut.topics[0].len()), (100, 200));
        assert_eq!(cut.pushed_at.as_deref(), Some("2026"));
        let numbers = [cut.id, cut.stars, cut.forks, cut.open_issues];
        let most = 9_007_199_254_740_991;
        assert_eq!(numbers, [1, most, -most, most]);
    }

    #[test]
    fn topics_may_be_missing_or_null() {
        let rest = r#""id":1,"full_name":"a/b","stargazers_count":1,"forks_count":1,"open_issues_count":0"#;
        for topics in ["", r#","topics":null"#, r#","topics":[]"#] {
            let repository: Repository =
                serde_json::from_str(&format!("{{{rest}{topics}}}")).unwrap();
            assert!(repository.topics.is_empty());
        }
        let topics = format!(r#"{{{rest},"topics":["a"]}}"#);
        let repository: Repository = serde_json::from_str(&topics).unwrap();
        assert_eq!(repository.topics, ["a"]);
    }
}
