use super::*;
use std::{
    path::PathBuf,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tower_egress::sql::DatabaseExt;

/// A file of a test's own, gone when it is over.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let file = format!("repo-scanner-pool-{name}-{}.db", std::process::id());
        Self(std::env::temp_dir().join(file))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

/// A read that takes seconds, and a thousand times what anything else here takes.
fn slow() -> Statement {
    "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 1000000) SELECT count(*) FROM n"
        .into()
}

fn is_pending(future: std::pin::Pin<&mut impl Future>) -> bool {
    let polled = future.poll(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Pending)
}

fn on_pool<F: Future>(name: &str, readers: usize, test: impl FnOnce(Pool, Pool) -> F) {
    let file = File::new(name);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let pool = Pool::open(&file.0, SqliteOptions::new()).await.unwrap();
        pool.run("CREATE TABLE a (b INTEGER)".into()).await.unwrap();
        let other = pool.with_readers(&file.0, readers).await.unwrap();
        test(pool, other).await;
    });
}

#[test]
fn whoever_reads_slowly_is_in_the_way_of_no_write_and_of_no_other_reader() {
    on_pool("slow", 2, async |pool: Pool, readers: Pool| {
        let mut slowly = pin!(readers.first(slow()));
        assert!(is_pending(slowly.as_mut()));
        for written in 1..=3 {
            let insert = Statement::new("INSERT INTO a VALUES (1)");
            readers.run(insert.clone()).await.unwrap();
            readers.batch(vec![insert]).await.unwrap();
            let count = || Statement::new("SELECT count(*) FROM a");
            for handle in [&pool, &readers] {
                let seen: Option<i64> = handle.first_as(count()).await.unwrap();
                assert_eq!(seen, Some(2 * written), "what is written is seen by all");
            }
        }
        assert!(is_pending(slowly.as_mut()), "the slow one was waited for");
        slowly.await.unwrap();
    });
}

/// Its connection is at it all the same, and whoever reads next would wait for it.
#[test]
fn what_was_given_up_is_under_way_until_it_is_done() {
    on_pool("given-up", 2, async |_, readers: Pool| {
        {
            let mut slowly = pin!(readers.first(slow()));
            assert!(is_pending(slowly.as_mut()));
            // One that has not begun is not run.
            for _ in 0..100 {
                readers.first("SELECT 1".into()).await.unwrap();
            }
        }
        let under_way = || {
            let readers = readers.readers.iter();
            let counts = readers.map(|reader| reader.under_way.load(Relaxed));
            counts.collect::<Vec<_>>()
        };
        for _ in 0..10 {
            let one: Option<i64> = readers.first_as("SELECT 1".into()).await.unwrap();
            assert_eq!(one, Some(1));
        }
        assert_eq!(under_way(), [1, 0], "nobody else had to wait");
        // Behind it on its own connection.
        let first = &readers.readers[0].connection;
        first.first("SELECT 1".into()).await.unwrap();
        first.first("SELECT 1".into()).await.unwrap();
        while under_way() != [0, 0] {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn what_may_write_goes_to_the_one_connection_that_does() {
    on_pool("writes", 1, async |_, readers: Pool| {
        let insert = "INSERT INTO a VALUES (7) RETURNING b";
        let one: Option<i64> = readers.first_as(insert.into()).await.unwrap();
        assert_eq!(one, Some(7));
        let all: Vec<i64> = readers.all_as(insert.into()).await.unwrap();
        assert_eq!(all, [7]);
        let reader = &readers.readers[0].connection;
        assert!(reader.run(insert.into()).await.is_err(), "it only reads");
    });
}
