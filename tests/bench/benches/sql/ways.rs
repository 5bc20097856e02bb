//! The table, its rows, and how they are written one by one.

use tower_egress::sql::{
    Changes, Database, Limits, Outcome, Row, SqlError, Statement, Table, sqlite::Sqlite,
};

pub(crate) const ROWS: i64 = 10_000;

pub(crate) const TABLE: &str = "CREATE TABLE repos (id INTEGER PRIMARY KEY, name TEXT NOT NULL, stars INTEGER, score REAL, \
     description TEXT, archived INTEGER, language TEXT)";

pub(crate) type Repo = (i64, String, i64, f64, String, bool, Option<String>);

pub(crate) fn table() -> Table {
    Table::new(
        "repos",
        [
            "id",
            "name",
            "stars",
            "score",
            "description",
            "archived",
            "language",
        ],
    )
    .with_key(["id"])
}

/// A row, before or after it is updated.
pub(crate) fn repo(n: i64, updated: bool) -> Repo {
    let more = i64::from(updated);
    let score = f64::from(i32::try_from(n).unwrap_or(i32::MAX)) / 7.0;
    let description = format!("a description of some length, of the repository number {n}");
    (
        n,
        format!("repository-{n}"),
        n * 7 % 1_000 + more,
        score,
        description,
        n % 2 == 0,
        (n % 5 > 0).then(|| "Rust".to_owned()),
    )
}

/// Returns what makes the statement of one row.
pub(crate) fn statement(operation: &str) -> fn(i64, bool) -> Statement {
    fn bound(
        sql: &'static str,
        (id, name, stars, score, description, archived, language): Repo,
    ) -> Statement {
        Statement::new(sql)
            .bind(id)
            .bind(name)
            .bind(stars)
            .bind(score)
            .bind(description)
            .bind(archived)
            .bind(language)
    }
    match operation {
        "insert" => |n, updated| {
            bound(
                "INSERT INTO repos VALUES (?, ?, ?, ?, ?, ?, ?)",
                repo(n, updated),
            )
        },
        "update" => |n, updated| {
            bound(
                "UPDATE repos SET name = ?2, stars = ?3, score = ?4, description = ?5, archived = ?6, language = ?7 WHERE id = ?1",
                repo(n, updated),
            )
        },
        _ => |n, _| Statement::new("SELECT * FROM repos WHERE id = ?").bind(n),
    }
}

/// One after the other, each a transaction of its own; what is read is read as it is from all at once.
pub(crate) async fn one_by_one(
    database: &impl Database,
    statements: impl Iterator<Item = Statement>,
) -> Result<(), SqlError> {
    for statement in statements {
        if statement.is_read_only() {
            let row = database.first(statement).await?;
            let _: Option<Repo> = row.map(|row| row.deserialize()).transpose()?;
        } else {
            database.run(statement).await?;
        }
    }
    Ok(())
}

/// SQLite with other limits.
pub(crate) struct As(pub(crate) Sqlite, pub(crate) Limits);

impl Database for As {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        self.0.run(statement).await
    }

    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        self.0.first(statement).await
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        self.0.all(statement).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        self.0.batch(statements).await
    }

    fn limits(&self) -> Limits {
        self.1
    }
}
