//! The thread that owns a connection.

use super::{Sqlite, connection::Connection};
use crate::sql::{Outcome, SqlError, SqlErrorKind, Statement};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, Receiver},
    thread,
};
use tokio::sync::oneshot;

/// What is asked of the thread.
#[derive(Debug)]
pub(super) enum Ask {
    Run(Statement),
    First(Statement),
    All(Statement),
    Batch(Vec<Statement>),
    /// Waits, and then panics in a transaction.
    #[cfg(test)]
    Panic(Receiver<()>),
}

/// What is asked, and where the answer goes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) ask: Ask,
    pub(super) reply: oneshot::Sender<Result<Vec<Outcome>, SqlError>>,
}

/// Starts a thread that opens a connection.
pub(super) async fn start(
    open: impl FnOnce() -> Result<Connection, SqlError> + Send + 'static,
) -> Result<Sqlite, SqlError> {
    let (jobs, received) = mpsc::channel();
    let (opened, answer) = oneshot::channel();
    let main = move || match open() {
        Ok(connection) => {
            // If nobody waits any more there is no handle either, and the work ends at once.
            let _ = opened.send(Ok(connection.limits()));
            work(connection, &received);
        }
        Err(error) => {
            let _ = opened.send(Err(error));
        }
    };
    let failed = |message| SqlError::new(SqlErrorKind::Other, message);
    let started = thread::Builder::new().name("sqlite".to_owned()).spawn(main);
    started.map_err(|error| failed(format!("no thread can be started: {error}")))?;
    let limits = answer
        .await
        .map_err(|_| failed("opening it panicked".to_owned()))??;
    Ok(Sqlite { jobs, limits })
}

/// Carries out what is sent, until nobody can send any more.
fn work(mut connection: Connection, jobs: &Receiver<Job>) {
    while let Ok(Job { ask, reply }) = jobs.recv() {
        if reply.is_closed() {
            continue;
        }
        let done = catch_unwind(AssertUnwindSafe(|| answer(&mut connection, ask)));
        let answer = done.unwrap_or_else(|_| {
            connection.recover();
            Err(SqlError::new(SqlErrorKind::Other, "the statement panicked"))
        });
        // Whoever asked may have gone meanwhile.
        let _ = reply.send(answer);
    }
}

fn answer(connection: &mut Connection, ask: Ask) -> Result<Vec<Outcome>, SqlError> {
    match ask {
        Ask::Run(statement) => connection.run(&statement, 0),
        Ask::First(statement) => connection.run(&statement, 1),
        Ask::All(statement) => connection.run(&statement, usize::MAX),
        Ask::Batch(statements) => return connection.batch(&statements),
        #[cfg(test)]
        Ask::Panic(when) => {
            let _ = when.recv();
            connection.panic()
        }
    }
    .map(|outcome| vec![outcome])
}
