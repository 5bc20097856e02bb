//! Statements as they go to JavaScript.

use serde::{Serialize, Serializer};
use std::borrow::Cow;
use tower_egress::sql::{SqlError, SqlErrorKind, Statement, Token, TokenKind, Tokens, Value};

/// <https://developers.cloudflare.com/d1/platform/limits/>
const MAX_VALUES: usize = 100;
const MAX_SQL: usize = 100_000;
const MAX_VALUE: usize = 2_000_000;

/// Statements in a form that crosses at once.
#[derive(Debug)]
pub(super) struct Packed {
    /// Of each statement its SQL and its values; a blob is an array with its length.
    pub(super) text: String,
    /// The bytes of all blobs.
    pub(super) bytes: Vec<u8>,
}

#[derive(Serialize)]
struct One<'a>(Cow<'a, str>, Vec<Cell<'a>>);

struct Cell<'a>(&'a Value);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            // A number of JavaScript would be a real one.
            Value::Integer(integer) => serializer.collect_str(integer),
            Value::Real(real) => serializer.serialize_f64(*real),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Blob(bytes) => [bytes.len()].serialize(serializer),
        }
    }
}

impl Packed {
    pub(super) fn new(statements: &[Statement]) -> Result<Self, SqlError> {
        let ones = statements.iter().enumerate().map(|(index, statement)| {
            one(statement).map_err(|error| match statements {
                [_] => error,
                _ => error.with_statement(index),
            })
        });
        let ones: Vec<One<'_>> = ones.collect::<Result<_, _>>()?;
        let text = serde_json::to_string(&ones)
            .map_err(|error| SqlError::new(SqlErrorKind::Other, error.to_string()))?;
        let mut bytes = Vec::new();
        for value in statements.iter().flat_map(Statement::values) {
            if let Value::Blob(blob) = value {
                bytes.extend_from_slice(blob);
            }
        }
        Ok(Self { text, bytes })
    }
}

fn one(statement: &Statement) -> Result<One<'_>, SqlError> {
    let values = statement.values();
    if values.len() > MAX_VALUES {
        let message = format!("{} values, and D1 takes {MAX_VALUES}", values.len());
        return Err(SqlError::new(SqlErrorKind::TooLarge, message));
    }
    values
        .iter()
        .zip(1..)
        .try_for_each(|(value, n)| check(value, n))?;
    check_sql(statement.sql())?;
    let sql = with_casts(statement.sql(), values)?;
    if sql.len() > MAX_SQL {
        let message = format!("{} bytes of SQL, and D1 takes {MAX_SQL}", sql.len());
        return Err(SqlError::new(SqlErrorKind::TooLarge, message));
    }
    Ok(One(sql, values.iter().map(Cell).collect()))
}

fn check(value: &Value, n: usize) -> Result<(), SqlError> {
    let length = match value {
        Value::Real(real) if !real.is_finite() => {
            return Err(invalid(format!(
                "the value {n} is NaN or infinite, for which D1 would store NULL"
            )));
        }
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    };
    if length > MAX_VALUE {
        let message = format!("the value {n} has {length} bytes, and D1 takes {MAX_VALUE}");
        return Err(SqlError::new(SqlErrorKind::TooLarge, message));
    }
    Ok(())
}

fn invalid(message: impl Into<Box<str>>) -> SqlError {
    SqlError::new(SqlErrorKind::InvalidStatement, message)
}

/// Refuses what would run in part only, or not as it reads.
fn check_sql(sql: &str) -> Result<(), SqlError> {
    // SQLite would stop there.
    if sql.contains('\0') {
        return Err(invalid("there is U+0000 in the SQL"));
    }
    let mut tokens = Tokens::new(sql)
        .filter(|token| token.kind != TokenKind::Space)
        .peekable();
    let mut next_is = |words: &[&str]| {
        let is = |token: &Token<'_>| words.iter().any(|w| token.text.eq_ignore_ascii_case(w));
        tokens.next_if(is).is_some()
    };
    // The body of a trigger has semicolons of its own.
    if next_is(&["CREATE"]) {
        next_is(&["TEMP", "TEMPORARY"]);
        if next_is(&["TRIGGER"]) {
            // It ends with a semicolon and END.
            let mut last = TokenKind::Other;
            for token in tokens.by_ref() {
                let is_end = last == TokenKind::Semicolon && token.text.eq_ignore_ascii_case("END");
                last = token.kind;
                if is_end {
                    break;
                }
            }
        }
    }
    let mut rest = tokens.skip_while(|token| token.kind != TokenKind::Semicolon);
    if rest.any(|token| token.kind != TokenKind::Semicolon) {
        return Err(invalid("there is more than one statement: make a batch"));
    }
    Ok(())
}

/// Makes integers of the texts that integers are sent as, and checks that each placeholder has a value and the other
/// way round.
///
/// An expression `CAST(…)` compares like a column of its type, so that a column of texts would be converted for it
/// and its index of no use. A value compares as it is, and so does what a `+` stands before. The parentheses are for
/// what binds tighter than the `+`.
fn with_casts<'a>(sql: &'a str, values: &[Value]) -> Result<Cow<'a, str>, SqlError> {
    let casts = values
        .iter()
        .any(|value| matches!(value, Value::Integer(_)));
    let mut cast = String::new();
    let mut last = 0_usize;
    for token in Tokens::new(sql) {
        if token.kind == TokenKind::NamedPlaceholder {
            let message = format!("D1 has no named placeholders, as {} is one", token.text);
            return Err(invalid(message));
        }
        if token.kind != TokenKind::Placeholder {
            if casts {
                cast.push_str(token.text);
            }
            continue;
        }
        // By itself `?` is one more than the highest so far.
        let number = match &token.text[1..] {
            "" => last.saturating_add(1),
            digits => digits.parse().unwrap_or(usize::MAX),
        };
        let Some(value) = number.checked_sub(1).and_then(|index| values.get(index)) else {
            return Err(invalid(format!(
                "there is no value for the placeholder {}, of {} values",
                token.text,
                values.len()
            )));
        };
        last = last.max(number);
        if casts {
            cast.push_str(&match value {
                Value::Integer(_) => format!("(+CAST(?{number} AS INTEGER))"),
                _ => format!("?{number}"),
            });
        }
    }
    if last < values.len() {
        let message = format!("{} values for {last} placeholders", values.len());
        return Err(invalid(message));
    }
    Ok(if casts { cast.into() } else { sql.into() })
}

#[cfg(test)]
mod tests;
