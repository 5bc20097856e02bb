//! What a language model says of repositories.

use super::{Store, StoreError, Stored, repositories::COLUMNS};
use crate::RepoName;
use tower_egress::{
    Timer,
    sql::{Database, Statement, Table, Transaction},
};

impl<D: Database, T: Timer> Store<D, T> {
    /// Returns repositories that nobody has described yet, `at_most` of them: first those for which it was never tried, with the
    /// most stars first; then those for which it was tried longest ago.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn without_analysis(&self, at_most: u32) -> Result<Vec<Stored>, StoreError> {
        let columns = COLUMNS.join(", ");
        let sql = format!(
            "SELECT {columns} FROM repositories WHERE analysis IS NULL ORDER BY analysed_at, stars DESC, name DESC LIMIT ?"
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

    /// Notes that it was tried to have some repositories described, so that others come before them.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(crate) async fn note_tried(&self, names: &[RepoName]) -> Result<(), StoreError> {
        let now = self.now();
        let table = Table::new("repositories", ["name", "analysed_at"]).with_key(["name"]);
        let rows = names.iter().map(|name| (name.as_str(), now));
        let update = table.update(&self.database, rows);
        self.monitored("db: save analyses", update).await.map(drop)
    }
}
