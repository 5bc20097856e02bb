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

/// Takes `null` for an empty list, which some servers write so.
fn none_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

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
