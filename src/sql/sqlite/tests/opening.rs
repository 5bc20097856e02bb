//! Files that are opened: by many at once, with odd options, of odd kinds.

use super::*;

/// Setting WAL takes a lock that SQLite does not wait for.
#[test]
fn first_opens_of_one_file_at_once_all_succeed() {
    for round in 0..20 {
        let folder = Folder::new(&format!("opens-{round}"));
        let at_once = std::sync::Arc::new(std::sync::Barrier::new(16));
        let open = || {
            let (file, at_once) = (folder.file(), std::sync::Arc::clone(&at_once));
            move || {
                at_once.wait();
                let database = block_on(Sqlite::open(file))?;
                block_on(database.run("CREATE TABLE IF NOT EXISTS t (n)".into()))?;
                block_on(database.run("INSERT INTO t VALUES (1)".into()))
            }
        };
        let threads: Vec<_> = (0..16).map(|_| std::thread::spawn(open())).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
        let database = block_on(Sqlite::open(folder.file())).unwrap();
        assert_eq!(
            block_on(text(&database, "SELECT count(*) FROM t")),
            "Integer(16)"
        );
        assert_eq!(
            block_on(text(&database, "PRAGMA journal_mode")),
            r#"Text("wal")"#
        );
    }
}

/// The last to close removes the log while the next to open makes it.
#[test]
fn a_file_that_is_closed_and_opened_all_the_time_stays_usable() {
    let folder = Folder::new("churn");
    block_on(
        block_on(Sqlite::open(folder.file()))
            .unwrap()
            .run("CREATE TABLE t (n)".into()),
    )
    .unwrap();
    let churn = || {
        let file = folder.file();
        move || -> Result<(), SqlError> {
            for _ in 0..25 {
                let database = block_on(Sqlite::open(&file))?;
                block_on(database.run("INSERT INTO t VALUES (1)".into()))?;
            }
            Ok(())
        }
    };
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(churn())).collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    let database = block_on(Sqlite::open(folder.file())).unwrap();
    assert_eq!(
        block_on(text(&database, "SELECT count(*) FROM t")),
        "Integer(200)"
    );
}

/// A file in another mode, which another program holds: it is waited for, and then it is overloaded.
#[test]
fn a_file_that_another_program_holds_is_waited_for() {
    for (n, hold) in [
        "BEGIN; SELECT * FROM t",
        "BEGIN IMMEDIATE",
        "BEGIN EXCLUSIVE",
    ]
    .into_iter()
    .enumerate()
    {
        let folder = Folder::new(&format!("held-{n}"));
        let other = rusqlite::Connection::open(folder.file()).unwrap();
        other
            .execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (1)")
            .unwrap();
        other.execute_batch(hold).unwrap();
        let options = SqliteOptions::new().with_busy_timeout(Duration::from_millis(50));
        let opened = block_on(options.open(folder.file()));
        let kind = opened.err().map(|error| error.kind());
        assert_eq!(kind, Some(SqlErrorKind::Overloaded), "{hold}");
        let file = folder.file();
        let patient = std::thread::spawn(move || block_on(Sqlite::open(file)));
        // Whether it waits already or not.
        std::thread::yield_now();
        other.execute_batch("ROLLBACK").unwrap();
        let database = patient.join().unwrap().unwrap();
        let mode = block_on(text(&database, "PRAGMA journal_mode"));
        assert_eq!(mode, r#"Text("wal")"#, "{hold}");
    }
}

#[test]
fn no_busy_timeout_is_too_long_or_too_short() {
    let folder = Folder::new("timeouts");
    for (timeout, told) in [
        (Duration::MAX, "Integer(2147483647)"),
        (Duration::from_secs(3_000_000), "Integer(2147483647)"),
        (Duration::from_nanos(1), "Integer(1)"),
        (Duration::ZERO, "Integer(0)"),
    ] {
        let options = SqliteOptions::new().with_busy_timeout(timeout);
        let database = block_on(options.open(folder.file())).unwrap();
        assert_eq!(block_on(text(&database, "PRAGMA busy_timeout")), told);
    }
}

/// SQLite takes an empty path for a file of its own that is removed when it is closed.
#[test]
fn an_empty_path_is_no_file() {
    let error = block_on(Sqlite::open("")).unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Other);
    assert!(error.message().contains("path"), "{error}");
    assert!(block_on(Sqlite::open("a\0b")).is_err());
}
