//! Reading repositories.

use super::{FromRow, Query, Store, StoreError};
use crate::RepoName;
use serde::{Deserialize, Deserializer, Serialize};
use tower_egress::{
    Timer,
    sql::{Database, Json, Row, SqlError, Statement, Table},
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

impl FromRow for Stored {
    fn from_row(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            name: row.get_as("name")?,
            full_name: row.get_as("full_name")?,
            id: row.get_as("id")?,
            description: row.get_as("description")?,
            language: row.get_as("language")?,
            topics: row.get_as::<Json<_>>("topics")?.0,
            stars: row.get_as("stars")?,
            forks: row.get_as("forks")?,
            open_issues: row.get_as("open_issues")?,
            pushed_at: row.get_as("pushed_at")?,
            scanned_at: row.get_as("scanned_at")?,
            analysis: row.get_as("analysis")?,
        })
    }
}

/// By the name that was asked for, or else by today's. With OR, SQLite reads all there are.
fn by_name() -> String {
    let columns = COLUMNS.join(", ");
    format!(
        "SELECT {columns} FROM repositories WHERE name = coalesce(\
         (SELECT name FROM repositories WHERE name = ?1), \
         (SELECT name FROM repositories WHERE full_name = ?1 COLLATE NOCASE LIMIT 1))"
    )
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Returns a repository, if it is known.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn repository(&self, name: &RepoName) -> Result<Option<Stored>, StoreError> {
        let read = Statement::new(by_name()).bind(name.as_str());
        self.first_as("db: read repository", read).await
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
        let read = query.statement(&COLUMNS, at_most);
        self.all_as("db: read repositories", read).await
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use tower_egress::sql::sqlite::Sqlite;

    #[test]
    fn one_repository_is_found_without_reading_the_others() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let database = Sqlite::open_in_memory().await.unwrap();
            for (_, file) in crate::MIGRATIONS {
                for sql in tower_egress::sql::Script::new(file) {
                    database.run(sql.to_owned().into()).await.unwrap();
                }
            }
            let explain = format!("EXPLAIN QUERY PLAN {}", by_name());
            let plan = database
                .all(Statement::new(explain).bind("a/b"))
                .await
                .unwrap();
            for step in plan {
                let step: String = step.get_as("detail").unwrap();
                assert!(!step.starts_with("SCAN"), "{step}");
            }
        });
    }
}
