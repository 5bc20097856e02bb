//! Statements as they go to JavaScript.

use serde::{Serialize, Serializer};
use std::borrow::Cow;
use tower_egress::sql::{Limits, SqlError, SqlErrorKind, Statement, TokenKind, Tokens, Value};

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
    pub(super) fn new(statements: &[Statement], limits: &Limits) -> Result<Self, SqlError> {
        let ones = statements.iter().enumerate().map(|(index, statement)| {
            one(statement, limits).map_err(|error| match statements {
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

fn one<'a>(statement: &'a Statement, limits: &Limits) -> Result<One<'a>, SqlError> {
    let values = statement.values();
    let sql = with_casts(statement.check(limits)?, values)?;
    if sql.len() > limits.sql_bytes {
        let (has, takes) = (sql.len(), limits.sql_bytes);
        let message = format!("{has} bytes of SQL with its casts, and D1 takes {takes}");
        return Err(SqlError::new(SqlErrorKind::TooLarge, message));
    }
    Ok(One(sql, values.iter().map(Cell).collect()))
}

fn invalid(message: impl Into<Box<str>>) -> SqlError {
    SqlError::new(SqlErrorKind::InvalidStatement, message)
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
            let message = format!("placeholders have no names, as {} is one", token.text);
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
