//! Transactions with guards.

use crate::{
    check::{Checked, Wrong},
    failing::lost,
    observed::Observed,
    statements::{number, set_up},
};
use tower_egress::sql::{Database, Limits, SqlErrorKind, Statement, Transaction, TransactionError};

async fn tables<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS t_t",
            "CREATE TABLE t_t (id INTEGER PRIMARY KEY, n, version INTEGER)",
            "INSERT INTO t_t VALUES (1, 'a', 3)",
        ],
    )
    .await
}

fn guarded_by(
    error: Result<Vec<tower_egress::sql::Outcome>, TransactionError>,
) -> Result<String, Wrong> {
    match error {
        Err(TransactionError::Guard { what }) => Ok(what.into_owned()),
        Err(error) => Err(Wrong(format!("another error: {error}"))),
        Ok(_) => Err(Wrong("it is done".to_owned())),
    }
}

pub(crate) async fn all_is_done_if_the_guards_hold<D: Database>(d: &D) -> Checked {
    tables(d).await?;
    let mut transaction = Transaction::new();
    let holding: [Statement; 9] = [
        Statement::new("SELECT 1 FROM t_t WHERE id = ? AND version = ?")
            .bind(1)
            .bind(3),
        "SELECT count(*) = 2 FROM t_t; -- with what the first has inserted".into(),
        "SELECT 'text'".into(),
        "SELECT '0'".into(),
        "SELECT 0.5".into(),
        "SELECT x''".into(),
        "VALUES (1)".into(),
        "WITH a AS (SELECT 1 AS b) SELECT b FROM a /* open".into(),
        ";SELECT n FROM t_t ORDER BY id LIMIT 1 -- c".into(),
    ];
    for (n, guard) in holding.into_iter().enumerate() {
        transaction.require(format!("guard {n}"), guard);
        transaction
            .push(Statement::new("INSERT INTO t_t (n) VALUES (?) RETURNING n").bind(n.to_string()));
    }
    let outcomes = transaction.commit(d).await?;
    same!(outcomes.len(), 9, "of those that were pushed");
    for (n, outcome) in outcomes.iter().enumerate() {
        same!(outcome.changes.rows_changed, 1);
        same!(outcome.rows[0].get_as::<String>("n")?, n.to_string());
    }
    same!(number(d, "SELECT count(*) FROM t_t").await?, 10);
    same!(Transaction::new().commit(d).await?.len(), 0);
    Ok(())
}

pub(crate) async fn a_guard_that_does_not_hold_undoes_all_and_is_named<D: Database>(
    d: &D,
) -> Checked {
    tables(d).await?;
    for failing in [
        "SELECT 1 FROM t_t WHERE version = 4",
        "SELECT 0",
        "SELECT 0.0",
        "SELECT NULL",
        "SELECT 1 WHERE 0",
        "SELECT count(*) > 5 FROM t_t",
    ] {
        for at in 0..3 {
            let mut transaction = Transaction::new();
            transaction.push("UPDATE t_t SET n = 'changed'");
            for n in 0..3 {
                transaction.require(
                    format!("{n} 'holds'"),
                    if n == at { failing } else { "SELECT 1" },
                );
                transaction.push(
                    // What is bound is taken out of messages.
                    Statement::new("INSERT INTO t_t (n) VALUES (?)")
                        .bind(["tower-egress guard 2", "JSON", "path"][n]),
                );
            }
            same!(
                guarded_by(transaction.commit(d).await)?,
                format!("{at} 'holds'"),
                "{failing}"
            );
        }
    }
    same!(
        number(d, "SELECT count(*) FROM t_t WHERE n = 'a'").await?,
        1
    );
    same!(number(d, "SELECT count(*) FROM t_t").await?, 1);
    Ok(())
}

pub(crate) async fn a_guard_sees_what_was_done_before_it<D: Database>(d: &D) -> Checked {
    tables(d).await?;
    let there = Statement::new("SELECT 1 FROM t_t WHERE id = ?").bind(2);
    let insert = "INSERT INTO t_t (id) VALUES (2)";
    let mut late = Transaction::new();
    late.require("it is there", there.clone()).push(insert);
    same!(guarded_by(late.commit(d).await)?, "it is there");
    let mut early = Transaction::new();
    early.push(insert).require("it is there", there);
    same!(early.commit(d).await?.len(), 1);
    Ok(())
}

pub(crate) async fn a_version_guards_against_another_writer<D: Database>(d: &D) -> Checked {
    tables(d).await?;
    let write = |version: i64, n: &'static str| {
        let mut transaction = Transaction::new();
        let same = Statement::new("SELECT 1 FROM t_t WHERE id = 1 AND version = ?").bind(version);
        transaction.require("nobody wrote in between", same);
        transaction.push(
            Statement::new("UPDATE t_t SET n = ?, version = version + 1 WHERE id = 1").bind(n),
        );
        transaction
    };
    let (mine, theirs) = (write(3, "mine"), write(3, "theirs"));
    same!(theirs.commit(d).await?[0].changes.rows_changed, 1);
    same!(guarded_by(mine.commit(d).await)?, "nobody wrote in between");
    same!(write(4, "mine again").commit(d).await?.len(), 1);
    same!(
        number(
            d,
            "SELECT count(*) FROM t_t WHERE n = 'mine again' AND version = 5"
        )
        .await?,
        1
    );
    Ok(())
}

pub(crate) async fn a_failing_statement_is_told<D: Database>(d: &D) -> Checked {
    tables(d).await?;
    let mut transaction = Transaction::new();
    transaction
        .push("INSERT INTO t_t (id) VALUES (2)")
        .require("one is", "SELECT 1")
        .push("INSERT INTO t_t (id) VALUES (1)");
    let Err(TransactionError::Failed(error)) = transaction.commit(d).await else {
        return Err(Wrong("the id is there already".to_owned()));
    };
    same!(error.kind(), SqlErrorKind::Constraint);
    holds!(matches!(error.statement(), None | Some(1)), "{error}");
    for query in [
        "SELECT * FROM nowhere",
        "SELECT 1, 2",
        "DELETE FROM t_t",
        "SELECT 1; SELECT 2",
        "",
    ] {
        let mut transaction = Transaction::new();
        transaction
            .push("DELETE FROM t_t")
            .require("it is a query", query);
        let Err(TransactionError::Failed(error)) = transaction.commit(d).await else {
            return Err(Wrong(format!("it is none: {query}")));
        };
        same!(error.kind(), SqlErrorKind::InvalidStatement, "{error}");
    }
    same!(number(d, "SELECT count(*) FROM t_t").await?, 1);
    Ok(())
}

/// Values are taken out of messages, but not what a message has of the SQL.
pub(crate) async fn no_value_hides_which_guard_it_was<D: Database>(d: &D) -> Checked {
    tables(d).await?;
    for value in [
        "path: 't",
        ": 'tower",
        "tower",
        "guard 1",
        "'tower-egress guard 1'",
        "'tower-egress guard 7'",
        "guard 1': SQL",
        "bad JSON path: 'tower-egress guard 1'",
    ] {
        let mut transaction = Transaction::new();
        transaction
            .push(Statement::new("INSERT INTO t_t (n) VALUES (?)").bind(value))
            .require("it holds", "SELECT 0");
        same!(
            guarded_by(transaction.commit(d).await)?,
            "it holds",
            "{value}"
        );
    }
    Ok(())
}

pub(crate) async fn what_is_too_large_is_not_sent<D: Database>(d: &D) -> Checked {
    let o = Observed::new(d).with_limits(Limits::D1.with_statements(3).with_batch_bytes(1_000));
    let mut transaction = Transaction::new();
    transaction
        .push("SELECT 1")
        .push("SELECT 1")
        .require("one is", "SELECT 1");
    same!(transaction.commit(&o).await?.len(), 2);
    transaction.push("SELECT 1");
    let mut large = Transaction::new();
    large.push(Statement::new("SELECT ?").bind("x".repeat(1_000)));
    o.sent();
    for transaction in [transaction, large] {
        let Err(TransactionError::Failed(error)) = transaction.commit(&o).await else {
            return Err(Wrong("it is too large".to_owned()));
        };
        same!(error.kind(), SqlErrorKind::TooLarge);
    }
    same!(o.sent(), (0, 0, 0));
    let o = o.failing(0, lost(), false);
    let mut marked = Transaction::new();
    marked
        .push(Statement::new("SELECT 1"))
        .require("one is", "SELECT 1");
    let Err(TransactionError::Failed(error)) = marked.commit(&o).await else {
        return Err(Wrong("the connection was lost".to_owned()));
    };
    same!(error.kind(), SqlErrorKind::ConnectionLost);
    Ok(())
}
