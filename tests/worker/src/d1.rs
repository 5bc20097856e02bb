//! What is D1's own, in workerd: one route for each law, each answers with JSON; `d1.test.mjs` calls them. And the cases of
//! tests/sql-suite, which `sql.test.mjs` calls.

use serde_json::{Value as Json, json};
use tower_egress::sql::{Database, DatabaseExt, SqlError, Statement};
use tower_egress_worker::D1;

/// Calls the route of a path.
pub(crate) async fn route(path: &str, database: D1, body: &str) -> Option<Json> {
    if let Some(case) = path.strip_prefix("d1/case/") {
        return Some(json!({ "wrong": sql_suite::run(case, &database).await.err() }));
    }
    Some(match path {
        "d1/cases" => json!(sql_suite::CASES),
        "d1/rounded" => rounded(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/batch" => batch(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/returning" => returning(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/names" => names(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/dropped" => dropped(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/retry" => retry(&database, body).await,
        _ => return None,
    })
}

fn thrown(error: &SqlError) -> Json {
    json!({ "thrown": told(error) })
}

fn told(error: &SqlError) -> Json {
    json!({
        "kind": format!("{:?}", error.kind()),
        "message": error.message(),
        "statement": error.statement(),
    })
}

pub(crate) async fn tables(database: &D1, statements: &[&'static str]) -> Result<(), SqlError> {
    let statements = statements.iter().copied().map(Statement::new);
    database.batch(statements.collect()).await.map(|_| ())
}

/// What D1 rounds is read as an error or not at all.
async fn rounded(database: &D1) -> Result<Json, SqlError> {
    let mut answers = Vec::new();
    for sql in [
        "SELECT 9007199254740991 AS id",
        "SELECT -9007199254740991 AS id",
        "SELECT 9007199254740993 AS id",
        "SELECT -9007199254740993 AS id",
        "SELECT 9223372036854775807 AS id",
        "SELECT -9223372036854775807 - 1 AS id",
        "SELECT CAST(9223372036854775807 AS TEXT) AS id",
        "SELECT 1e300 AS id",
    ] {
        let mut ways = Vec::new();
        let first = database.first(sql.into()).await?;
        let batch = database.batch(vec![sql.into()]).await?.pop();
        let rows = first
            .into_iter()
            .chain(batch.into_iter().flat_map(|outcome| outcome.rows));
        for row in rows {
            ways.push(match row.get_as::<i64>("id") {
                Ok(integer) => json!(integer.to_string()),
                Err(error) => told(&error),
            });
        }
        answers.push(json!([sql, ways]));
    }
    Ok(answers.into())
}

async fn count(database: &D1, sql: &'static str) -> Result<i64, SqlError> {
    Ok(database.first_as(sql.into()).await?.unwrap_or(-1))
}

/// Which statement of a batch failed.
async fn batch(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS b",
            "CREATE TABLE b (id INTEGER PRIMARY KEY)",
        ],
    )
    .await?;
    let insert = |id: i64| Statement::new("INSERT INTO b VALUES (?)").bind(id);
    let bad = database.batch(vec![insert(1), insert(1)]).await;
    let never = database
        .batch(vec![insert(1), Statement::new("SELECT ?")])
        .await;
    Ok(json!({
        "bad": bad.as_ref().err().map(told),
        "never": never.as_ref().err().map(told),
        "count": count(database, "SELECT count(*) FROM b").await?,
    }))
}

/// A row id beyond what D1 tells.
async fn returning(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS r",
            "CREATE TABLE r (id INTEGER PRIMARY KEY, n)",
        ],
    )
    .await?;
    let far = Statement::new("INSERT INTO r VALUES (?, 'far')").bind(i64::MAX);
    let far = database.run(far).await?;
    let infinity = database.first("SELECT 9e999 AS i".into()).await?;
    Ok(json!({
        "far": [json!(far.rows_changed), json!(far.last_row_id)],
        "infinity": infinity.map(|row| format!("{:?}", row.get("i"))),
    }))
}

/// Names of columns that a batch does not tell apart.
async fn names(database: &D1) -> Result<Json, SqlError> {
    let sql = "SELECT 1 AS b, 2 AS a, 3 AS \"ü ?\", 4 AS __proto__, 5 AS b";
    let batch = database.batch(vec![sql.into()]).await?;
    let names = batch[0].rows[0].columns().map(str::to_owned);
    Ok(json!({ "batch": names.collect::<Vec<_>>() }))
}

/// Futures that are dropped before they are polled, and after.
async fn dropped(database: &D1) -> Result<Json, SqlError> {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };
    tables(database, &["DROP TABLE IF EXISTS d", "CREATE TABLE d (n)"]).await?;
    drop(database.run("INSERT INTO d VALUES (1)".into()));
    for _ in 0..100 {
        let mut sent = pin!(database.run("INSERT INTO d VALUES (2)".into()));
        let _ = sent.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    Ok(json!({
        "unsent": count(database, "SELECT count(*) FROM d WHERE n = 1").await?,
        "sent": count(database, "SELECT count(*) FROM d WHERE n = 2").await?,
        "bytes": tower_egress_worker::memory_bytes(),
    }))
}

/// Whatever the body says, against a database that fails (see `d1.test.mjs`).
async fn retry(database: &D1, body: &str) -> Json {
    let (sql, idempotent) = match body.strip_prefix("idempotent ") {
        Some(sql) => (sql, true),
        None => (body, false),
    };
    let statements = sql.split(';').map(|sql| {
        let statement = Statement::new(sql.to_owned());
        if idempotent {
            statement.idempotent()
        } else {
            statement
        }
    });
    let mut statements: Vec<_> = statements.collect();
    let result = match statements.len() {
        1 => database.run(statements.remove(0)).await.map(|_| ()),
        _ => database.batch(statements).await.map(|_| ()),
    };
    match result {
        Ok(()) => json!("done"),
        Err(error) => told(&error),
    }
}
