//! What a single statement, and a batch, come to.

use crate::check::{Checked, Wrong};
use tower_egress::sql::{Database, DatabaseExt, Fate, SqlError, SqlErrorKind, Statement, Value};

/// Runs statements, one after the other.
pub(crate) async fn set_up<D: Database>(database: &D, statements: &[&'static str]) -> Checked {
    let statements = statements.iter().copied().map(Statement::new);
    database.batch(statements.collect()).await?;
    Ok(())
}

/// A number that a query returns.
pub(crate) async fn number<D: Database>(
    database: &D,
    query: impl Into<Statement>,
) -> Result<i64, Wrong> {
    Ok(database
        .first_as(query.into())
        .await?
        .ok_or("there is no row")?)
}

/// The error of a statement: the same from each of the four ways to run it.
async fn refused<D: Database>(database: &D, statement: &Statement) -> Result<SqlError, Wrong> {
    let results = [
        database.run(statement.clone()).await.err(),
        database.first(statement.clone()).await.err(),
        database.all(statement.clone()).await.err(),
        database.batch(vec![statement.clone()]).await.err(),
    ];
    let mut errors = Vec::new();
    for result in results {
        errors
            .push(result.ok_or_else(|| Wrong(format!("it was not refused: {}", statement.sql())))?);
    }
    for error in &errors {
        same!(error.kind(), errors[0].kind(), "{}", statement.sql());
        same!(error.message(), errors[0].message());
        for told in ["secret", "4711", "D1_ERROR"] {
            holds!(!error.message().contains(told), "it tells a value: {error}");
        }
    }
    Ok(errors.swap_remove(0))
}

pub(crate) async fn one_statement_is_what_is_left_without_semicolons<D: Database>(
    d: &D,
) -> Checked {
    for sql in [
        ";SELECT ?",
        "SELECT ?;",
        "SELECT ? ; -- c",
        ";; SELECT ? ;; /* ; */ ;",
        "/* a */ SELECT ? -- ;",
    ] {
        let first: Option<i64> = d.first_as(Statement::new(sql).bind(7)).await?;
        same!(first, Some(7), "{sql}");
        let outcomes = d.batch(vec![Statement::new(sql).bind(7)]).await?;
        same!(outcomes[0].rows.len(), 1, "{sql}");
    }
    Ok(())
}

pub(crate) async fn what_is_no_statement_is_refused<D: Database>(d: &D) -> Checked {
    for sql in [
        "",
        " ; ",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "SELECT 1\0",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "RELEASE a",
        "END;",
        "/* c */ begin",
    ] {
        let error = refused(d, &sql.into()).await?;
        same!(
            error.kind(),
            SqlErrorKind::InvalidStatement,
            "{sql:?}: {error}"
        );
    }
    same!(number(d, "SELECT 1").await?, 1);
    Ok(())
}

pub(crate) async fn placeholders_and_values_match<D: Database>(d: &D) -> Checked {
    for (sql, values) in [
        ("SELECT ?", 0),
        ("SELECT ?2", 1),
        ("SELECT ?", 2),
        ("SELECT 1", 1),
        ("SELECT :a", 1),
        ("SELECT @a", 1),
    ] {
        let statement = Statement::new(sql).bind_all(vec!["secret"; values]);
        let error = refused(d, &statement).await?;
        same!(error.kind(), SqlErrorKind::InvalidStatement, "{sql}");
    }
    let again = Statement::new("SELECT ?2 || ?1 || ?2 || '?'")
        .bind("a")
        .bind("b");
    same!(d.first_as(again).await?, Some("bab?".to_owned()));
    Ok(())
}

pub(crate) async fn nan_and_infinities_are_refused<D: Database>(d: &D) -> Checked {
    for real in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = refused(d, &Statement::new("SELECT ?, ?").bind(1).bind(real)).await?;
        same!(error.kind(), SqlErrorKind::InvalidStatement);
        same!(error.message(), "the value 2 is NaN or infinite");
        let insert = Statement::new("INSERT INTO nowhere (v) VALUES (?)").bind(real);
        let error = refused(d, &insert).await?;
        same!(error.message(), "the value 1 is NaN or infinite");
    }
    Ok(())
}

pub(crate) async fn every_value_comes_back<D: Database>(d: &D) -> Checked {
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
        b"".into(),
        b"\0".into(),
        all_bytes.into(),
    ];
    for value in values {
        let select = Statement::new("SELECT ? AS v").bind(value.clone());
        let first = d.first(select.clone()).await?.ok_or("no row")?;
        same!(first.get("v")?, &value);
        let outcomes = d.batch(vec![select]).await?;
        same!(outcomes[0].rows[0].get("v")?, &value);
    }
    Ok(())
}

pub(crate) async fn a_text_keeps_u0000<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &["DROP TABLE IF EXISTS s_nul", "CREATE TABLE s_nul (t TEXT)"],
    )
    .await?;
    d.run(Statement::new("INSERT INTO s_nul VALUES (?)").bind("a\0b\0"))
        .await?;
    let read: Option<(String, String)> = d
        .first_as("SELECT t, hex(CAST(t AS BLOB)) AS h FROM s_nul".into())
        .await?;
    same!(read, Some(("a\0b\0".to_owned(), "61006200".to_owned())));
    let found = Statement::new("SELECT count(*) FROM s_nul WHERE t = ?").bind("a\0b\0");
    same!(number(d, found).await?, 1);
    Ok(())
}

pub(crate) async fn i64_is_exact<D: Database>(d: &D) -> Checked {
    for integer in [
        i64::MIN,
        i64::MIN + 1,
        -9_007_199_254_740_993,
        0,
        9_007_199_254_740_993,
        i64::MAX,
    ] {
        let select = Statement::new("SELECT CAST(?1 AS TEXT) AS i, typeof(?1) AS t").bind(integer);
        same!(
            d.first_as::<(i64, String)>(select).await?,
            Some((integer, "integer".to_owned()))
        );
    }
    Ok(())
}

pub(crate) async fn a_batch_is_done_or_not_done<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS s_batch",
            "CREATE TABLE s_batch (n UNIQUE)",
        ],
    )
    .await?;
    let insert = |n: i64| Statement::new("INSERT INTO s_batch VALUES (?)").bind(n);
    let outcomes = d
        .batch(vec![
            insert(1),
            insert(2),
            "SELECT n FROM s_batch ORDER BY n".into(),
        ])
        .await?;
    let changed: Vec<u64> = outcomes
        .iter()
        .map(|outcome| outcome.changes.rows_changed)
        .collect();
    same!(changed, [1, 1, 0]);
    same!(outcomes[1].changes.last_row_id, Some(2));
    let rows = outcomes[2].rows.iter().map(|row| row.get_as("n"));
    same!(rows.collect::<Result<Vec<i64>, _>>()?, [1, 2]);
    use SqlErrorKind::{Constraint, InvalidStatement};
    for (bad, kind) in [
        (insert(1), Constraint),
        ("SELEC".into(), InvalidStatement),
        ("SELECT ?".into(), InvalidStatement),
        (Statement::new("SELECT ?").bind(f64::NAN), InvalidStatement),
    ] {
        let error = d
            .batch(vec![insert(3), bad, insert(4)])
            .await
            .err()
            .ok_or("it is done")?;
        same!((error.fate(), error.kind()), (Fate::NotDone, kind));
        // D1 does not say which, unless it was never sent.
        holds!(matches!(error.statement(), None | Some(1)), "{error}");
    }
    same!(number(d, "SELECT count(*) FROM s_batch").await?, 2);
    same!(d.batch(Vec::new()).await?.len(), 0);
    Ok(())
}

pub(crate) async fn errors_are_sorted_alike<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS s_e2",
            "DROP TABLE IF EXISTS s_e",
            "CREATE TABLE s_e (id INTEGER PRIMARY KEY, n TEXT UNIQUE NOT NULL, k INTEGER CHECK (k < 10))",
            "CREATE TABLE s_e2 (e INTEGER REFERENCES s_e, s INTEGER) STRICT",
            "INSERT INTO s_e VALUES (1, 'secret name', 1)",
        ],
    )
    .await?;
    use SqlErrorKind::{Constraint, InvalidStatement, TooLarge};
    for (statement, kind, part) in [
        (
            Statement::new("INSERT INTO s_e (n) VALUES (?)").bind("secret name"),
            Constraint,
            "UNIQUE constraint failed: s_e.n",
        ),
        (
            Statement::new("INSERT INTO s_e (n) VALUES (?)").bind(Value::Null),
            Constraint,
            "NOT NULL constraint failed: s_e.n",
        ),
        (
            Statement::new("INSERT INTO s_e (n, k) VALUES ('b', ?)").bind(4711),
            Constraint,
            "CHECK constraint failed",
        ),
        (
            Statement::new("INSERT INTO s_e2 VALUES (?, 1)").bind(4711),
            Constraint,
            "FOREIGN KEY constraint failed",
        ),
        (
            Statement::new("INSERT INTO s_e2 (s) VALUES (?)").bind("secret"),
            Constraint,
            "cannot store TEXT value in INTEGER column",
        ),
        (
            Statement::new("INSERT INTO s_e (id, n) VALUES (?, 'c')").bind("secret"),
            Constraint,
            "datatype mismatch",
        ),
        (
            Statement::new("INSERT INTO s_e VALUES (?, 'd', 1)").bind(1),
            Constraint,
            "UNIQUE constraint failed: s_e.id",
        ),
        ("BEGIN".into(), InvalidStatement, "transaction"),
        (
            "SELECT 1; SELECT 2".into(),
            InvalidStatement,
            "more than one statement",
        ),
        ("".into(), InvalidStatement, "no statement"),
        (
            Statement::new("SELEC ?").bind("secret"),
            InvalidStatement,
            "near \"SELEC\": syntax error",
        ),
        (
            Statement::new("SELECT * FROM nowhere WHERE n = ?").bind("secret"),
            InvalidStatement,
            "no such table: nowhere",
        ),
        (
            Statement::new("SELECT json_extract('{}', ?)").bind("secret path"),
            InvalidStatement,
            "'…'",
        ),
        (
            Statement::new(format!("SELECT {}", vec!["1"; 3_000].join(","))),
            InvalidStatement,
            "too many columns",
        ),
        (
            Statement::new("SELECT ?").bind("x".repeat(d.limits().value_bytes.min(2_000_000) + 1)),
            TooLarge,
            "the value 1 has 2000001 bytes",
        ),
    ] {
        // What SQLite takes is a gigabyte.
        if kind == TooLarge && d.limits().value_bytes > 2_000_000 {
            continue;
        }
        let error = refused(d, &statement).await?;
        same!(error.kind(), kind, "{error}");
        holds!(error.message().contains(part), "{error}");
    }
    same!(number(d, "SELECT count(*) FROM s_e").await?, 1);
    Ok(())
}

pub(crate) async fn changes_are_counted<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS s_c",
            "CREATE TABLE s_c (id INTEGER PRIMARY KEY, n)",
        ],
    )
    .await?;
    let first = "INSERT INTO s_c (n) VALUES ('a'), ('b') RETURNING id, n";
    same!(d.first_as(first.into()).await?, Some((1, "a".to_owned())));
    let run = d
        .run("INSERT INTO s_c (n) VALUES ('c'), ('d')".into())
        .await?;
    same!((run.rows_changed, run.last_row_id), (2, Some(4)));
    same!(d.run("UPDATE s_c SET n = 1".into()).await?.rows_changed, 4);
    same!(
        d.run("UPDATE s_c SET n = 1 WHERE id = 9".into())
            .await?
            .rows_changed,
        0
    );
    let outcomes = d
        .batch(vec![
            "DELETE FROM s_c WHERE id < 3".into(),
            "SELECT 1".into(),
        ])
        .await?;
    same!(
        (
            outcomes[0].changes.rows_changed,
            outcomes[1].changes.rows_changed
        ),
        (2, 0)
    );
    same!(d.first("SELECT 1 WHERE 0".into()).await?, None);
    same!(d.all("SELECT 1 WHERE 0".into()).await?, []);
    Ok(())
}

pub(crate) async fn limits_are_kept<D: Database>(d: &D) -> Checked {
    let limits = d.limits();
    let many = |n: usize| {
        let marks = vec!["(?)"; n].join(", ");
        Statement::new(format!("SELECT count(*) FROM (VALUES {marks})")).bind_all(vec![1; n])
    };
    let most = i64::try_from(limits.values)?;
    same!(number(d, many(limits.values)).await?, most);
    let error = refused(d, &many(limits.values + 1)).await?;
    same!(error.kind(), SqlErrorKind::TooLarge, "{error}");
    let (has, takes) = (limits.values + 1, limits.values);
    same!(
        error.message(),
        format!("{has} values, and the database takes {takes}")
    );
    if limits.sql_bytes <= 1_000_000 {
        let long = |n: usize| Statement::new(format!("SELECT 1 AS n --{}", "x".repeat(n - 16)));
        same!(number(d, long(limits.sql_bytes)).await?, 1);
        let error = refused(d, &long(limits.sql_bytes + 1)).await?;
        same!(error.kind(), SqlErrorKind::TooLarge);
        let has = limits.sql_bytes + 1;
        holds!(
            error.message().starts_with(&format!("{has} bytes of SQL")),
            "{error}"
        );
    }
    // The row has a header of its own; and what SQLite takes is a gigabyte.
    set_up(d, &["DROP TABLE IF EXISTS s_l", "CREATE TABLE s_l (v)"]).await?;
    let fits = "x".repeat(limits.value_bytes.min(2_000_000) - 1_000);
    let fits = Statement::new("INSERT INTO s_l VALUES (?)").bind(fits);
    same!(d.run(fits).await?.rows_changed, 1);
    let larger = limits.value_bytes + 1_000_000;
    let larger = Statement::new(format!("SELECT length(zeroblob({larger}) || 'x')"));
    let error = refused(d, &larger).await?;
    same!(error.kind(), SqlErrorKind::TooLarge);
    holds!(error.message().contains("too big"), "{error}");
    Ok(())
}
