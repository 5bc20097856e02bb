//! What becomes of writes where the file, or another connection, is in their way.

use super::*;
use crate::sql::{BulkError, Table};

fn table() -> Table {
    Table::new("t", ["id", "n"]).with_key(["id"])
}

fn rows(n: i64) -> impl Iterator<Item = (i64, String)> {
    (0..n).map(|id| (id, "x".repeat(200)))
}

/// SQLite that takes few statements at once, so that a write takes several batches.
struct InSmallBatches<F>(Sqlite, F);

impl<F: Fn(&Sqlite)> Database for InSmallBatches<F> {
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
        (self.1)(&self.0);
        self.0.batch(statements).await
    }

    fn limits(&self) -> Limits {
        self.0.limits().with_values(100).with_statements(1)
    }
}

/// Checks that exactly the rows are there of which it says so.
fn checked(database: &Sqlite, error: &BulkError) {
    assert!(error.unknown.is_empty(), "{error}");
    let ids: Vec<usize> = block_on(database.all_as("SELECT id FROM t ORDER BY id".into())).unwrap();
    assert!(ids.into_iter().eq(error.done.clone()), "{error}");
    block_on(database.run("INSERT INTO t VALUES (-1, 'the next')".into())).unwrap_err();
}

#[test]
fn a_full_disk_undoes_the_batch_that_found_it() {
    let folder = Folder::new("full");
    let database = block_on(Sqlite::open(folder.file())).unwrap();
    block_on(database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n)".into())).unwrap();
    block_on(database.all("PRAGMA max_page_count = 20".into())).unwrap();
    let small = InSmallBatches(database.clone(), |_: &Sqlite| {});
    let error = block_on(table().insert(&small, rows(1_000))).unwrap_err();
    assert_eq!(error.error.kind(), SqlErrorKind::TooLarge, "{error}");
    assert!(error.done.len() >= 50, "{error}");
    assert_eq!(error.done.len() % 50, 0);
    assert!(error.unknown.is_empty());
    let ids: Vec<usize> = block_on(database.all_as("SELECT id FROM t ORDER BY id".into())).unwrap();
    assert!(ids.into_iter().eq(error.done.clone()), "{error}");
    let delete = block_on(table().delete(&database, [0, 1])).unwrap();
    assert_eq!(
        delete.rows_changed, 2,
        "the next runs outside of its transaction"
    );
}

#[test]
fn what_is_written_before_another_locks_the_file_is_told() {
    let folder = Folder::new("lock");
    let options = SqliteOptions::new().with_busy_timeout(Duration::ZERO);
    let database = block_on(options.open(folder.file())).unwrap();
    block_on(database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n)".into())).unwrap();
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    let sent = std::cell::Cell::new(0);
    let small = InSmallBatches(database.clone(), |_: &Sqlite| {
        sent.set(sent.get() + 1);
        if sent.get() == 4 {
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
        }
    });
    let error = block_on(table().insert(&small, rows(1_000))).unwrap_err();
    assert_eq!(error.error.kind(), SqlErrorKind::Overloaded, "{error}");
    assert_eq!((error.done.clone(), sent.get()), (0..150, 4));
    checked(&database, &error);
    other.execute_batch("ROLLBACK").unwrap();
    block_on(table().upsert(&database, rows(1_000))).unwrap();
}

#[test]
fn nothing_is_written_to_what_must_not_be_written() {
    let folder = Folder::new("read-only");
    let database = block_on(Sqlite::open(folder.file())).unwrap();
    block_on(database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n)".into())).unwrap();
    block_on(database.run("PRAGMA query_only = ON".into())).unwrap();
    let error = block_on(table().insert(&database, rows(10))).unwrap_err();
    assert_eq!(error.error.fate(), Fate::NotDone, "{error}");
    checked(&database, &error);
    let error = block_on(database.run("DELETE FROM t".into())).unwrap_err();
    assert_eq!(error.fate(), Fate::NotDone, "{error}");
}

#[test]
fn a_write_whose_row_cannot_be_read_is_done_only_if_it_is_committed() {
    let database = block_on(Sqlite::open_in_memory()).unwrap();
    let tables = [
        "CREATE TABLE owners (id INTEGER PRIMARY KEY)",
        "CREATE TABLE repos (id INTEGER PRIMARY KEY, owner REFERENCES owners DEFERRABLE INITIALLY DEFERRED)",
    ];
    block_on(database.batch(tables.map(Statement::new).into())).unwrap();
    let count = || block_on(text(&database, "SELECT count(*) FROM repos"));
    let insert = |owner: &str| {
        format!("INSERT INTO repos (owner) VALUES ({owner}) RETURNING CAST(x'ff' AS TEXT) AS t")
    };
    let refused = block_on(database.all(insert("7").into())).unwrap_err();
    assert_eq!(
        (refused.fate(), &*count()),
        (Fate::NotDone, "Integer(0)"),
        "{refused}"
    );
    let unread = block_on(database.all(insert("NULL").into())).unwrap_err();
    assert_eq!(
        (unread.fate(), &*count()),
        (Fate::Done, "Integer(1)"),
        "{unread}"
    );
}

/// Dropped after any number of statements: nothing of it is left open, and it is done or not done.
#[test]
fn a_batch_that_is_dropped_is_whole_and_leaves_no_transaction() {
    let folder = Folder::new("dropped");
    let database = block_on(Sqlite::open(folder.file())).unwrap();
    block_on(database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n)".into())).unwrap();
    for round in 0..50_i64 {
        let insert = |n: i64| {
            Statement::new("INSERT INTO t VALUES (?, ?)")
                .bind(round * 100 + n)
                .bind(round)
        };
        {
            let mut batch = pin!(database.batch((0..20).map(insert).collect()));
            begun(batch.as_mut());
            (0..round % 5).for_each(|_| std::thread::yield_now());
        }
        let counts = "SELECT count(*) AS c FROM t GROUP BY n";
        let counts: Vec<i64> = block_on(database.all_as(counts.into())).unwrap();
        assert!(counts.iter().all(|&count| count == 20), "{counts:?}");
    }
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").unwrap();
}

#[test]
fn a_file_that_is_no_database_any_more_is_an_error_and_no_panic() {
    let folder = Folder::new("corrupt");
    let database = block_on(Sqlite::open(folder.file())).unwrap();
    block_on(database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n)".into())).unwrap();
    block_on(table().insert(&database, rows(1_000))).unwrap();
    block_on(database.all("PRAGMA wal_checkpoint(TRUNCATE)".into())).unwrap();
    drop(database);
    let length = std::fs::metadata(folder.file()).unwrap().len();
    let mut bytes = std::fs::read(folder.file()).unwrap();
    bytes[5_000..usize::try_from(length).unwrap()].fill(7);
    std::fs::write(folder.file(), bytes).unwrap();
    let Ok(database) = block_on(Sqlite::open(folder.file())) else {
        return;
    };
    let error = block_on(table().insert(&database, rows(2_000))).unwrap_err();
    assert!(
        matches!(
            error.error.kind(),
            SqlErrorKind::Other | SqlErrorKind::Constraint
        ),
        "{error}"
    );
    assert!(block_on(database.all("SELECT sum(length(n)) FROM t".into())).is_err());
}
