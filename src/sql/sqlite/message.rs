//! What SQLite says when it fails, sorted as D1's messages are.

use crate::sql::{
    SqlError,
    SqlErrorKind::{self, Constraint, InvalidStatement, Other, Overloaded, TimedOut, TooLarge},
    Statement,
};
use rusqlite::{Error, ffi};

fn kind(code: std::ffi::c_int, message: &str) -> SqlErrorKind {
    // The lowest byte is the code, the others say more.
    match code & 0xff {
        ffi::SQLITE_CONSTRAINT | ffi::SQLITE_MISMATCH => Constraint,
        ffi::SQLITE_TOOBIG | ffi::SQLITE_FULL => TooLarge,
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Overloaded,
        ffi::SQLITE_INTERRUPT | ffi::SQLITE_NOMEM => TimedOut,
        // This limit has no code of its own.
        ffi::SQLITE_ERROR if message.starts_with("too many SQL variables") => TooLarge,
        ffi::SQLITE_ERROR | ffi::SQLITE_AUTH | ffi::SQLITE_RANGE | ffi::SQLITE_MISUSE => {
            InvalidStatement
        }
        // Surely it was not written.
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM => InvalidStatement,
        _ => Other,
    }
}

/// Reads an error.
pub(super) fn read(error: &Error, statements: &[Statement]) -> SqlError {
    let (code, message) = match error {
        Error::SqliteFailure(error, Some(message)) => (error.extended_code, message.clone()),
        Error::SqliteFailure(error, None) => (error.extended_code, error.to_string()),
        // Its text has the SQL.
        Error::SqlInputError { error, msg, .. } => (error.extended_code, msg.clone()),
        error => (ffi::SQLITE_INTERNAL, error.to_string()),
    };
    SqlError::of_database(kind(code, &message), &message, statements)
}
