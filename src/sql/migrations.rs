//! Files of SQL that are applied once, in order.

use super::{Database, DatabaseExt, Limits, Script, SqlError, SqlErrorKind, Statement, limits};

/// Ordered files of SQL, each of which is applied once.
///
/// A file and the record that it was applied are one batch: both are done, or neither. The records are in a table,
/// `egress_migrations`, which is made if it is not there.
///
/// ```
/// use tower_egress::sql::{Database, MigrationError, Migrations};
///
/// // Rather `include_str!("../migrations/0001_repos.sql")`.
/// const FILES: [(&str, &str); 2] = [
///     ("0001_repos", "CREATE TABLE repos (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"),
///     ("0002_stars", "ALTER TABLE repos ADD COLUMN stars INTEGER; -- unknown is NULL"),
/// ];
///
/// async fn migrate(database: &impl Database) -> Result<(), MigrationError> {
///     let applied = Migrations::new(FILES).apply(database).await?;
///     println!("applied: {:?}", applied.names);
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// # Files
///
/// A file that was applied must stay as it is, where it is: one that has changed, is missing, or has another before it
/// is an error that names it, and nothing is done. How its lines end does not matter.
///
/// A file holds any number of statements, triggers among them, and no BEGIN or COMMIT: it is a transaction already. It
/// must fit into one batch of the database (with D1 999 statements and 8 MB, each statement 100,000 bytes); what does
/// not is an error before anything is sent.
///
/// # Several at once
///
/// Several instances may apply the same files at the same time: each file is applied by one of them, and all succeed.
#[derive(Clone, Debug)]
pub struct Migrations<'a> {
    files: Vec<(&'a str, &'a str)>,
    table: String,
}

/// What was applied.
///
/// ```
/// use tower_egress::sql::{Applied, Database, MigrationError, Migrations};
///
/// async fn migrate(database: &impl Database) -> Result<(), MigrationError> {
///     let files = Migrations::new([("0001", "CREATE TABLE a (b)")]);
///     let Applied { names, .. } = files.apply(database).await?;
///     assert!(names.is_empty() || names == ["0001"]);
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// The names of the files that this call has applied.
    pub names: Vec<String>,
}

/// Why files were not applied. Those before the one that it names are.
///
/// ```
/// use tower_egress::sql::MigrationError;
///
/// fn advice(error: &MigrationError) -> String {
///     match error {
///         MigrationError::Changed { name } => format!("restore {name}, and add another file"),
///         MigrationError::Failed { name, source } => format!("mend {name}: {source}"),
///         error => error.to_string(),
///     }
/// }
/// # let changed = MigrationError::Changed { name: "0001".to_owned() };
/// # assert_eq!(advice(&changed), "restore 0001, and add another file");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// It was applied, and has changed since.
    #[error("the migration {name} was applied, and has changed since")]
    Changed {
        /// The name of the file.
        name: String,
    },
    /// It was applied, and is not among the files.
    #[error("the migration {name} was applied, and is not there any more")]
    Missing {
        /// The name of the file.
        name: String,
    },
    /// It was not applied, or later, and is before one that was.
    #[error("the migration {name} is before others that were applied earlier")]
    Reordered {
        /// The name of the file.
        name: String,
    },
    /// Two files are called so.
    #[error("there are two migrations {name}")]
    Twice {
        /// The name of the files.
        name: String,
    },
    /// The database does not take it in one batch, or not at all: nothing was sent.
    #[error("the migration {name} cannot be sent")]
    Unfit {
        /// The name of the file.
        name: String,
        /// Why not.
        source: SqlError,
    },
    /// The database failed. Nothing of it is done; or all of it may be, if the [`fate`](SqlError::fate) of the error is not
    /// known and the record could not be read either.
    #[error("the migration {name} failed")]
    Failed {
        /// The name of the file.
        name: String,
        /// Why.
        source: SqlError,
    },
    /// The table of what was applied cannot be made, or read.
    #[error("the record of migrations cannot be read")]
    Record(#[from] SqlError),
}

impl<'a> Migrations<'a> {
    /// Takes files by name and text, in their order.
    pub fn new(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            files: files.into_iter().collect(),
            table: "\"egress_migrations\"".to_owned(),
        }
    }

    /// Names the table of what was applied, `egress_migrations` by default.
    #[must_use]
    pub fn with_table(mut self, name: &str) -> Self {
        self.table = format!("\"{}\"", name.replace('"', "\"\""));
        self
    }

    /// Applies the files that were not applied yet.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped applies no further file. Call it again.
    ///
    /// # Errors
    ///
    /// See [`MigrationError`]; it is safe to call it again after any of them.
    pub async fn apply<D: Database + ?Sized>(
        &self,
        database: &D,
    ) -> Result<Applied, MigrationError> {
        self.check_names()?;
        let make = format!(
            "CREATE TABLE IF NOT EXISTS {} (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, \
             checksum TEXT NOT NULL, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)",
            self.table
        );
        database.run(Statement::new(make).idempotent()).await?;
        let recorded = self.recorded(database).await?;
        let limits = database.limits();
        let pending = (recorded..self.files.len()).map(|n| self.batch(n, &limits));
        let pending: Vec<_> = pending.collect::<Result<_, _>>()?;
        let mut applied = Applied::default();
        for (n, batch) in (recorded..).zip(pending) {
            let (name, _) = self.files[n];
            match database.batch(batch).await {
                Ok(_) => applied.names.push(name.to_owned()),
                Err(source) => {
                    // Another may have been quicker, or it was done and only the answer was lost.
                    let now = self.recorded(database).await;
                    if !matches!(now, Ok(now) if now > n) {
                        let name = name.to_owned();
                        return Err(MigrationError::Failed { name, source });
                    }
                }
            }
        }
        Ok(applied)
    }

    fn check_names(&self) -> Result<(), MigrationError> {
        for (n, &(name, _)) in self.files.iter().enumerate() {
            if self.files[..n].iter().any(|&(other, _)| other == name) {
                return Err(MigrationError::Twice {
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Returns how many files are recorded, all of them where and as they were.
    async fn recorded<D: Database + ?Sized>(&self, database: &D) -> Result<usize, MigrationError> {
        let select = format!(
            "SELECT name, checksum FROM {} ORDER BY position",
            self.table
        );
        let records: Vec<(String, String)> = database.all_as(Statement::new(select)).await?;
        for (n, (name, sum)) in records.iter().enumerate() {
            let Some(at) = self.files.iter().position(|(file, _)| file == name) else {
                return Err(MigrationError::Missing { name: name.clone() });
            };
            if at != n {
                let name = self.files[n.min(at)].0.to_owned();
                return Err(MigrationError::Reordered { name });
            }
            if *sum != checksum(self.files[at].1) {
                return Err(MigrationError::Changed { name: name.clone() });
            }
        }
        Ok(records.len())
    }

    /// Makes the statements that apply a file. The first is its record: so what another has done meanwhile is not done
    /// again.
    fn batch(&self, n: usize, limits: &Limits) -> Result<Vec<Statement>, MigrationError> {
        let (name, text) = self.files[n];
        let unfit = |source| MigrationError::Unfit {
            name: name.to_owned(),
            source,
        };
        let record = format!(
            "INSERT INTO {} (position, name, checksum) VALUES (?, ?, ?)",
            self.table
        );
        let position = i64::try_from(n).map_err(|_| {
            unfit(SqlError::new(
                SqlErrorKind::TooLarge,
                "there are too many migrations",
            ))
        })?;
        let record = Statement::new(record)
            .bind(position)
            .bind(name)
            .bind(checksum(text));
        let mut batch = vec![record];
        batch.extend(Script::new(text).map(|sql| Statement::new(sql.to_owned())));
        for (statement, index) in batch.iter().skip(1).zip(0..) {
            statement
                .check(limits)
                .map_err(|error| unfit(error.with_statement(index)))?;
        }
        let bytes: usize = batch.iter().map(Statement::bytes).sum();
        for (has, takes, what) in [
            (
                batch.len() - 1,
                limits.statements.saturating_sub(1),
                "statements",
            ),
            (bytes, limits.batch_bytes, "bytes"),
        ] {
            if has > takes {
                let message = format!("{has} {what}, and the database takes {takes} in a batch");
                return Err(unfit(limits::too_large(message)));
            }
        }
        Ok(batch)
    }
}

/// FNV-1a of 64 bits, however lines end: it finds what was changed by accident.
fn checksum(text: &str) -> String {
    let bytes = text.bytes().filter(|&byte| byte != b'\r');
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_sum_is_the_published_one_and_minds_no_carriage_return() {
        assert_eq!(checksum(""), "cbf29ce484222325");
        assert_eq!(checksum("foobar"), "85944171f73967e8");
        assert_eq!(checksum("foo\r\nbar"), checksum("foo\nbar"));
        assert_ne!(checksum("foo\nbar"), checksum("foo bar"));
    }

    #[test]
    fn what_does_not_fit_is_found_before_it_is_sent() {
        let batch = |sql: &str, limits: &Limits| {
            Migrations::new([("a", sql)])
                .batch(0, limits)
                .map(|batch| batch.len())
        };
        let limits = Limits::D1.with_statements(3).with_batch_bytes(300);
        assert_eq!(batch("SELECT 1; SELECT 2; -- end", &limits), Ok(3));
        for (sql, part) in [
            (
                "SELECT 1; SELECT 2; SELECT 3",
                "3 statements, and the database takes 2",
            ),
            (
                &*format!("SELECT '{}'", "x".repeat(300)),
                "bytes, and the database takes 300",
            ),
            ("SELECT 1; BEGIN", "a transaction is made by a batch"),
            ("SELECT '\0'", "U+0000"),
        ] {
            match batch(sql, &limits) {
                Err(MigrationError::Unfit { name, source }) => {
                    assert!(name == "a" && source.message().contains(part), "{source}");
                }
                other => panic!("{sql}: {other:?}"),
            }
        }
    }
}
