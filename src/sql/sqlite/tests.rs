#![cfg(not(target_arch = "wasm32"))]

mod failing;
mod opening;

use super::*;
use crate::sql::{DatabaseExt, Fate, Value};
use std::{
    path::PathBuf,
    pin::pin,
    sync::mpsc,
    task::{Context, Waker},
    time::Duration,
};

/// A folder that is gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tower-egress-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        let _ = std::fs::remove_dir_all(&folder.0);
        std::fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.join("test.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// No executor but one that parks: it works under any.
fn block_on<F: Future>(future: F) -> F::Output {
    tokio_test::block_on(future)
}

fn begun<F: Future>(mut future: std::pin::Pin<&mut F>) {
    let _ = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

async fn text(database: &Sqlite, sql: &'static str) -> String {
    let row = database.first(sql.into()).await.unwrap().unwrap();
    format!("{:?}", row.get(row.columns().next().unwrap()).unwrap())
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let options = SqliteOptions::default();
    assert_eq!(
        (options.busy_timeout, options.durable),
        (Duration::from_secs(5), true)
    );
}

#[test]
fn a_file_is_in_wal_mode_durable_and_its_foreign_keys_are_enforced() {
    let folder = Folder::new("pragmas");
    block_on(async {
        let database = Sqlite::open(folder.file()).await.unwrap();
        assert_eq!(
            text(&database, "PRAGMA journal_mode").await,
            r#"Text("wal")"#
        );
        assert_eq!(text(&database, "PRAGMA synchronous").await, "Integer(2)");
        assert_eq!(text(&database, "PRAGMA foreign_keys").await, "Integer(1)");
        assert_eq!(
            text(&database, "PRAGMA busy_timeout").await,
            "Integer(5000)"
        );
        let fast = SqliteOptions::new()
            .with_durable(false)
            .with_busy_timeout(Duration::from_millis(7));
        let fast = fast.open(folder.file()).await.unwrap();
        assert_eq!(text(&fast, "PRAGMA synchronous").await, "Integer(1)");
        assert_eq!(text(&fast, "PRAGMA busy_timeout").await, "Integer(7)");
    });
}

#[test]
fn its_limits_are_what_sqlite_says() {
    let limits = block_on(Sqlite::open_in_memory()).unwrap().limits();
    assert_eq!((limits.values, limits.columns), (32_766, 2_000));
    assert_eq!(limits, Limits::SQLITE);
}

#[test]
fn the_last_handle_finishes_what_was_sent_and_closes_the_file() {
    let folder = Folder::new("close");
    let wal = folder.0.join("test.db-wal");
    block_on(async {
        let database = Sqlite::open(folder.file()).await.unwrap();
        database.run("CREATE TABLE t (n)".into()).await.unwrap();
        let other = database.clone();
        drop(database);
        assert!(wal.exists(), "there is another handle");
        other.run("INSERT INTO t VALUES (1)".into()).await.unwrap();
    });
    // SQLite removes it when the last connection is closed.
    while wal.exists() {
        std::thread::yield_now();
    }
    let again = block_on(Sqlite::open(folder.file())).unwrap();
    assert_eq!(block_on(text(&again, "SELECT n FROM t")), "Integer(1)");
}

#[test]
fn what_is_dropped_before_it_has_begun_is_not_run_and_what_has_begun_is_finished() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    block_on(database.run("CREATE TABLE t (n)".into())).unwrap();
    let insert = |n: i64| database.run(Statement::new("INSERT INTO t VALUES (?)").bind(n));
    drop(insert(1));
    let (go, when) = mpsc::channel();
    let mut busy = pin!(database.send(Ask::Panic(when)));
    begun(busy.as_mut());
    {
        let mut dropped = pin!(insert(2));
        begun(dropped.as_mut());
    }
    let mut kept = pin!(insert(3));
    begun(kept.as_mut());
    go.send(()).unwrap();
    block_on(kept).unwrap();
    let rows: Vec<i64> = block_on(database.all_as("SELECT n FROM t".into())).unwrap();
    assert_eq!(rows, [3]);
}

#[test]
fn a_panic_is_an_error_and_the_next_statement_runs_outside_of_its_transaction() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    let (go, when) = mpsc::channel();
    go.send(()).unwrap();
    let error = block_on(database.send(Ask::Panic(when))).unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Other);
    let batch = block_on(database.batch(vec!["CREATE TABLE t (n)".into()]));
    assert_eq!(batch.unwrap().len(), 1);
}

#[test]
fn a_batch_that_fails_says_which_statement_and_leaves_no_transaction() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    block_on(database.run("CREATE TABLE t (n UNIQUE)".into())).unwrap();
    let insert = |n: i64| Statement::new("INSERT INTO t VALUES (?)").bind(n);
    for (second, kind) in [
        (insert(1), SqlErrorKind::Constraint),
        ("SELEC".into(), SqlErrorKind::InvalidStatement),
        ("SELECT ?".into(), SqlErrorKind::InvalidStatement),
        (
            "INSERT OR ROLLBACK INTO t VALUES (1)".into(),
            SqlErrorKind::Constraint,
        ),
    ] {
        let error = block_on(database.batch(vec![insert(1), second, insert(2)])).unwrap_err();
        assert_eq!(
            (error.kind(), error.statement()),
            (kind, Some(1)),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::NotDone);
        assert_eq!(
            block_on(text(&database, "SELECT count(*) FROM t")),
            "Integer(0)"
        );
    }
    block_on(database.batch(vec![insert(1), insert(2)])).unwrap();
}

#[test]
fn another_writer_is_waited_for_as_long_as_the_timeout() {
    let folder = Folder::new("busy");
    let mut writer = rusqlite::Connection::open(folder.file()).unwrap();
    writer
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n)")
        .unwrap();
    let options = SqliteOptions::new().with_busy_timeout(Duration::from_millis(20));
    let impatient = block_on(options.open(folder.file())).unwrap();
    let patient = block_on(Sqlite::open(folder.file())).unwrap();
    let write = writer
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    for error in [
        block_on(impatient.run("INSERT INTO t VALUES (1)".into())).unwrap_err(),
        block_on(impatient.batch(vec!["INSERT INTO t VALUES (1)".into()])).unwrap_err(),
    ] {
        assert_eq!(error.kind(), SqlErrorKind::Overloaded, "{error}");
    }
    // Reads do not wait.
    assert_eq!(
        block_on(text(&impatient, "SELECT count(*) FROM t")),
        "Integer(0)"
    );
    let waiting =
        std::thread::spawn(move || block_on(patient.run("INSERT INTO t VALUES (2)".into())));
    write.commit().unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().rows_changed, 1);
}

#[test]
fn what_is_no_database_is_an_error() {
    let folder = Folder::new("none");
    std::fs::write(
        folder.file(),
        "this is a text, and longer than the header of a database is: so it is none. ".repeat(20),
    )
    .unwrap();
    let error = block_on(Sqlite::open(folder.file())).unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Other);
    assert!(block_on(Sqlite::open(folder.0.join("no/such/folder"))).is_err());
}

#[test]
fn a_text_that_is_not_utf_8_is_an_error_that_names_the_column() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    let error = block_on(database.all("SELECT CAST(x'ff' AS TEXT) AS t".into())).unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Decode);
    assert!(error.message().contains("`t`"));
}

#[test]
fn the_first_row_is_enough_for_first() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    let endless =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n";
    assert_eq!(block_on(text(&database, endless)), "Integer(1)");
    assert_eq!(
        block_on(database.first("SELECT 1 WHERE 0".into())),
        Ok(None)
    );
}

#[test]
fn the_first_row_of_a_write_that_is_refused_is_none() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    let tables = [
        "CREATE TABLE owners (id INTEGER PRIMARY KEY)",
        "CREATE TABLE repos (id INTEGER PRIMARY KEY, owner REFERENCES owners DEFERRABLE INITIALLY DEFERRED)",
    ];
    block_on(database.batch(tables.map(Statement::new).into())).unwrap();
    let insert = "INSERT INTO repos (owner) VALUES (7), (8) RETURNING id";
    let error = block_on(database.first(insert.into())).unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Constraint);
    let count = "SELECT count(*) FROM repos";
    assert_eq!(block_on(text(&database, count)), "Integer(0)");
}

#[test]
fn columns_have_the_names_that_they_have_now() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    let rows = || block_on(database.all("SELECT * FROM t".into())).unwrap();
    block_on(database.run("CREATE TABLE t AS SELECT 1 AS a, 2 AS b".into())).unwrap();
    assert_eq!(rows()[0].get("a"), Ok(&Value::Integer(1)));
    for rename in ["a TO c", "b TO a", "c TO b"] {
        let rename = format!("ALTER TABLE t RENAME COLUMN {rename}");
        block_on(database.run(rename.into())).unwrap();
    }
    assert_eq!(rows()[0].get("b"), Ok(&Value::Integer(1)));
    block_on(database.run("ALTER TABLE t ADD COLUMN d DEFAULT 4".into())).unwrap();
    assert_eq!(rows()[0].get("d"), Ok(&Value::Integer(4)));
}

#[test]
fn a_batch_of_which_a_row_cannot_be_read_is_undone_and_says_so() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    block_on(database.run("CREATE TABLE t (n)".into())).unwrap();
    let batch = [
        "INSERT INTO t VALUES (1)",
        "SELECT CAST(x'ff' AS TEXT) AS t",
    ];
    let error = block_on(database.batch(batch.map(Statement::new).into())).unwrap_err();
    assert_eq!(error.fate(), Fate::NotDone, "{error}");
    assert_eq!(
        block_on(text(&database, "SELECT count(*) FROM t")),
        "Integer(0)"
    );
}

/// Send follows.
#[test]
fn handles_and_futures_go_anywhere() {
    fn goes<T: Send>(value: T) -> T {
        value
    }
    fn anywhere<T: Send + Sync + 'static>() {}
    anywhere::<Sqlite>();
    let database = block_on(goes(Sqlite::open_in_memory())).unwrap();
    block_on(goes(database.run("CREATE TABLE t (n)".into()))).unwrap();
    block_on(goes(database.batch(vec!["SELECT 1".into()]))).unwrap();
    let one: Option<i64> = block_on(goes(database.first_as("SELECT 1".into()))).unwrap();
    assert_eq!(one, Some(1));
    let value = Value::from(1);
    assert_eq!(value, Value::Integer(1));
}
