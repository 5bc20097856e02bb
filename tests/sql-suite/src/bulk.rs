//! Many rows at once, each case by both ways that rows travel.

use crate::{
    check::{Checked, Wrong},
    failing::lost,
    observed::{Observed, both_ways, every_way},
    statements::{number, set_up},
};
use tower_egress::sql::{
    Database, DatabaseExt, Limits, Packing, SqlError, SqlErrorKind, Statement, Table, Value,
};

async fn table<D: Database>(d: &D) -> Result<Table, Wrong> {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS b_t",
            "CREATE TABLE b_t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, stars INTEGER)",
        ],
    )
    .await?;
    Ok(Table::new("b_t", ["id", "name", "stars"]).with_key(["id"]))
}

type Repo = (i64, String, Option<i64>);

fn repos(ids: impl IntoIterator<Item = i64>) -> Vec<Repo> {
    ids.into_iter()
        .map(|id| (id, format!("name {id}"), Some(id * 10)))
        .collect()
}

async fn all<D: Database>(d: &D) -> Result<Vec<Repo>, Wrong> {
    Ok(
        d.all_as("SELECT id, name, stars FROM b_t ORDER BY id".into())
            .await?,
    )
}

pub(crate) async fn insert_writes_any_number_of_rows<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let table = table(d).await?;
        for rows in [1, 2, 33, 34, 67, 500] {
            d.run("DELETE FROM b_t".into()).await?;
            let written = table.insert(&o, repos(0..rows)).await?;
            same!(written.rows_changed, u64::try_from(rows)?);
            same!(all(d).await?, repos(0..rows));
        }
    }
    Ok(())
}

pub(crate) async fn upsert_writes_over_and_the_last_of_a_key_is_left<D: Database>(
    d: &D,
) -> Checked {
    for o in both_ways(d) {
        let table = table(d).await?;
        table.insert(&o, repos(0..50)).await?;
        let new = [
            (40, "new", 1),
            (60, "sixty", 2),
            (40, "newer", 3),
            (60, "last", 4),
        ];
        same!(table.upsert(&o, new).await?.rows_changed, 4);
        let mut expected = repos(0..50);
        expected[40] = (40, "newer".to_owned(), Some(3));
        expected.push((60, "last".to_owned(), Some(4)));
        same!(all(d).await?, expected);
        let only_key = Table::new("b_t", ["id"]).with_key(["id"]);
        same!(
            only_key.upsert(&o, [60, 61, 61]).await?.rows_changed,
            1,
            "what is there stays"
        );
        same!(number(d, "SELECT count(*) FROM b_t").await?, 52);
    }
    Ok(())
}

pub(crate) async fn update_gives_each_row_its_values<D: Database>(d: &D) -> Checked {
    for o in every_way(d) {
        let table = table(d).await?;
        table.insert(&o, repos(0..200)).await?;
        let rows = (100..250).map(|id| (id, format!("new {id}"), id * 7));
        let written = table.update(&o, rows).await?;
        same!((written.rows_changed, written.keys_missing), (100, 50));
        let mut expected = repos(0..200);
        for (id, name, stars) in &mut expected[100..] {
            (*name, *stars) = (format!("new {id}"), Some(*id * 7));
        }
        same!(all(d).await?, expected);
    }
    Ok(())
}

pub(crate) async fn update_of_one_key_twice_leaves_the_last<D: Database>(d: &D) -> Checked {
    for o in every_way(d) {
        let table = table(d).await?;
        table.insert(&o, repos(0..3)).await?;
        // 1.0 and '1' are the key 1 to a column of integers.
        let rows: [(Value, &str, i64); 6] = [
            (1.into(), "a", 1),
            (2.into(), "b", 2),
            (1.into(), "c", 3),
            (1.0.into(), "d", 4),
            ("1".into(), "e", 5),
            (2.into(), "f", 6),
        ];
        let written = table.update(&o, rows.clone()).await?;
        same!(written.keys_missing, 0);
        let expected = [
            (0, "name 0".to_owned(), Some(0)),
            (1, "e".to_owned(), Some(5)),
            (2, "f".to_owned(), Some(6)),
        ];
        same!(all(d).await?, expected);
        let same_key = (0..500).map(|n| (1, "x", n));
        let written = table.update(&o, same_key).await?;
        let many = o.limits().statements == usize::MAX;
        holds!(many || written.statements <= 16, "{written:?}");
        same!(number(d, "SELECT stars FROM b_t WHERE id = 1").await?, 499);
    }
    Ok(())
}

pub(crate) async fn delete_takes_the_keys<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let table = table(d).await?;
        table.insert(&o, repos(0..500)).await?;
        let keys: Vec<i64> = (100..700).chain([100]).collect();
        same!(table.delete(&o, keys).await?.rows_changed, 400);
        same!(all(d).await?, repos(0..100));
        let by_name = Table::new("b_t", ["name"]).with_key(["name"]);
        same!(
            by_name
                .delete(&o, ["name 3", "name 5", "nobody"])
                .await?
                .rows_changed,
            2
        );
        same!(number(d, "SELECT count(*) FROM b_t").await?, 98);
    }
    Ok(())
}

pub(crate) async fn select_reads_in_the_order_of_the_keys<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let table = table(d).await?;
        table.insert(&o, repos(0..500)).await?;
        let keys: Vec<i64> = (0..600).rev().chain([7, 7]).collect();
        let read: Vec<Repo> = table.select(&o, keys).await?;
        same!(read, repos((0..500).rev().chain([7, 7])));
        let none: Vec<Repo> = table.select(&o, [Value::Null, 1_000.into()]).await?;
        same!(none, []);
    }
    Ok(())
}

pub(crate) async fn keys_of_several_columns<D: Database>(d: &D) -> Checked {
    for o in every_way(d) {
        set_up(
            d,
            &[
                "DROP TABLE IF EXISTS b_k",
                "CREATE TABLE b_k (v, a TEXT, b INTEGER, PRIMARY KEY (a, b))",
            ],
        )
        .await?;
        let table = Table::new("b_k", ["v", "a", "b"]).with_key(["b", "a"]);
        let row = |n: i64| (n, format!("a{}", n % 10), n / 10);
        table.insert(&o, (0..100).map(row)).await?;
        table.upsert(&o, [(-1, "a5", 2), (-2, "a5", 10)]).await?;
        same!(
            table
                .update(&o, [(-3, "a0", 0), (-4, "a0", 99)])
                .await?
                .keys_missing,
            1
        );
        let read: Vec<(i64, String, i64)> = table
            .select(&o, [(2, "a5"), (0, "a0"), (10, "a5"), (99, "a0")])
            .await?;
        same!(
            read,
            [
                (-1, "a5".to_owned(), 2),
                (-3, "a0".to_owned(), 0),
                (-2, "a5".to_owned(), 10)
            ]
        );
        same!(
            table
                .delete(&o, [(2, "a5"), (2, "a6"), (7, "zz")])
                .await?
                .rows_changed,
            2
        );
        same!(number(d, "SELECT count(*) FROM b_k").await?, 99);
    }
    Ok(())
}

pub(crate) async fn no_rows_are_nothing_to_send<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let table = Table::new("nowhere", ["id", "name"]).with_key(["id"]);
        let none: [(i64, i64); 0] = [];
        let keys: [i64; 0] = [];
        for written in [
            table.insert(&o, none).await?,
            table.upsert(&o, none).await?,
            table.update(&o, none).await?,
            table.delete(&o, keys).await?,
        ] {
            same!(
                (written.rows_changed, written.statements, written.batches),
                (0, 0, 0)
            );
        }
        let read: Vec<(i64, i64)> = table.select(&o, keys).await?;
        same!(read, []);
        same!(o.sent(), (0, 0, 0));
    }
    Ok(())
}

/// Rows of which nothing may be sent, because the last but one is wrong.
async fn never_sent<D: Database, const N: usize>(
    o: &Observed<'_, D>,
    table: &Table,
    good: [Value; N],
    bad: Vec<Value>,
) -> Result<SqlError, Wrong> {
    let mut rows = vec![good.to_vec(); 300];
    rows[298] = bad;
    let mut errors = Vec::new();
    for result in [
        table.insert(o, rows.clone()).await,
        table.upsert(o, rows.clone()).await,
        table.update(o, rows).await,
    ] {
        let error = result.err().ok_or("it was not refused")?;
        same!((error.done, error.unknown), (0..0, 0..0));
        errors.push(error.error);
    }
    same!(o.sent(), (0, 0, 0));
    same!(errors[0], errors[1]);
    same!(errors[0], errors[2]);
    Ok(errors.swap_remove(0))
}

pub(crate) async fn a_row_of_another_width_is_refused_before_anything_is_sent<D: Database>(
    d: &D,
) -> Checked {
    for o in both_ways(d) {
        let table = Table::new("b_t", ["id", "name"]).with_key(["id"]);
        for bad in [vec![], vec![1.into()], vec![1.into(), 2.into(), 3.into()]] {
            let has = bad.len();
            let error = never_sent(&o, &table, [1.into(), "a".into()], bad).await?;
            same!(error.kind(), SqlErrorKind::InvalidStatement);
            same!(
                error.message(),
                format!("the row 298 has {has} values for 2 columns")
            );
        }
        let keys = table
            .delete(&o, [[1, 2]])
            .await
            .err()
            .ok_or("it was not refused")?;
        same!(keys.error.message(), "the row 0 has 2 values for 1 columns");
    }
    Ok(())
}

pub(crate) async fn more_columns_than_the_limit_are_refused<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let columns: Vec<String> = (0..101).map(|n| format!("c{n}")).collect();
        let table = Table::new("b_t", columns).with_key(["c0"]);
        let error = table
            .insert(&o, [vec![1; 101]])
            .await
            .err()
            .ok_or("it was not refused")?;
        same!(error.error.kind(), SqlErrorKind::TooLarge);
        same!(
            error.error.message(),
            "101 columns, and the database takes 100"
        );
        same!(o.sent(), (0, 0, 0));
    }
    Ok(())
}

pub(crate) async fn a_value_above_the_limit_is_refused<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let table = Table::new("b_t", ["id", "name"]).with_key(["id"]);
        for bad in [
            Value::from("x".repeat(2_000_001)),
            vec![0; 2_000_001].into(),
        ] {
            let error = never_sent(&o, &table, [1.into(), "a".into()], vec![1.into(), bad]).await?;
            same!(error.kind(), SqlErrorKind::TooLarge);
            same!(
                error.message(),
                "the row 298, column `name`, has 2000001 bytes, and the database takes 2000000"
            );
        }
    }
    Ok(())
}

pub(crate) async fn a_value_of_the_limit_is_written<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS b_big",
            "CREATE TABLE b_big (id INTEGER PRIMARY KEY, v)",
        ],
    )
    .await?;
    let table = Table::new("b_big", ["id", "v"]).with_key(["id"]);
    for o in both_ways(d) {
        // A row has a header of its own; and as JSON none of the second has room, each of which is two bytes there.
        let large = Value::from("x".repeat(1_990_000));
        let quotes = Value::from("\"".repeat(1_200_000));
        let blob = Value::from(vec![255; 1_990_000]);
        let rows = [(1, large), (2, quotes), (3, blob), (4, "small".into())];
        same!(table.upsert(&o, rows).await?.rows_changed, 4);
        let lengths: Vec<i64> = d
            .all_as("SELECT length(v) FROM b_big ORDER BY id".into())
            .await?;
        same!(lengths, [1_990_000, 1_200_000, 1_990_000, 5]);
    }
    Ok(())
}

pub(crate) async fn nan_is_refused_by_row_and_column<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let table = Table::new("b_t", ["id", "name"]).with_key(["id"]);
        for real in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = never_sent(
                &o,
                &table,
                [1.into(), "a".into()],
                vec![1.into(), real.into()],
            )
            .await?;
            same!(error.kind(), SqlErrorKind::InvalidStatement);
            same!(
                error.message(),
                "the row 298, column `name`, is NaN or infinite"
            );
        }
    }
    Ok(())
}

pub(crate) async fn a_hundred_columns<D: Database>(d: &D) -> Checked {
    let names: Vec<String> = (0..100).map(|n| format!("c{n}")).collect();
    d.run("DROP TABLE IF EXISTS b_wide".into()).await?;
    d.run(Statement::new(format!(
        "CREATE TABLE b_wide ({} PRIMARY KEY)",
        names
            .join(", ")
            .replace("c99", "x, c99")
            .replace("x, c99", "c99")
    )))
    .await?;
    let table = Table::new("b_wide", names).with_key(["c99"]);
    for o in both_ways(d) {
        d.run("DELETE FROM b_wide".into()).await?;
        let row = |n: i64| (n * 100..n * 100 + 100).collect::<Vec<i64>>();
        table.insert(&o, (0..30).map(row)).await?;
        let read: Vec<Vec<i64>> = table.select(&o, [2_999, 99]).await?;
        same!(read, [row(29), row(0)]);
        table
            .update(&o, [[0; 99].into_iter().chain([99]).collect::<Vec<i64>>()])
            .await?;
        same!(number(d, "SELECT c50 FROM b_wide WHERE c99 = 99").await?, 0);
    }
    Ok(())
}

pub(crate) async fn names_are_quoted<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS \"b \"\"; DROP TABLE ü\"",
            "CREATE TABLE \"b \"\"; DROP TABLE ü\" (\"select\" INTEGER PRIMARY KEY, \"a \"\"?\"\" -- b\", \"value\" )",
        ],
    )
    .await?;
    let table =
        Table::new("b \"; DROP TABLE ü", ["select", "a \"?\" -- b", "value"]).with_key(["select"]);
    for o in every_way(d) {
        table.upsert(&o, [(1, "a", 0.5), (2, "b", 1.5)]).await?;
        table.update(&o, [(2, "c", 2.5)]).await?;
        let read: Vec<(i64, String, f64)> = table.select(&o, [2, 1]).await?;
        same!(read, [(2, "c".to_owned(), 2.5), (1, "a".to_owned(), 0.5)]);
        same!(table.delete(&o, [1]).await?.rows_changed, 1);
        // What is no column is not taken for a text.
        let wrong = Table::new("b \"; DROP TABLE ü", ["nowhere", "value"]).with_key(["nowhere"]);
        let error = wrong
            .delete(&o, [1])
            .await
            .err()
            .ok_or("it was not refused")?;
        same!(error.error.kind(), SqlErrorKind::InvalidStatement);
    }
    Ok(())
}

/// An index of texts is searched for the text of an integer, and the other way round, as SQLite does with values.
pub(crate) async fn keys_compare_as_bound_values_do<D: Database>(d: &D) -> Checked {
    set_up(
        d,
        &[
            "DROP TABLE IF EXISTS b_c",
            "CREATE TABLE b_c (t TEXT PRIMARY KEY COLLATE NOCASE, i INTEGER UNIQUE, n UNIQUE)",
            "INSERT INTO b_c VALUES ('1', 1, 1), ('1.0', 2, '1'), ('ab', 3, 1.5), ('x', 4, x'31')",
        ],
    )
    .await?;
    for o in every_way(d) {
        for column in ["t", "i", "n"] {
            let table = Table::new("b_c", [column]).with_key([column]);
            for key in [
                Value::from(1),
                1.0.into(),
                "1".into(),
                "1.0".into(),
                "AB".into(),
                1.5.into(),
                b"1".into(),
                Value::Null,
            ] {
                let one = Statement::new(format!("SELECT {column} FROM b_c WHERE {column} = ?"))
                    .bind(key.clone());
                let expected = d.all(one).await?.len();
                let read: Vec<(Counted,)> = table.select(&o, [key.clone(), key.clone()]).await?;
                same!(read.len(), 2 * expected, "{column} = {key:?}");
                let copy = format!("DELETE FROM b_c WHERE {column} = ?");
                let delete = d
                    .batch(vec![
                        Statement::new(copy).bind(key.clone()),
                        "SELECT json_extract('{}', 'undo')".into(),
                    ])
                    .await;
                holds!(delete.is_err(), "it is undone");
            }
        }
    }
    Ok(())
}

/// Anything.
#[derive(Debug)]
struct Counted;

impl<'de> serde::Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_ignored_any(serde::de::IgnoredAny)
            .map(|_| Self)
    }
}

pub(crate) async fn a_constraint_undoes_the_batch<D: Database>(d: &D) -> Checked {
    for o in both_ways(d) {
        let table = table(d).await?;
        table.insert(&o, repos(0..10)).await?;
        let error = table
            .insert(&o, repos((100..300).chain([9])))
            .await
            .err()
            .ok_or("it is there already")?;
        same!(error.error.kind(), SqlErrorKind::Constraint);
        same!((error.done, error.unknown), (0..0, 0..0));
        same!(error.error.statement(), None);
        let twice = table.insert(&o, repos((100..300).chain([100]))).await;
        same!(
            twice.err().map(|error| error.error.kind()),
            Some(SqlErrorKind::Constraint)
        );
        let update = table.update(&o, [(1, "fine", 0), (2, "name 3", 0)]).await;
        same!(
            update.err().map(|error| error.error.kind()),
            Some(SqlErrorKind::Constraint)
        );
        same!(all(d).await?, repos(0..10));
    }
    Ok(())
}

/// Both ways with small batches: three statements, and 50 rows or so.
fn in_small_batches<D: Database>(d: &D) -> [Observed<'_, D>; 2] {
    let limits = Limits::D1.with_statements(3).with_value_bytes(1_000);
    [Packing::Values, Packing::Json]
        .map(|packing| Observed::new(d).with_limits(limits.with_packing(packing)))
}

pub(crate) async fn what_is_done_is_told_when_a_later_batch_fails<D: Database>(d: &D) -> Checked {
    for o in in_small_batches(d) {
        let table = table(d).await?;
        table.insert(d, repos([450])).await?;
        let error = table
            .insert(&o, repos(0..600))
            .await
            .err()
            .ok_or("it is there already")?;
        same!(error.error.kind(), SqlErrorKind::Constraint);
        holds!(
            error.done.end > 100 && error.done.end <= 450 && error.done.start == 0,
            "{error}"
        );
        same!(error.unknown.len(), 0);
        let done = i64::try_from(error.done.end)?;
        same!(all(d).await?, repos((0..done).chain([450])));
    }
    Ok(())
}

pub(crate) async fn what_is_unknown_is_told_when_the_connection_is_lost<D: Database>(
    d: &D,
) -> Checked {
    for done in [true, false] {
        for o in in_small_batches(d) {
            let o = o.failing(2, lost(), done);
            let table = table(d).await?;
            let error = table
                .insert(&o, repos(0..600))
                .await
                .err()
                .ok_or("the connection was lost")?;
            same!(error.error.kind(), SqlErrorKind::ConnectionLost);
            let (batches, statements, _) = o.sent();
            same!(batches, 3, "nothing is sent again, or row by row");
            holds!(statements <= 9, "{statements}");
            same!(error.done.start, 0);
            same!(error.unknown.start, error.done.end);
            holds!(
                error.unknown.len() > 10 && error.unknown.end < 600,
                "{error}"
            );
            let there = if done {
                error.unknown.end
            } else {
                error.done.end
            };
            same!(all(d).await?, repos(0..i64::try_from(there)?));
        }
    }
    // An answer that cannot be read is one.
    let o = Observed::new(d).failing(0, SqlError::new(SqlErrorKind::Decode, "what is that"), true);
    let table = table(d).await?;
    let error = table
        .insert(&o, repos(0..20))
        .await
        .err()
        .ok_or("it could not be read")?;
    same!((error.done, error.unknown.len()), (0..20, 0));
    same!(all(d).await?.len(), 20);
    Ok(())
}

pub(crate) async fn what_cannot_be_a_statement_is_refused<D: Database>(d: &D) -> Checked {
    let o = Observed::new(d);
    let row = [(1, 2)];
    let named = |columns: [&'static str; 2], key: &[&'static str]| {
        Table::new("b_t", columns).with_key(key.to_vec())
    };
    for (table, part) in [
        (named(["a", "b"], &[]), "no key"),
        (named(["a", "b"], &["c"]), "`c` is no column"),
        (named(["a", "A"], &["a"]), "named twice"),
        (named(["a", "b"], &["a", "a"]), "named twice"),
        (named(["a", "b"], &["a", "b"]), "no column to update"),
        (Table::new("b_t", [] as [&str; 0]), "no columns"),
    ] {
        let error = table
            .update(&o, row)
            .await
            .err()
            .ok_or("it was not refused")?;
        same!(error.error.kind(), SqlErrorKind::InvalidStatement);
        holds!(error.error.message().contains(part), "{error}");
    }
    same!(o.sent(), (0, 0, 0));
    Ok(())
}

pub(crate) async fn ten_thousand_rows_take_few_statements<D: Database>(d: &D) -> Checked {
    let table = table(d).await?;
    let o = Observed::new(d);
    let written = table.insert(&o, repos(0..10_000)).await?;
    same!((written.rows_changed, written.batches), (10_000, 1));
    let (batches, statements, _) = o.sent();
    same!((batches, statements), (written.batches, written.statements));
    let json = d.limits().packing == Packing::Json;
    same!(
        statements,
        if json { 1 } else { 59 },
        "512 values for each of SQLite's"
    );
    let written = table
        .update(&o, (0..10_000).map(|id| (id, format!("new {id}"), -id)))
        .await?;
    same!(
        (written.rows_changed, written.keys_missing, written.batches),
        (10_000, 0, 1)
    );
    o.sent();
    let read: Vec<Repo> = table.select(&o, 0..10_000).await?;
    same!(read.len(), 10_000);
    same!(read[9_999], (9_999, "new 9999".to_owned(), Some(-9_999)));
    same!(o.sent().1, if json { 1 } else { 20 });
    same!(table.delete(&o, 0..10_000).await?.rows_changed, 10_000);
    Ok(())
}
