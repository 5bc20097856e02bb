//! A repository as GitHub's REST API shows it, made up from its name.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{license::license, owner::owner, urls};
use crate::{catalogue::Entry, dates, hash};

/// 2010-01-01, before which no repository was made.
const OLDEST: u64 = 1_262_304_000;
/// 2026-01-01, after which none was pushed to.
const NEWEST: u64 = 1_767_225_600;

/// What is known of a repository; the rest follows from the hash of its name.
#[derive(Debug, Clone)]
pub(super) struct Repository<'a> {
    owner: Cow<'a, str>,
    name: Cow<'a, str>,
    description: Option<Cow<'a, str>>,
    license: &'a str,
    topics: &'a [String],
}

impl<'a> Repository<'a> {
    /// A repository that is in a catalogue.
    pub(super) fn listed(entry: &'a Entry) -> Self {
        let description = entry.description.as_str();
        Self {
            owner: Cow::Borrowed(&entry.owner),
            name: Cow::Borrowed(&entry.name),
            description: (!description.is_empty()).then_some(Cow::Borrowed(description)),
            license: &entry.license,
            topics: &entry.topics,
        }
    }

    /// A repository that exists because somebody asked for it.
    pub(super) fn invented(owner: impl Into<Cow<'a, str>>, name: impl Into<Cow<'a, str>>) -> Self {
        let name = name.into();
        Self {
            owner: owner.into(),
            description: Some(Cow::Owned(format!("The repository {name}"))),
            name,
            license: "MIT",
            topics: &[],
        }
    }

    /// The same repository under its name of today.
    pub(super) fn renamed(self, name: String) -> Self {
        Self {
            name: Cow::Owned(name),
            ..self
        }
    }

    /// Its number, by which it is found whatever its name.
    pub(super) fn id(&self) -> u64 {
        1_000_000 + self.number(0, 900_000_000)
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// A number that belongs to this repository and to `what`.
    fn number(&self, what: u64, below: u64) -> u64 {
        let name = self.full_name().to_ascii_lowercase();
        hash::mix(hash::fnv1a(name.as_bytes()) ^ hash::mix(what)) % below.max(1)
    }

    /// Returns the repository as `GET /repos/{owner}/{repo}` shows it.
    pub(super) fn to_json(&self, base: &str) -> Value {
        let url = format!("{base}/repos/{}", self.full_name());
        let mut fields = Map::new();
        for part in [self.identity(base, &url), self.figures(), self.switches()] {
            if let Value::Object(part) = part {
                fields.extend(part);
            }
        }
        urls::add(&mut fields, &url, &urls::REPOSITORY);
        Value::Object(fields)
    }

    /// Who it is and where.
    fn identity(&self, base: &str, url: &str) -> Value {
        let full_name = self.full_name();
        let html_url = format!("https://github.com/{full_name}");
        let id = self.id();
        json!({
            "id": id,
            "node_id": format!("R_{id:x}"),
            "name": self.name,
            "full_name": full_name,
            "owner": owner(base, &self.owner),
            "description": self.description,
            "topics": self.topics,
            "license": license(self.license),
            "url": url,
            "git_url": format!("git://github.com/{full_name}.git"),
            "ssh_url": format!("git@github.com:{full_name}.git"),
            "clone_url": format!("https://github.com/{full_name}.git"),
            "svn_url": html_url,
            "html_url": html_url,
            "mirror_url": null,
            "homepage": null,
        })
    }

    /// What can be counted.
    fn figures(&self) -> Value {
        // Squared, as most repositories have few stars and a few have many.
        let stars = self.number(1, 250).pow(2);
        let (forks, issues) = (stars / (4 + self.number(2, 12)), self.number(3, 200));
        let created = OLDEST + self.number(4, NEWEST - OLDEST);
        let pushed = created + self.number(5, NEWEST - created);
        json!({
            "language": "Rust",
            "forks_count": forks,
            "forks": forks,
            "stargazers_count": stars,
            "watchers_count": stars,
            "watchers": stars,
            "open_issues_count": issues,
            "open_issues": issues,
            "subscribers_count": stars / 40,
            "network_count": forks,
            "size": 10 + self.number(6, 90_000),
            "created_at": dates::rfc3339(created),
            "pushed_at": dates::rfc3339(pushed),
            "updated_at": dates::rfc3339(pushed),
        })
    }

    /// What is on or off.
    fn switches(&self) -> Value {
        json!({
            "private": false,
            "visibility": "public",
            "fork": false,
            "is_template": false,
            "archived": self.number(10, 20) == 0,
            "disabled": false,
            "default_branch": if self.number(7, 3) == 0 { "master" } else { "main" },
            "has_issues": true,
            "has_projects": true,
            "has_wiki": self.number(8, 2) == 0,
            "has_pages": false,
            "has_downloads": true,
            "has_discussions": self.number(9, 4) == 0,
            "allow_forking": true,
            "web_commit_signoff_required": false,
            "permissions": { "admin": false, "maintain": false, "push": false, "triage": false, "pull": true },
        })
    }

    /// Returns the languages as `GET /repos/{owner}/{repo}/languages` shows them, in bytes.
    pub(super) fn languages(&self) -> Value {
        let rust = 5_000 + self.number(11, 2_000_000);
        match self.number(12, 3) {
            0 => json!({ "Rust": rust }),
            1 => json!({ "Rust": rust, "Shell": rust / 50 }),
            _ => json!({ "Rust": rust, "Shell": rust / 50, "C": rust / 20 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_the_same_each_time_and_unlike_others() {
        let json = |owner, name| Repository::invented(owner, name).to_json("http://o");
        assert_eq!(json("a", "b"), json("a", "b"));
        assert_ne!(json("a", "b")["id"], json("a", "c")["id"]);
        assert_eq!(json("a", "b")["owner"]["id"], json("A", "c")["owner"]["id"]);
        let (created, pushed) = (
            json("a", "b")["created_at"].clone(),
            json("a", "b")["pushed_at"].clone(),
        );
        assert!(created.as_str() <= pushed.as_str());
    }
}
