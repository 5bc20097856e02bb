//! What a language model says of repositories.

use super::{Store, StoreError, Stored, repositories::COLUMNS};
use crate::RepoName;
use tower_egress::{
    Timer,
    sql::{Database, Statement, Table, Transaction},
};

impl<D: Database, T: Timer> Store<D, T> {
    /// Returns the repositories with the most stars that nobody has described yet, `at_most` of them.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn without_analysis(&self, at_most: u32) -> Result<Vec<Stored>, StoreError> {
        let columns = COLUMNS.join(", ");
        let sql = format!(
            "SELECT {columns} FROM repositories WHERE analysis IS NULL ORDER BY stars DESC, name DESC LIMIT ?"
        );
        let read = Statement::new(sql).bind(at_most);
        self.all_as("db: read repositories", read).await
    }

    /// Stores what is said of some repositories; what is not known is passed over.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn save_analyses(&self, analyses: &[(RepoName, String)]) -> Result<(), StoreError> {
        if analyses.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let table = Table::new("repositories", ["name", "analysis", "analysed_at"]);
        let table = table.with_key(["name"]);
        let rows = analyses.iter();
        let rows = rows.map(|(name, analysis)| (name.as_str(), analysis.as_str(), now));
        let mut update = Transaction::new();
        update.push_all(table.update_statements(&self.database.limits(), rows)?);
        let updated = self.monitored("db: save analyses", update.commit(&self.database));
        updated.await.map(drop)
    }
}
