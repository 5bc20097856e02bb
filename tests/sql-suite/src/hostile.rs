//! What a schema, or a value, may do to a bulk write.

use crate::{
    check::Checked,
    observed::{Observed, both_ways, every_way},
    statements::{number, set_up},
};
use tower_egress::sql::{
    Database, DatabaseExt, Limits, Packing, SqlErrorKind, Statement, Table, Value,
};

/// Every number of rows at which one statement becomes two, by any of the ways.
pub(crate) async fn rows_are_cut_at_every_border<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS h_b",
            "CREATE TABLE h_b (id INTEGER PRIMARY KEY, a, b)",
        ],
    )
    .await?;
    let table = Table::new("h_b", ["id", "a", "b"]).with_key(["id"]);
    for o in every_way(d) {
        for rows in [
            1_i64, 32, 33, 34, 66, 67, 99, 100, 101, 170, 171, 340, 341, 511, 512, 513,
        ] {
            d.run("DELETE FROM h_b".into()).await?;
            let row = |n: i64| (n, n * 2, format!("b {n}"));
            let expected = u64::try_from(rows)?;
            let written = table.insert(&o, (0..rows).map(row)).await?;
            same!(written.rows_changed, expected, "{rows} inserted");
            let written = table.update(&o, (0..rows).map(|n| (n, -n, "u"))).await?;
            same!(
                (written.rows_changed, written.keys_missing),
                (expected, 0),
                "{rows} updated"
            );
            let sum = number(d, "SELECT coalesce(-sum(a), 0) FROM h_b WHERE b = 'u'").await?;
            same!(sum, rows * (rows - 1) / 2, "{rows} updated");
            let written = table.upsert(&o, (0..rows).map(row)).await?;
            same!(written.rows_changed, expected, "{rows} upserted");
            let read: Vec<(i64, i64, String)> = table.select(&o, 0..rows).await?;
            same!(
                read,
                (0..rows).map(row).collect::<Vec<_>>(),
                "{rows} selected"
            );
            let written = table.delete(&o, 0..rows).await?;
            same!(written.rows_changed, expected, "{rows} deleted");
        }
    }
    Ok(())
}

pub(crate) async fn keys_are_cut_at_ten_thousand<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS h_k",
            "CREATE TABLE h_k (id INTEGER PRIMARY KEY)",
        ],
    )
    .await?;
    let table = Table::new("h_k", ["id"]).with_key(["id"]);
    let json = Observed::new(d).with_limits(Limits::D1.with_packing(Packing::Json));
    table.insert(&json, 0..10_002_i64).await?;
    for keys in [9_999_i64, 10_000, 10_001] {
        json.sent();
        let read: Vec<i64> = table.select(&json, (0..keys).rev()).await?;
        holds!(read.iter().copied().eq((0..keys).rev()), "{keys} keys");
        same!(json.sent().1, if keys > 10_000 { 2 } else { 1 });
    }
    Ok(())
}

/// A statement that is stopped by FAIL keeps the rows before the one that failed, unless it is in a transaction.
pub(crate) async fn what_is_not_told_as_done_is_not_done_whatever_the_schema_says<D: Database>(
    d: &D,
) -> Checked {
    for conflict in ["FAIL", "ABORT", "ROLLBACK"] {
        for o in every_way(d) {
            d.run("DROP TABLE IF EXISTS h_f".into()).await?;
            d.run(Statement::new(format!(
                "CREATE TABLE h_f (id INTEGER PRIMARY KEY ON CONFLICT {conflict}, n)"
            )))
            .await?;
            d.run(Statement::new(format!(
                "CREATE TRIGGER h_f_t BEFORE UPDATE ON h_f WHEN new.n = -1 BEGIN SELECT RAISE({conflict}, 'it is negative'); END"
            )))
            .await?;
            let table = Table::new("h_f", ["id", "n"]).with_key(["id"]);
            d.run("INSERT INTO h_f VALUES (5, 0)".into()).await?;
            let insert = table.insert(&o, (0..20).map(|n| (n, 1))).await;
            let update = table.update(&o, [(5, 7), (4, 0), (5, -1)]).await;
            for result in [insert, update] {
                let error = result.err().ok_or("a row is refused")?;
                // ROLLBACK ends the transaction that D1 has made for the batch, and all that D1 says is "internal error".
                let unclear = conflict == "ROLLBACK" && error.error.kind() == SqlErrorKind::Other;
                holds!(
                    unclear || error.error.kind() == SqlErrorKind::Constraint,
                    "{conflict}: {error}"
                );
                same!(error.done, 0..0, "{conflict}: {error}");
                holds!(unclear || error.unknown.is_empty(), "{conflict}: {error}");
            }
            let rows: Vec<(i64, i64)> = d.all_as("SELECT id, n FROM h_f".into()).await?;
            same!(rows, [(5, 0)], "{conflict}");
        }
    }
    Ok(())
}

pub(crate) async fn no_more_sql_is_sent_than_the_limit<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS h_s",
            "CREATE TABLE h_s (id INTEGER PRIMARY KEY, a)",
        ],
    )
    .await?;
    let table = Table::new("h_s", ["id", "a"]).with_key(["id"]);
    for bytes in [260, 300, 500, 1_000] {
        let limits = Limits::D1
            .with_packing(Packing::Values)
            .with_sql_bytes(bytes);
        let o = Observed::new(d).with_limits(limits);
        let rows = || (0..100).map(|n| (n, n));
        same!(table.insert(&o, rows()).await?.rows_changed, 100);
        same!(table.update(&o, rows()).await?.rows_changed, 100);
        same!(table.upsert(&o, rows()).await?.rows_changed, 100);
        let read: Vec<(i64, i64)> = table.select(&o, 0..100).await?;
        same!(read.len(), 100);
        same!(table.delete(&o, 0..100).await?.rows_changed, 100);
        holds!(
            o.longest() <= bytes,
            "{} bytes of SQL, and {bytes} are taken",
            o.longest()
        );
    }
    Ok(())
}

/// Deletes and reads find what a single statement finds, whatever the types of the columns.
pub(crate) async fn keys_are_deleted_as_bound_values_compare<D: Database>(d: &D) -> Checked {
    let fill = [
        "DROP TABLE IF EXISTS h_c",
        "CREATE TABLE h_c (t TEXT PRIMARY KEY COLLATE NOCASE, i INTEGER UNIQUE, n UNIQUE, r REAL)",
        "INSERT INTO h_c VALUES ('1', 1, 1, 1), ('1.0', 2, '1', 2), ('ab', 3, 1.5, 1.5), ('x', 4, x'31', -0.0), ('', 5, '', 1e300)",
    ];
    let keys = [
        Value::from(1),
        1.0.into(),
        "1".into(),
        "1.0".into(),
        "AB".into(),
        1.5.into(),
        b"1".into(),
        "".into(),
        b"".into(),
        0.into(),
        (-0.0).into(),
        1e300.into(),
        Value::Null,
    ];
    for o in every_way(d) {
        for column in ["t", "i", "n", "r"] {
            let table = Table::new("h_c", [column]).with_key([column]);
            for key in &keys {
                set_up(d, &fill).await?;
                let one = Statement::new(format!("SELECT {column} FROM h_c WHERE {column} = ?"))
                    .bind(key.clone());
                let expected = d.all(one).await?.len();
                let deleted = table
                    .delete(&o, [[key.clone()], ["nowhere".into()]])
                    .await?;
                same!(
                    deleted.rows_changed,
                    u64::try_from(expected)?,
                    "{column} = {key:?}"
                );
            }
        }
    }
    Ok(())
}

pub(crate) async fn a_part_of_a_key_that_is_null_finds_nothing<D: Database>(d: &D) -> Checked {
    for o in every_way(d) {
        set_up(
            d,
            &[
                "DROP TABLE IF EXISTS h_n",
                "CREATE TABLE h_n (a, b, v, UNIQUE (a, b))",
                "INSERT INTO h_n VALUES (1, NULL, 0), (1, 1, 0), (NULL, NULL, 0)",
            ],
        )
        .await?;
        let table = Table::new("h_n", ["a", "b", "v"]).with_key(["a", "b"]);
        let rows: [(Value, Value, i64); 4] = [
            (1.into(), Value::Null, 1),
            (1.into(), 1.into(), 2),
            (Value::Null, Value::Null, 3),
            (Value::Null, Value::Null, 4),
        ];
        let written = table.update(&o, rows.clone()).await?;
        same!((written.rows_changed, written.keys_missing), (1, 3));
        same!(number(d, "SELECT sum(v) FROM h_n").await?, 2);
        let keys: [(Value, Value); 3] = [
            (1.into(), Value::Null),
            (Value::Null, Value::Null),
            (1.into(), 1.into()),
        ];
        let read: Vec<(Option<i64>, Option<i64>, i64)> = table.select(&o, keys.clone()).await?;
        same!(read, [(Some(1), Some(1), 2)]);
        same!(
            table.upsert(&o, rows).await?.rows_changed,
            4,
            "NULL is never there"
        );
        same!(number(d, "SELECT count(*) FROM h_n").await?, 6);
        same!(table.delete(&o, keys).await?.rows_changed, 1);
    }
    Ok(())
}

/// Rows whose texts together are more than one value may be.
pub(crate) async fn rows_that_fit_into_no_json_go_by_values<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS h_w",
            "CREATE TABLE h_w (id INTEGER PRIMARY KEY, a, b)",
        ],
    )
    .await?;
    let table = Table::new("h_w", ["id", "a", "b"]).with_key(["id"]);
    for o in both_ways(d) {
        let half = |c: &str| c.repeat(990_000);
        let rows: Vec<(i64, String, String)> = (0..5).map(|n| (n, half("\n"), half("y"))).collect();
        same!(table.upsert(&o, rows).await?.rows_changed, 5);
        same!(
            number(d, "SELECT sum(length(a) + length(b)) FROM h_w").await?,
            5 * 1_980_000
        );
    }
    Ok(())
}

/// Names that the statements use themselves.
pub(crate) async fn names_of_ours_are_names_of_anybody<D: Database>(d: &D) -> Checked {
    for name in [
        "excluded",
        "value",
        "key",
        "rows",
        "tower-egress rows ",
        "table",
        "ü\u{200b}",
        "'",
        "a.b",
    ] {
        let sql = |text: &str| Statement::new(text.replace("{}", &name.replace('"', "\"\"")));
        d.run(sql("DROP TABLE IF EXISTS \"{}\"")).await?;
        d.run(sql(
            "CREATE TABLE \"{}\" (\"key\" INTEGER PRIMARY KEY, value, n, c0, excluded, json_each, \"{}\")",
        ))
        .await
        .or_else(|error| match name {
            "excluded" | "value" | "key" => Ok(Default::default()),
            _ => Err(error),
        })?;
        let same_name = ["excluded", "value", "key"].contains(&name);
        if same_name {
            d.run(sql(
                "CREATE TABLE \"{}\" (\"key\" INTEGER PRIMARY KEY, value, n, c0, excluded, json_each, \"x\")",
            ))
            .await?;
        }
        let last = if same_name { "x" } else { name };
        let table = Table::new(
            name,
            ["key", "value", "n", "c0", "excluded", "json_each", last],
        )
        .with_key(["key"]);
        for o in every_way(d) {
            table.upsert(&o, [[1; 7], [2; 7]]).await?;
            table.upsert(&o, [[1, 3, 3, 3, 3, 3, 3]]).await?;
            table.update(&o, [[2, 4, 4, 4, 4, 4, 4], [9; 7]]).await?;
            let read: Vec<Vec<i64>> = table.select(&o, [2, 1]).await?;
            same!(
                read,
                [vec![2, 4, 4, 4, 4, 4, 4], vec![1, 3, 3, 3, 3, 3, 3]],
                "{name}"
            );
            same!(table.delete(&o, [1, 2]).await?.rows_changed, 2, "{name}");
        }
        d.run(sql("DROP TABLE \"{}\"")).await?;
    }
    Ok(())
}

/// As one update after the other would leave it.
pub(crate) async fn the_last_is_left_where_a_column_finds_keys_equal<D: Database>(
    d: &D,
) -> Checked {
    let tables: [(&str, [Value; 3]); 7] = [
        ("TEXT", [(0.1 + 0.2).into(), 0.3.into(), "0.3".into()]),
        ("TEXT", [0.3.into(), (0.1 + 0.2).into(), 0.3.into()]),
        ("REAL", ["1e400".into(), "1e999".into(), "1e500".into()]),
        ("NUMERIC", ["1".into(), "+1".into(), " 1.0 ".into()]),
        (
            "TEXT COLLATE RTRIM",
            ["a".into(), "a  ".into(), "a ".into()],
        ),
        (
            "TEXT COLLATE NOCASE",
            ["Ab".into(), "aB".into(), "AB".into()],
        ),
        (
            "REAL",
            [
                9_007_199_254_740_993_i64.into(),
                9_007_199_254_740_992.0.into(),
                "9007199254740993".into(),
            ],
        ),
    ];
    for (class, keys) in tables {
        let make = async || -> Checked {
            d.run("DROP TABLE IF EXISTS h_e".into()).await?;
            let create = format!("CREATE TABLE h_e (k {class} UNIQUE, v)");
            d.run(Statement::new(create)).await?;
            let insert = Statement::new("INSERT INTO h_e VALUES (?, 0)").bind(keys[0].clone());
            d.run(insert).await?;
            Ok(())
        };
        let rows = || keys.iter().cloned().zip([1, 2, 3]);
        make().await?;
        for (key, v) in rows() {
            let single = Statement::new("UPDATE h_e SET v = ? WHERE k = ?")
                .bind(v)
                .bind(key);
            d.run(single).await?;
        }
        let expected = number(d, "SELECT v FROM h_e").await?;
        for o in every_way(d) {
            make().await?;
            let table = Table::new("h_e", ["k", "v"]).with_key(["k"]);
            table.update(&o, rows()).await?;
            same!(
                number(d, "SELECT v FROM h_e").await?,
                expected,
                "{class} {keys:?}"
            );
        }
    }
    Ok(())
}

/// A trigger may make its message of a row.
pub(crate) async fn a_trigger_tells_no_value_that_was_bound<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS h_t",
            "CREATE TABLE h_t (id INTEGER PRIMARY KEY, pin, name)",
            "CREATE TRIGGER h_t_t BEFORE INSERT ON h_t WHEN new.id % 10 = 9 BEGIN \
             SELECT RAISE(ABORT, 'too few rights: ' || new.pin || ', ' || new.name); END",
        ],
    )
    .await?;
    let table = Table::new("h_t", ["id", "pin", "name"]).with_key(["id"]);
    let values: [(Value, Value); 5] = [
        (4711.into(), "secret name".into()),
        ("s3".into(), "x".into()),
        (47.11.into(), "a \"secret\" name\n".into()),
        (b"4711".into(), "secret \u{e9}".into()),
        ("4711'secret'".into(), (-4711).into()),
    ];
    for (pin, name) in values {
        let mut messages = Vec::new();
        for o in every_way(d) {
            let row = |n: i64| match n {
                9 => [n.into(), pin.clone(), name.clone()],
                _ => [n.into(), "other".into(), "row".into()],
            };
            let error = table
                .insert(&o, (0..12).map(row))
                .await
                .err()
                .ok_or("it is refused")?;
            same!(error.error.kind(), SqlErrorKind::Constraint);
            messages.push(error.error.message().to_owned());
        }
        let single = Statement::new("INSERT INTO h_t VALUES (9, ?, ?)")
            .bind(pin.clone())
            .bind(name.clone());
        let error = d.run(single).await.err().ok_or("it is refused")?;
        messages.push(error.message().to_owned());
        for message in messages {
            // A sign is no value.
            let plain = message.replace('-', "");
            holds!(plain.starts_with("too few rights: …, …"), "{message}");
            for part in ["4711", "47.11", "secret", "s3"] {
                holds!(!message.contains(part), "it tells a value: {message}");
            }
        }
    }
    Ok(())
}
