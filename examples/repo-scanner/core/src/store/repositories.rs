//! Reading repositories.

use super::{Query, Store, StoreError};
use crate::RepoName;
use serde::{Deserialize, Deserializer, Serialize};
use tower_egress::{
    Timer,
    sql::{Database, DatabaseExt, Json, Statement, Table},
};

/// The columns of a [`Stored`].
pub(super) const COLUMNS: [&str; 12] = [
    "name",
    "full_name",
    "id",
    "description",
    "language",
    "topics",
    "stars",
    "forks",
    "open_issues",
    "pushed_at",
    "scanned_at",
    "analysis",
];

/// What is known of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Stored {
    /// The name that was asked for.
    pub name: String,
    /// What GitHub calls it today.
    pub full_name: String,
    /// GitHub's number for it.
    pub id: i64,
    /// What it is, in its owner's words.
    pub description: Option<String>,
    /// The main language.
    pub language: Option<String>,
    /// The topics.
    #[serde(deserialize_with = "from_json")]
    pub topics: Vec<String>,
    /// The stars.
    pub stars: i64,
    /// The forks.
    pub forks: i64,
    /// The open issues, pull requests included.
    pub open_issues: i64,
    /// When somebody last pushed to it.
    pub pushed_at: Option<String>,
    /// When it was last scanned, in milliseconds since the Unix epoch.
    pub scanned_at: i64,
    /// What a language model says that it is.
    pub analysis: Option<String>,
}

fn from_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Json::deserialize(deserializer).map(|Json(topics)| topics)
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Returns a repository, if it is known.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn repository(&self, name: &RepoName) -> Result<Option<Stored>, StoreError> {
        // By today's name as well.
        let columns = COLUMNS.join(", ");
        let sql = format!(
            "SELECT {columns} FROM repositories \
             WHERE name = ?1 OR full_name = ?1 COLLATE NOCASE ORDER BY name <> ?1 LIMIT 1"
        );
        let read = self
            .database
            .first_as(Statement::new(sql).bind(name.as_str()));
        self.monitored("db: read repository", read).await
    }

    /// Returns the repositories with these names, in their order; what is not known is left out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn repositories(&self, names: &[RepoName]) -> Result<Vec<Stored>, StoreError> {
        let table = Table::new("repositories", COLUMNS).with_key(["name"]);
        let keys = names.iter().map(RepoName::as_str);
        let read = table.select(&self.database, keys);
        self.monitored("db: read repositories", read).await
    }

    /// Returns the next of the repositories that a query is for, `at_most` of them.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find(&self, query: &Query, at_most: u32) -> Result<Vec<Stored>, StoreError> {
        let read = self.database.all_as(query.statement(&COLUMNS, at_most));
        self.monitored("db: read repositories", read).await
    }
}
