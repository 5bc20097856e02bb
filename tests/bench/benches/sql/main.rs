//! What 10,000 rows cost on SQLite, in a file: one by one, and at once; see the README.

mod ways;

use self::ways::{As, ROWS, one_by_one, repo, statement, table};
use egress_time::{Clock, TokioTimer};
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    time::Duration,
};
use tower_egress::sql::{
    Database, Limits, Packing, SqlError,
    sqlite::{Sqlite, SqliteOptions},
};

/// A file that is gone with it.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    // `cargo test --benches` wants to see that it works.
    let (rows, rounds) = if has("--bench") && !has("--quick") {
        (ROWS, 7)
    } else {
        (200, 1)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime needs nothing but memory");
    let file =
        File(std::env::temp_dir().join(format!("tower-egress-bench-{}.db", std::process::id())));
    runtime
        .block_on(measure(&file.0, rows, rounds))
        .expect("the database works");
}

/// The least of some rounds, in milliseconds.
#[derive(Clone, Copy)]
struct Cost(f64);

async fn timed<T>(work: impl Future<Output = Result<T, SqlError>>) -> Result<f64, SqlError> {
    let timer = TokioTimer::new();
    let began = timer.now();
    work.await?;
    let took: Duration = timer.now() - began;
    Ok(took.as_secs_f64() * 1_000.0)
}

async fn measure(path: &Path, rows: i64, rounds: usize) -> Result<(), SqlError> {
    let durable = Sqlite::open(path).await?;
    durable.run(ways::TABLE.into()).await?;
    let fast = SqliteOptions::new().with_durable(false).open(path).await?;
    let ways: [(&str, Limits); 2] = [
        ("(a) multi-row statements", Limits::SQLITE),
        (
            "(b) one JSON parameter",
            Limits::SQLITE.with_packing(Packing::Json),
        ),
    ];
    println!(
        "{rows} rows of 7 columns, SQLite in a file, WAL: milliseconds, the least of {rounds}; and how many times faster\n"
    );
    for operation in ["insert", "update", "select"] {
        let singly = statement(operation);
        let prepare = async || -> Result<(), SqlError> {
            if operation == "insert" {
                fast.run("DELETE FROM repos".into()).await?;
            }
            fast.run("PRAGMA wal_checkpoint(TRUNCATE)".into())
                .await
                .map(|_| ())
        };
        // What is sent is made while it is timed, whichever way.
        let all = || (0..rows).map(|n| singly(n, operation == "update"));
        let mut costs: Vec<(&str, Cost)> = Vec::new();
        let mut add = |name, cost: f64| match costs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, least)) => least.0 = least.0.min(cost),
            None => costs.push((name, Cost(cost))),
        };
        for round in 0..rounds {
            // A write waits for the disk 10,000 times, so once is enough; what is read waits for nothing, and once is luck.
            if round == 0 || operation == "select" {
                prepare().await?;
                add("one by one", timed(one_by_one(&durable, all())).await?);
            }
            prepare().await?;
            add(
                "one by one, not durable",
                timed(one_by_one(&fast, all())).await?,
            );
            prepare().await?;
            add(
                "one by one, in one batch",
                timed(async { durable.batch(all().collect()).await }).await?,
            );
            for (name, limits) in ways {
                prepare().await?;
                let database = As(durable.clone(), limits);
                add(name, timed(at_once(&database, operation, rows)).await?);
            }
        }
        print(operation, &costs);
    }
    Ok(())
}

async fn at_once(database: &As, operation: &str, rows: i64) -> Result<(), SqlError> {
    let repos = || (0..rows).map(|n| repo(n, operation == "update"));
    let written = match operation {
        "insert" => table().insert(database, repos()).await,
        "update" => table().update(database, repos()).await,
        _ => {
            let read: Vec<ways::Repo> = table().select(database, 0..rows).await?;
            assert_eq!(i64::try_from(read.len()), Ok(rows));
            return Ok(());
        }
    };
    let written = written.map_err(|error| error.error)?;
    assert_eq!(i64::try_from(written.rows_changed), Ok(rows));
    Ok(())
}

fn print(operation: impl Display, costs: &[(&str, Cost)]) {
    println!(
        "{operation:<28}{:>10}{:>16}{:>16}{:>16}",
        "ms", "one by one", "not durable", "in one batch"
    );
    for (name, cost) in costs {
        print!("  {name:<26}{:>10.2}", cost.0);
        for (_, other) in &costs[..3] {
            print!("{:>16.1}", other.0 / cost.0);
        }
        println!();
    }
    println!();
}
