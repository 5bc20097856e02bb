//! D1 through tower-egress-worker, in workerd: one route for each law, each answers with JSON. `d1.test.mjs` calls them.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tower_egress::sql::{Database, DatabaseExt, Row, SqlError, Statement, Value};
use tower_egress_worker::D1;

/// Calls the route of a path.
pub(crate) async fn route(path: &str, database: D1, body: &str) -> Option<Json> {
    if let Some(case) = path.strip_prefix("d1/case/") {
        return Some(json!({ "wrong": sql_suite::run(case, &database).await.err() }));
    }
    Some(match path {
        "d1/cases" => json!(sql_suite::CASES),
        "d1/integers" => integers(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/comparisons" => comparisons(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/rounded" => rounded(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/values" => values(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/large" => large(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/batch" => batch(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/returning" => returning(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/errors" => errors(&database)
            .await
            .unwrap_or_else(|error| thrown(&error)),
        "d1/limits" => limits(&database)
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

/// The kind of an error, the same from each of the four ways to run a statement.
async fn alike(database: &D1, statement: &Statement) -> Json {
    let results = [
        database.run(statement.clone()).await.map(|_| ()),
        database.first(statement.clone()).await.map(|_| ()),
        database.all(statement.clone()).await.map(|_| ()),
        database.batch(vec![statement.clone()]).await.map(|_| ()),
    ];
    results
        .into_iter()
        .map(|result| result.err().as_ref().map(told))
        .collect()
}

pub(crate) async fn tables(database: &D1, statements: &[&'static str]) -> Result<(), SqlError> {
    let statements = statements.iter().copied().map(Statement::new);
    database.batch(statements.collect()).await.map(|_| ())
}

const INTEGERS: [i64; 9] = [
    i64::MIN,
    -9_007_199_254_740_993,
    -1,
    0,
    1,
    9_007_199_254_740_991,
    9_007_199_254_740_993,
    4_611_686_018_427_387_905,
    i64::MAX,
];

/// What is in columns of all sorts after an integer was bound: by SQLite's own account.
async fn integers(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS i",
            "CREATE TABLE i (i INTEGER, n, t TEXT, r REAL, m NUMERIC, b BLOB)",
            "DROP TABLE IF EXISTS s",
            "CREATE TABLE s (i INTEGER, a ANY) STRICT",
        ],
    )
    .await?;
    let mut answers = Vec::new();
    for integer in INTEGERS {
        let insert = Statement::new("INSERT INTO i VALUES (?1, ?1, ?1, ?1, ?1, ?1)").bind(integer);
        let strict = Statement::new("INSERT INTO s VALUES (?, ?)")
            .bind(integer)
            .bind(integer);
        database.batch(vec![insert, strict]).await?;
        let select = "SELECT CAST(i.i AS TEXT) AS i, CAST(n AS TEXT) AS n, t, printf('%!.20g', r) AS r, \
             CAST(m AS TEXT) AS m, CAST(b AS TEXT) AS b, CAST(s.i AS TEXT) AS si, CAST(s.a AS TEXT) AS sa, \
             typeof(i.i) || ' ' || typeof(n) || ' ' || typeof(t) || ' ' || typeof(r) || ' ' || typeof(m) || ' ' || typeof(b) \
             || ' ' || typeof(s.i) || ' ' || typeof(s.a) AS types FROM i JOIN s ON s.i = i.i WHERE i.i = ?";
        let row = database.first(Statement::new(select).bind(integer)).await?;
        let texts: Vec<String> = match &row {
            Some(row) => row.deserialize()?,
            None => Vec::new(),
        };
        // An integer selected as text is read as one.
        let exact = row.map(|row| row.get_as("i")).transpose()?;
        answers.push(json!({
            "bound": integer.to_string(),
            "read": exact.map(|exact: i64| exact.to_string()),
            "texts": texts,
        }));
    }
    Ok(answers.into())
}

/// A bound integer compares as one that is bound, by every affinity; and stands wherever a value can.
async fn comparisons(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS c",
            "CREATE TABLE c (n, t TEXT, i INTEGER, j TEXT)",
            "CREATE INDEX c_t ON c (t)",
            "INSERT INTO c VALUES (1, '1', 1, '[10, 20]'), ('1', '01', 2, '[]'), (1.0, '1.0', 3, '[]')",
        ],
    )
    .await?;
    let mut answers = Vec::new();
    for sql in [
        "SELECT count(*) AS c FROM c WHERE n = ?",
        "SELECT count(*) AS c FROM c WHERE t = ?",
        "SELECT count(*) AS c FROM c WHERE t IN (?, 5)",
        "SELECT count(*) AS c FROM c WHERE i BETWEEN ?1 AND ?1 + ?1",
        "SELECT count(*) AS c FROM (SELECT 1 FROM c LIMIT ?)",
        "SELECT count(*) AS c FROM (SELECT 1 FROM c LIMIT 9 OFFSET ?)",
        "SELECT j ->> ? AS c FROM c WHERE i = 1",
        "SELECT substr('abc', ?, 1) AS c",
        "SELECT typeof(?) AS c",
        "SELECT ? || 'x' AS c",
        "SELECT -? AS c",
        "SELECT CASE ? WHEN 1 THEN 'one' END AS c",
        "VALUES (?)",
        "SELECT i AS c FROM c ORDER BY ?, i DESC LIMIT 1",
        "SELECT '?' || ? || \"?\" AS c -- ?\n FROM (SELECT 2 AS \"?\")",
    ] {
        let row = database.first(Statement::new(sql).bind(1)).await?;
        let value: Option<Json> = row
            .map(|row| row.deserialize::<(Json,)>())
            .transpose()?
            .map(|(c,)| c);
        answers.push(json!([sql, value]));
    }
    let plan = Statement::new("EXPLAIN QUERY PLAN SELECT * FROM c WHERE t = ?").bind(1);
    let plan = database.first(plan).await?;
    let plan: Option<String> = plan.map(|row| row.get_as("detail")).transpose()?;
    Ok(json!({ "answers": answers, "plan": plan }))
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

/// Every value, back as it was: from the table by `all`, and from a batch.
async fn values(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS v",
            "CREATE TABLE v (id INTEGER PRIMARY KEY, v)",
        ],
    )
    .await?;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values: Vec<Value> = vec![
        Value::Null,
        0.into(),
        i64::from(i32::MIN).into(),
        0.1.into(),
        f64::MIN_POSITIVE.into(),
        5e-324.into(),
        f64::MAX.into(),
        "".into(),
        "a'b\"c\\d\n\r\t\u{1}\u{7f}\u{2028}".into(),
        "\u{feff}é ü 中 🦀 e\u{301} \u{10ffff} \u{fffd} \u{ffff}".into(),
        "a\0b\0".into(),
        b"".into(),
        b"\0".into(),
        all_bytes.into(),
    ];
    let mut inserts = Vec::new();
    for (id, value) in (0..).zip(&values) {
        let insert = Statement::new("INSERT INTO v VALUES (?, ?)").bind(id);
        inserts.push(insert.bind(value.clone()));
    }
    database.batch(inserts).await?;
    let select = Statement::new("SELECT v, typeof(v) AS t FROM v ORDER BY id");
    let all = database.all(select.clone()).await?;
    let batch = database.batch(vec![select]).await?.pop();
    let of = |rows: Vec<Row>| -> Result<Vec<Value>, SqlError> {
        rows.iter().map(|row| row.get("v").cloned()).collect()
    };
    let types: Vec<String> = all
        .iter()
        .map(|row| row.get_as("t"))
        .collect::<Result<_, _>>()?;
    let mut refused = Vec::new();
    for real in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused.push(
            alike(
                database,
                &Statement::new("INSERT INTO v (v) VALUES (?)").bind(real),
            )
            .await,
        );
    }
    Ok(json!({
        "all": of(all)? == values,
        "batch": of(batch.map(|outcome| outcome.rows).unwrap_or_default())? == values,
        "types": types,
        "refused": refused,
        "infinity": format!("{:?}", database.first("SELECT 9e999 AS i".into()).await?.map(|row| row.get("i").cloned())),
    }))
}

/// Blobs of 1.9 MB, two in one call, there and back.
async fn large(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS l",
            "CREATE TABLE l (a BLOB, b, c BLOB)",
        ],
    )
    .await?;
    let blob: Bytes = (0..1_900_000_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
        .collect();
    let other: Bytes = blob.iter().rev().copied().collect();
    let insert = |a: &Bytes, c: &Bytes| {
        Statement::new("INSERT INTO l VALUES (?, ?, ?)")
            .bind(a.clone())
            .bind(7)
            .bind(c.clone())
    };
    // A row has 2 MB at most: one blob a row.
    let empty = Bytes::new();
    database
        .batch(vec![insert(&blob, &empty), insert(&empty, &other)])
        .await?;
    let text = "ü".repeat(950_000);
    database
        .run(Statement::new("INSERT INTO l (b) VALUES (?)").bind(text.clone()))
        .await?;
    let rows: Vec<(Option<Bytes_>, Json, Option<Bytes_>)> = database
        .all_as("SELECT * FROM l ORDER BY rowid".into())
        .await?;
    Ok(json!({
        "a": rows[0].0.as_ref().is_some_and(|a| a.0 == blob),
        "c": rows[1].2.as_ref().is_some_and(|c| c.0 == other),
        "seven": rows[0].1,
        "text": rows[2].1 == json!(text),
        "nulls": rows[2].0.is_none() && rows[2].2.is_none(),
    }))
}

/// Bytes without a detour.
struct Bytes_(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes_ {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

async fn count(database: &D1, sql: &'static str) -> Result<i64, SqlError> {
    Ok(database.first_as(sql.into()).await?.unwrap_or(-1))
}

/// A batch is done or not done.
async fn batch(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS b",
            "CREATE TABLE b (id INTEGER PRIMARY KEY, n UNIQUE)",
        ],
    )
    .await?;
    let insert = |id: i64, n: &str| {
        Statement::new("INSERT INTO b VALUES (?, ?)")
            .bind(id)
            .bind(n)
    };
    let good = database
        .batch(vec![
            insert(1, "a"),
            insert(2, "b"),
            "SELECT n FROM b ORDER BY id".into(),
        ])
        .await?;
    let bad = database
        .batch(vec![insert(3, "c"), insert(4, "a"), insert(5, "e")])
        .await;
    let never = database
        .batch(vec![insert(6, "f"), Statement::new("SELECT ?")])
        .await;
    let syntax = database.batch(vec![insert(7, "g"), "SELEC".into()]).await;
    Ok(json!({
        "changed": good.iter().map(|outcome| outcome.changes.rows_changed).collect::<Vec<_>>(),
        "last": good[1].changes.last_row_id,
        "rows": good[2].rows.iter().map(|row| row.get_as("n")).collect::<Result<Vec<String>, _>>()?,
        "bad": bad.as_ref().err().map(told),
        "never": never.as_ref().err().map(told),
        "syntax": syntax.as_ref().err().map(told),
        "count": count(database, "SELECT count(*) FROM b").await?,
        "empty": database.batch(Vec::new()).await?.len(),
    }))
}

/// Changes, row ids and rows of statements that write.
async fn returning(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS r",
            "CREATE TABLE r (id INTEGER PRIMARY KEY, n)",
        ],
    )
    .await?;
    let insert = Statement::new("INSERT INTO r (n) VALUES ('a'), ('b') RETURNING id, n");
    let first: Option<(i64, String)> = database.first_as(insert).await?;
    let run = database
        .run("INSERT INTO r (n) VALUES ('c'), ('d')".into())
        .await?;
    let update = database
        .run(Statement::new("UPDATE r SET n = ?").bind(1))
        .await?;
    let far = Statement::new("INSERT INTO r VALUES (?, 'far')").bind(i64::MAX);
    let far = database.run(far).await?;
    Ok(json!({
        "first": first,
        "run": [json!(run.rows_changed), json!(run.last_row_id)],
        "updated": update.rows_changed,
        "far": [json!(far.rows_changed), json!(far.last_row_id)],
        "none": database.first("SELECT 1 WHERE 0".into()).await?.is_none(),
        "nothing": database.all("SELECT 1 WHERE 0".into()).await?.len(),
    }))
}

/// Each failure, four times.
async fn errors(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &[
            "DROP TABLE IF EXISTS e2",
            "DROP TABLE IF EXISTS e",
            "CREATE TABLE e (id INTEGER PRIMARY KEY, n TEXT UNIQUE NOT NULL, k INTEGER CHECK (k < 10))",
            "CREATE TABLE e2 (e INTEGER REFERENCES e, s INTEGER) STRICT",
            "INSERT INTO e VALUES (1, 'secret name', 1)",
        ],
    )
    .await?;
    let statements = [
        (
            "unique",
            Statement::new("INSERT INTO e (n) VALUES (?)").bind("secret name"),
        ),
        (
            "not null",
            Statement::new("INSERT INTO e (n) VALUES (?)").bind(Value::Null),
        ),
        (
            "check",
            Statement::new("INSERT INTO e (n, k) VALUES ('b', ?)").bind(4711),
        ),
        (
            "key",
            Statement::new("INSERT INTO e VALUES (?, 'b', 1)").bind(1),
        ),
        (
            "foreign",
            Statement::new("INSERT INTO e2 VALUES (?, 1)").bind(4711),
        ),
        (
            "strict",
            Statement::new("INSERT INTO e2 (s) VALUES (?)").bind("secret name"),
        ),
        (
            "id",
            Statement::new("INSERT INTO e (id, n) VALUES (?, 'c')").bind("secret name"),
        ),
        ("syntax", Statement::new("SELEC ?").bind("secret name")),
        (
            "table",
            Statement::new("SELECT * FROM nowhere WHERE n = ?").bind("secret name"),
        ),
        (
            "path",
            Statement::new("SELECT json_extract('{}', ?)").bind("secret path"),
        ),
        ("begin", Statement::new("BEGIN")),
        ("two", Statement::new("SELECT 1; SELECT 2")),
        ("empty", Statement::new("")),
    ];
    let mut answers = serde_json::Map::new();
    for (name, statement) in statements {
        answers.insert(name.to_owned(), alike(database, &statement).await);
    }
    answers.insert(
        "count".to_owned(),
        count(database, "SELECT count(*) FROM e").await?.into(),
    );
    Ok(answers.into())
}

/// The limits of D1, from both sides.
async fn limits(database: &D1) -> Result<Json, SqlError> {
    tables(
        database,
        &["DROP TABLE IF EXISTS big", "CREATE TABLE big (v)"],
    )
    .await?;
    let many = |n: i64| {
        let marks = vec!["(?)"; usize::try_from(n).unwrap_or(0)].join(", ");
        Statement::new(format!("SELECT sum(column1) AS n FROM (VALUES {marks})")).bind_all(0..n)
    };
    let sum: Option<i64> = database.first_as(many(100)).await?;
    let long = |n: usize| Statement::new(format!("SELECT 1 AS n --{}", "x".repeat(n - 16)));
    let one: Option<i64> = database.first_as(long(100_000)).await?;
    let value = |n: usize| Statement::new("INSERT INTO big VALUES (?)").bind("x".repeat(n));
    // The row has a header of its own.
    let fits = database.run(value(1_999_000)).await?;
    Ok(json!({
        "sum": sum,
        "more values": alike(database, &many(101)).await,
        "one": one,
        "longer": alike(database, &long(100_001)).await,
        "fits": fits.rows_changed,
        "larger": alike(database, &value(2_000_001)).await,
        "made larger": alike(database, &Statement::new("SELECT length(zeroblob(3000000) || 'x')")).await,
        "too many columns": alike(database, &Statement::new(format!("SELECT {}", vec!["1"; 3000].join(",")))).await,
    }))
}

/// Names of columns.
async fn names(database: &D1) -> Result<Json, SqlError> {
    let sql = "SELECT 1 AS b, 2 AS a, 3 AS \"ü ?\", 4 AS __proto__, 5 AS b";
    let names = |row: &Row| row.columns().map(str::to_owned).collect::<Vec<_>>();
    let all = database.all(sql.into()).await?;
    let batch = database.batch(vec![sql.into()]).await?;
    Ok(json!({
        "all": names(&all[0]),
        "twice": all[0].get("b").as_ref().err().map(told),
        "proto": all[0].get_as::<i64>("__proto__")?,
        "values": all[0].deserialize::<Vec<i64>>()?,
        "batch": names(&batch[0].rows[0]),
    }))
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
