//! 10,000 rows on D1, one by one and at once: `/sql/insert/json`.

use tower_egress::sql::{Database, DatabaseExt, Limits, Packing, SqlError, Statement, Table};
use tower_egress_worker::D1;

const TABLE: [&str; 2] = [
    "DROP TABLE IF EXISTS repos",
    "CREATE TABLE repos (id INTEGER PRIMARY KEY, name TEXT NOT NULL, stars INTEGER, score REAL, description TEXT, \
     archived INTEGER, language TEXT)",
];

type Repo = (i64, String, i64, f64, String, bool, Option<String>);

/// A row, before or after it is updated.
fn repo(n: i64, updated: bool) -> Repo {
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

fn single(operation: &str, n: i64) -> Statement {
    match operation {
        "insert" => bound(
            "INSERT INTO repos VALUES (?, ?, ?, ?, ?, ?, ?)",
            repo(n, false),
        ),
        "update" => bound(
            "UPDATE repos SET name = ?2, stars = ?3, score = ?4, description = ?5, archived = ?6, language = ?7 WHERE id = ?1",
            repo(n, true),
        ),
        _ => Statement::new("SELECT * FROM repos WHERE id = ?").bind(n),
    }
}

/// Does what a path says with so many rows, and returns how many it wrote or read.
pub(crate) async fn route(path: &str, database: D1, rows: i64) -> Option<Result<u64, SqlError>> {
    let (operation, way) = path.split_once('/')?;
    let packing = match (operation, way) {
        ("reset", _) => return Some(reset(&database).await),
        (_, "single") => return Some(one_by_one(&database, operation, rows).await),
        (_, "batch") => {
            let all = (0..rows).map(|n| single(operation, n)).collect();
            let outcomes = database.batch(all).await;
            return Some(outcomes.map(|all| all.iter().map(|one| one.changes.rows_changed).sum()));
        }
        (_, "values") => Packing::Values,
        (_, "json") => Packing::Json,
        _ => return None,
    };
    let database = database.with_limits(Limits::D1.with_packing(packing));
    Some(at_once(&database, operation, rows).await)
}

async fn reset(database: &D1) -> Result<u64, SqlError> {
    database.batch(TABLE.map(Statement::new).to_vec()).await?;
    Ok(0)
}

async fn one_by_one(database: &D1, operation: &str, rows: i64) -> Result<u64, SqlError> {
    let mut done = 0;
    for n in 0..rows {
        let statement = single(operation, n);
        if operation == "select" {
            let row: Option<Repo> = database.first_as(statement).await?;
            done += u64::from(row.is_some());
        } else {
            done += database.run(statement).await?.rows_changed;
        }
    }
    Ok(done)
}

async fn at_once(database: &D1, operation: &str, rows: i64) -> Result<u64, SqlError> {
    let columns = [
        "id",
        "name",
        "stars",
        "score",
        "description",
        "archived",
        "language",
    ];
    let table = Table::new("repos", columns).with_key(["id"]);
    let repos = (0..rows).map(|n| repo(n, operation == "update"));
    let written = match operation {
        "insert" => table.insert(database, repos).await,
        "update" => table.update(database, repos).await,
        _ => {
            let read: Vec<Repo> = table.select(database, 0..rows).await?;
            return Ok(u64::try_from(read.len()).unwrap_or(0));
        }
    };
    written
        .map(|written| written.rows_changed)
        .map_err(|error| error.error)
}
