//! What every database has to do alike, on SQLite; and what goes in comes out, whatever it is.
#![cfg(not(target_arch = "wasm32"))]
#![cfg(feature = "sqlite")]

use bytes::Bytes;
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};
use tower_egress::sql::{
    Changes, Database, Limits, Migrations, Outcome, Packing, Row, SqlError, Statement, Table,
    Value,
    sqlite::{Sqlite, SqliteOptions},
};

/// A file that is gone with it.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "tower-egress-sql-{}-{}.db",
            std::process::id(),
            FILES.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn all_cases(database: &Sqlite) {
    let mut failed = Vec::new();
    for case in sql_suite::CASES {
        if let Err(wrong) = sql_suite::run(case, database).await {
            failed.push(format!("{case}: {wrong}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[tokio::test]
async fn every_case_in_memory() {
    let names: BTreeSet<_> = sql_suite::CASES.iter().collect();
    assert!(names.len() == sql_suite::CASES.len() && names.len() > 40);
    all_cases(&Sqlite::open_in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn every_case_in_a_file() {
    let file = File::new();
    let options = SqliteOptions::new().with_durable(false);
    all_cases(&options.open(&file.0).await.unwrap()).await;
}

/// SQLite with D1's limits.
struct As(Sqlite, Limits);

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

fn value() -> impl Strategy<Value = Value> {
    let text = prop::collection::vec(
        prop_oneof![4 => any::<char>(), 1 => Just('\0'), 1 => prop::char::range(' ', '~')],
        0..12,
    );
    prop_oneof![
        1 => Just(Value::Null),
        3 => any::<i64>().prop_map(Value::Integer),
        3 => any::<f64>().prop_filter("it is refused", |real| real.is_finite()).prop_map(Value::Real),
        2 => (-1e6..1e6).prop_map(Value::Real),
        3 => text.prop_map(|text| Value::Text(text.into_iter().collect())),
        2 => "[ -~é🦀]{0,9}".prop_map(Value::Text),
        2 => prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Blob(Bytes::from(bytes))),
    ]
}

/// To the bit, but for the sign of zero, which JSON and D1 do not keep: such a row goes by values.
fn bits(value: &Value) -> String {
    match value {
        Value::Real(real) => format!("{:x}", real.to_bits()),
        value => format!("{value:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Every i64, f64, text and blob that goes in comes out, whichever way it took.
    #[test]
    fn what_goes_in_comes_out(
        rows in prop::collection::vec((value(), value(), value()), 0..150),
        json in any::<bool>(),
        value_bytes in 100_usize..3_000,
        statements in 1_usize..20,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let packing = if json { Packing::Json } else { Packing::Values };
            let limits = Limits::D1.with_packing(packing).with_value_bytes(value_bytes).with_statements(statements);
            let database = As(Sqlite::open_in_memory().await.unwrap(), limits);
            database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)".into()).await.unwrap();
            let table = Table::new("t", ["id", "a", "b", "c"]).with_key(["id"]);
            let wide = |(id, (a, b, c)): (i64, &(Value, Value, Value))| vec![id.into(), a.clone(), b.clone(), c.clone()];
            let given: Vec<Vec<Value>> = (0..).zip(&rows).map(wide).collect();
            let written = table.insert(&database, given.clone()).await.unwrap();
            assert_eq!(written.rows_changed, u64::try_from(rows.len()).unwrap());
            let turned: Vec<Vec<Value>> = (0..).zip(rows.iter().rev()).map(wide).collect();
            for expected in [given, turned] {
                table.update(&database, expected.clone()).await.unwrap();
                let found = database.all("SELECT * FROM t ORDER BY id".into()).await.unwrap();
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    for (column, value) in ["id", "a", "b", "c"].iter().zip(expected) {
                        assert_eq!(bits(found.get(column).unwrap()), bits(value));
                    }
                }
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_instances_apply_the_same_files_at_the_same_time() {
    let file = File::new();
    let scripts: Vec<(String, String)> = (0..8)
        .map(|n| {
            (
                format!("{n}"),
                format!("CREATE TABLE t{n} (n); INSERT INTO t{n} VALUES ({n});"),
            )
        })
        .collect();
    let mut instances = Vec::new();
    for _ in 0..6 {
        let (path, scripts) = (file.0.clone(), scripts.clone());
        instances.push(async move {
            let database = SqliteOptions::new()
                .with_durable(false)
                .open(path)
                .await
                .unwrap();
            let files = scripts.iter().map(|(name, text)| (&**name, &**text));
            Migrations::new(files).apply(&database).await.unwrap().names
        });
    }
    let applied = futures_util::future::join_all(instances).await;
    let mut names: Vec<String> = applied.into_iter().flatten().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        (0..8).map(|n| n.to_string()).collect::<Vec<_>>(),
        "each by one of them"
    );
    let database = Sqlite::open(&file.0).await.unwrap();
    for n in 0..8 {
        let count = Statement::new(format!("SELECT count(*) AS n FROM t{n}"));
        let count = database.first(count).await.unwrap().unwrap();
        assert_eq!(count.get("n"), Ok(&Value::Integer(1)));
    }
}
