//! What is bound is stored, compared and read as what it is.

use crate::{
    check::{Checked, Wrong},
    statements::set_up,
};
use tower_egress::sql::{Database, DatabaseExt, Row, Statement, Value};

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

/// By SQLite's own account: D1 rounds what it returns.
pub(crate) async fn an_integer_is_stored_as_itself_in_a_column_of_any_type<D: Database>(
    d: &D,
) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS v_i",
            "CREATE TABLE v_i (i INTEGER, n, t TEXT, r REAL, m NUMERIC, b BLOB)",
            "DROP TABLE IF EXISTS v_s",
            "CREATE TABLE v_s (i INTEGER, a ANY) STRICT",
        ],
    )
    .await?;
    for integer in INTEGERS {
        let insert =
            Statement::new("INSERT INTO v_i VALUES (?1, ?1, ?1, ?1, ?1, ?1)").bind(integer);
        let strict = Statement::new("INSERT INTO v_s VALUES (?, ?)").bind_all([integer, integer]);
        d.batch(vec![insert, strict]).await?;
        let select = "SELECT CAST(v_i.i AS TEXT), CAST(n AS TEXT), t, CAST(m AS TEXT), CAST(b AS TEXT), CAST(v_s.i AS TEXT), \
             CAST(v_s.a AS TEXT) FROM v_i JOIN v_s ON v_s.i = v_i.i WHERE v_i.i = ?";
        let texts: Option<Vec<String>> = d.first_as(Statement::new(select).bind(integer)).await?;
        same!(texts, Some(vec![integer.to_string(); 7]));
        let select = "SELECT typeof(v_i.i) || ' ' || typeof(n) || ' ' || typeof(t) || ' ' || typeof(r) || ' ' || typeof(m) || ' ' \
             || typeof(b) || ' ' || typeof(v_s.i) || ' ' || typeof(v_s.a) AS types, printf('%!.20g', r) AS r, \
             CAST(v_i.i AS TEXT) AS i FROM v_i JOIN v_s ON v_s.i = v_i.i WHERE v_i.i = ?";
        let row = d.first(Statement::new(select).bind(integer)).await?;
        let row = row.ok_or("it is not found again")?;
        let types: String = row.get_as("types")?;
        same!(
            types,
            "integer integer text real integer integer integer integer"
        );
        // A REAL column makes a real of any integer, the nearest.
        let real: String = row.get_as("r")?;
        same!(real.parse::<f64>()?, nearest(integer), "{integer}");
        same!(
            row.get_as::<i64>("i")?,
            integer,
            "an integer selected as text"
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "the nearest is what is wanted")]
fn nearest(integer: i64) -> f64 {
    integer as f64
}

pub(crate) async fn a_bound_integer_stands_wherever_a_value_can<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS v_c",
            "CREATE TABLE v_c (n, t TEXT, i INTEGER, j TEXT)",
            "CREATE INDEX v_c_t ON v_c (t)",
            "INSERT INTO v_c VALUES (1, '1', 1, '[10, 20]'), ('1', '01', 2, '[]'), (1.0, '1.0', 3, '[]')",
        ],
    )
    .await?;
    // What SQLite's own command answers to `.parameter set ?1 1`.
    let expected: [(&str, Value); 15] = [
        ("SELECT count(*) AS c FROM v_c WHERE n = ?", 2.into()),
        ("SELECT count(*) AS c FROM v_c WHERE t = ?", 1.into()),
        ("SELECT count(*) AS c FROM v_c WHERE t IN (?, 5)", 1.into()),
        (
            "SELECT count(*) AS c FROM v_c WHERE i BETWEEN ?1 AND ?1 + ?1",
            2.into(),
        ),
        (
            "SELECT count(*) AS c FROM (SELECT 1 FROM v_c LIMIT ?)",
            1.into(),
        ),
        (
            "SELECT count(*) AS c FROM (SELECT 1 FROM v_c LIMIT 9 OFFSET ?)",
            2.into(),
        ),
        ("SELECT j ->> ? AS c FROM v_c WHERE i = 1", 20.into()),
        ("SELECT substr('abc', ?, 1) AS c", "a".into()),
        ("SELECT typeof(?) AS c", "integer".into()),
        ("SELECT ? || 'x' AS c", "1x".into()),
        ("SELECT -? AS c", (-1).into()),
        ("SELECT CASE ? WHEN 1 THEN 'one' END AS c", "one".into()),
        ("VALUES (?)", 1.into()),
        (
            "SELECT i AS c FROM v_c ORDER BY ?, i DESC LIMIT 1",
            3.into(),
        ),
        (
            "SELECT '?' || ? || \"?\" AS c -- ?\n FROM (SELECT 2 AS \"?\")",
            "?12".into(),
        ),
    ];
    for (sql, expected) in expected {
        let row = d.first(Statement::new(sql).bind(1)).await?;
        let row = row.ok_or("there is no row")?;
        let column = row.columns().next().ok_or("there is no column")?;
        same!(row.get(column)?, &expected, "{sql}");
    }
    let plan = Statement::new("EXPLAIN QUERY PLAN SELECT * FROM v_c WHERE t = ?").bind(1);
    let plan = d.first(plan).await?.ok_or("there is no plan")?;
    let plan: String = plan.get_as("detail")?;
    holds!(
        plan.contains("SEARCH v_c USING INDEX v_c_t (t=?)"),
        "the index of a column of texts is not used: {plan}"
    );
    Ok(())
}

pub(crate) async fn every_value_comes_back_from_a_table<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS v_v",
            "CREATE TABLE v_v (id INTEGER PRIMARY KEY, v)",
        ],
    )
    .await?;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values: Vec<(Value, &str)> = vec![
        (Value::Null, "null"),
        (0.into(), "integer"),
        (i64::from(i32::MIN).into(), "integer"),
        (0.1.into(), "real"),
        (f64::MIN_POSITIVE.into(), "real"),
        (5e-324.into(), "real"),
        (f64::MAX.into(), "real"),
        ("".into(), "text"),
        ("a'b\"c\\d\n\r\t\u{1}\u{7f}\u{2028}".into(), "text"),
        (
            "\u{feff}é ü 中 🦀 e\u{301} \u{10ffff} \u{fffd} \u{ffff}".into(),
            "text",
        ),
        ("a\0b\0".into(), "text"),
        (b"".into(), "blob"),
        (b"\0".into(), "blob"),
        (all_bytes.into(), "blob"),
    ];
    let insert = |(id, (value, _)): (i64, &(Value, &str))| {
        Statement::new("INSERT INTO v_v VALUES (?, ?)")
            .bind(id)
            .bind(value.clone())
    };
    d.batch((0..).zip(&values).map(insert).collect()).await?;
    let select = Statement::new("SELECT v, typeof(v) AS t FROM v_v ORDER BY id");
    let batch = d.batch(vec![select.clone()]).await?.swap_remove(0).rows;
    for rows in [d.all(select).await?, batch] {
        same!(rows.len(), values.len());
        for (row, (value, class)) in rows.iter().zip(&values) {
            same!(row.get("v")?, value);
            same!(row.get_as::<&str>("t")?, *class, "{value:?}");
        }
    }
    Ok(())
}

/// Of 1.9 MB, two in one call: a row of D1 has 2 MB at most.
pub(crate) async fn large_blobs_and_texts_come_back_to_the_byte<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS v_l",
            "CREATE TABLE v_l (a BLOB, b, c BLOB)",
        ],
    )
    .await?;
    let blob: Vec<u8> = (0..1_900_000_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
        .collect();
    let other: Vec<u8> = blob.iter().rev().copied().collect();
    let insert = |a: &[u8], c: &[u8]| {
        Statement::new("INSERT INTO v_l VALUES (?, ?, ?)")
            .bind(a)
            .bind(7)
            .bind(c)
    };
    d.batch(vec![insert(&blob, b""), insert(b"", &other)])
        .await?;
    let text = "ü".repeat(950_000);
    d.run(Statement::new("INSERT INTO v_l (b) VALUES (?)").bind(text.clone()))
        .await?;
    let rows: Vec<Row> = d.all("SELECT * FROM v_l ORDER BY rowid".into()).await?;
    let expected: [[Value; 3]; 3] = [
        [blob.into(), 7.into(), b"".into()],
        [b"".into(), 7.into(), other.into()],
        [Value::Null, text.into(), Value::Null],
    ];
    same!(rows.len(), 3);
    for (n, (row, expected)) in rows.iter().zip(&expected).enumerate() {
        for (column, value) in ["a", "b", "c"].iter().zip(expected) {
            // Not `same!`, which would print megabytes.
            holds!(row.get(column)? == value, "row {n}, column {column}");
        }
    }
    Ok(())
}

pub(crate) async fn columns_keep_their_names_and_order<D: Database>(d: &D) -> Checked {
    let sql = "SELECT 1 AS b, 2 AS a, 3 AS \"ü ?\", 4 AS __proto__, 5 AS b";
    let rows = d.all(sql.into()).await?;
    let names: Vec<&str> = rows[0].columns().collect();
    same!(names, ["b", "a", "ü ?", "__proto__", "b"]);
    same!(rows[0].deserialize::<Vec<i64>>()?, [1, 2, 3, 4, 5]);
    same!(rows[0].get_as::<i64>("__proto__")?, 4);
    let twice = rows[0].get("b").err().ok_or("there are two")?;
    same!(twice.message(), "more than one column is named `b`");
    // In a batch D1 tells apart only what has names of its own.
    let sql = "SELECT 1 AS b, 2 AS a, 3 AS \"ü ?\", 4 AS __proto__, 5 AS c";
    let batch = d.batch(vec![sql.into()]).await?;
    let names: Vec<&str> = batch[0].rows[0].columns().collect();
    same!(names, ["b", "a", "ü ?", "__proto__", "c"]);
    Ok(())
}

pub(crate) async fn what_is_never_polled_is_not_sent<D: Database>(d: &D) -> Checked {
    set_up(d, &["DROP TABLE IF EXISTS v_d", "CREATE TABLE v_d (n)"]).await?;
    drop(d.run("INSERT INTO v_d VALUES (1)".into()));
    drop(d.batch(vec!["INSERT INTO v_d VALUES (2)".into()]));
    drop(d.first("INSERT INTO v_d VALUES (3) RETURNING n".into()));
    let rows: Vec<i64> = d.all_as("SELECT n FROM v_d".into()).await?;
    if rows.is_empty() {
        Ok(())
    } else {
        Err(Wrong(format!("{rows:?} was sent")))
    }
}
