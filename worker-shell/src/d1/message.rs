//! What D1 says when it fails: the same for `run`, `first`, `all` and `batch`.

use tower_egress::sql::{
    SqlError,
    SqlErrorKind::{
        self, ConnectionLost, Constraint, InvalidStatement, Other, Overloaded, TimedOut, TooLarge,
    },
    Statement,
};

/// The beginnings of SQLite's result codes.
const CODES: [(&str, SqlErrorKind); 11] = [
    ("SQLITE_CONSTRAINT", Constraint),
    ("SQLITE_MISMATCH", Constraint),
    ("SQLITE_TOOBIG", TooLarge),
    ("SQLITE_FULL", TooLarge),
    ("SQLITE_INTERRUPT", TimedOut),
    ("SQLITE_NOMEM", TimedOut),
    ("SQLITE_ERROR", InvalidStatement),
    ("SQLITE_AUTH", InvalidStatement),
    ("SQLITE_RANGE", InvalidStatement),
    ("SQLITE_MISUSE", InvalidStatement),
    ("SQLITE_READONLY", InvalidStatement),
];

/// Parts of D1's own messages.
///
/// Its [list](https://developers.cloudflare.com/d1/observability/debug-d1/#error-list) also says which of them to
/// retry: they are [`ConnectionLost`] here, and nothing else is.
const PARTS: [(&str, SqlErrorKind); 14] = [
    // "D1 DB storage operation exceeded timeout which caused object to be reset."
    ("exceeded timeout", TimedOut),
    // "D1 DB's isolate exceeded its memory limit and was reset."
    ("exceeded its memory", TimedOut),
    ("exceeded its CPU", TimedOut),
    ("is overloaded", Overloaded),
    ("Network connection lost", ConnectionLost),
    ("storage caused object to be reset", ConnectionLost),
    ("reset because its code was updated", ConnectionLost),
    ("due to transient issue on remote node", ConnectionLost),
    ("because client disconnected", ConnectionLost),
    ("D1_TYPE_ERROR", InvalidStatement),
    ("Wrong number of parameter", InvalidStatement),
    ("No SQL statements detected", InvalidStatement),
    ("did not contain a statement", InvalidStatement),
    // What BEGIN and SAVEPOINT are answered with.
    ("To execute a transaction", InvalidStatement),
];

fn kind(message: &str) -> SqlErrorKind {
    let of = |table: &[(&str, SqlErrorKind)], has: &dyn Fn(&str) -> bool| {
        let found = table.iter().find(|(part, _)| has(part));
        found.map(|&(_, kind)| kind)
    };
    // Where there is a code it comes last, and it alone counts: what is before may quote anything.
    match message.rfind("SQLITE_") {
        Some(at) => match of(&CODES, &|code| message[at..].starts_with(code)) {
            // This limit has no code of its own.
            Some(InvalidStatement) if message.starts_with("too many SQL variables") => TooLarge,
            kind => kind.unwrap_or(Other),
        },
        None => of(&PARTS, &|part| message.contains(part)).unwrap_or(Other),
    }
}

/// Reads what was thrown.
pub(super) fn read(thrown: &str, statements: &[Statement]) -> SqlError {
    let message = thrown.strip_prefix("D1_ERROR: ").unwrap_or(thrown);
    SqlError::of_database(kind(message), message, statements)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_d1_says_is_sorted() {
        for (thrown, expected) in [
            (
                "D1_ERROR: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT",
                Constraint,
            ),
            (
                "D1_ERROR: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
                Constraint,
            ),
            (
                "D1_ERROR: near \"FORM\": syntax error at offset 9: SQLITE_ERROR",
                InvalidStatement,
            ),
            (
                "D1_ERROR: no such column: is overloaded, Network connection lost, SQLITE_FULL: SQLITE_ERROR",
                InvalidStatement,
            ),
            ("D1_ERROR: string or blob too big: SQLITE_TOOBIG", TooLarge),
            (
                "D1_ERROR: too many SQL variables at offset 430: SQLITE_ERROR",
                TooLarge,
            ),
            ("D1_ERROR: statement too long: SQLITE_TOOBIG", TooLarge),
            (
                "D1_TYPE_ERROR: Type 'bigint' not supported",
                InvalidStatement,
            ),
            ("D1_ERROR: Network connection lost.", ConnectionLost),
            (
                "D1_ERROR: D1 DB reset because its code was updated.",
                ConnectionLost,
            ),
            (
                "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
                ConnectionLost,
            ),
            (
                "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
                ConnectionLost,
            ),
            (
                "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
                ConnectionLost,
            ),
            (
                "D1_ERROR: Can't read from request stream because client disconnected.",
                ConnectionLost,
            ),
            (
                "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
                TimedOut,
            ),
            (
                "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
                Overloaded,
            ),
            (
                "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
                TimedOut,
            ),
            (
                "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
                TimedOut,
            ),
            ("D1_ERROR: Something went wrong", Other),
            ("database.prepare is not a function", Other),
            ("", Other),
        ] {
            let error = read(thrown, &[]);
            assert_eq!(error.kind(), expected, "{thrown}");
            assert_eq!(error.is_retryable(), expected == ConnectionLost, "{thrown}");
            assert!(!error.message().starts_with("D1_ERROR"), "{error}");
        }
    }
}
