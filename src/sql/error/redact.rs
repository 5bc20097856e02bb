//! What a database says, without the values that were bound.

use super::SqlErrorKind;
use crate::sql::{Statement, Value, real::real, transaction};

/// The shortest text that is taken out wherever it stands; shorter ones are parts of words.
const TELLING: usize = 4;

/// What a full-text query is answered with, which names parts of it up to the end of the message.
const NAMING: [&str; 7] = [
    "no such column: ",
    "no such function: ",
    "unknown special query: ",
    "unknown tokenizer: ",
    "malformed MATCH expression: ",
    "parse error in rank function: ",
    "unrecognized matchinfo request: ",
];

/// What SQLite adds to a name in double quotes.
const HINT: &str = " - should this be a string literal in single-quotes?";

/// How SQLite names the tables, columns and rules of a constraint; there is no value in it.
const OF_SCHEMA: [&str; 6] = [
    "UNIQUE constraint failed: ",
    "NOT NULL constraint failed: ",
    "CHECK constraint failed: ",
    "FOREIGN KEY constraint failed",
    "cannot store ",
    "datatype mismatch",
];

/// Takes out what was bound.
pub(super) fn redact(kind: SqlErrorKind, message: &str, statements: &[Statement]) -> String {
    let in_sql = |part: &str| statements.iter().any(|s| s.sql().contains(part));
    // Whatever was bound, it must not hide which guard it was.
    if let Some(guard) = transaction::marked(message).filter(|guard| in_sql(guard)) {
        return guard.to_owned();
    }
    if kind == SqlErrorKind::Constraint && is_of_schema(message) {
        return message.to_owned();
    }
    let values = || statements.iter().flat_map(Statement::values);
    let mut texts: Vec<&str> = values().filter_map(text).collect();
    // First: a message is short, and there may be thousands of values and statements.
    texts.retain(|text| text.chars().count() >= TELLING && message.contains(text) && !in_sql(text));
    let mut message = without_texts(message, texts);
    if is_of_trigger(kind, &message) {
        return of_trigger(&message, values());
    }
    for naming in NAMING {
        if let Some((head, name)) = message.split_once(naming) {
            let (name, tail) = name.split_at(length_of_name(name));
            if !in_sql(name) {
                message = format!("{head}{naming}…{tail}");
            }
        }
    }
    without_quoted(&message, in_sql)
}

/// Returns how long the name is that the rest of a message begins with. It may hold anything; what is behind it is
/// SQLite's hint, or D1's place and code.
fn length_of_name(rest: &str) -> usize {
    let Some((name, _)) = rest.rsplit_once(": SQLITE_") else {
        return rest.strip_suffix(HINT).unwrap_or(rest).len();
    };
    let place = name.rsplit_once(" at offset ");
    let place = place.filter(|(_, offset)| offset.bytes().all(|byte| byte.is_ascii_digit()));
    let name = place.map_or(name, |(name, _)| name);
    name.strip_suffix(HINT).unwrap_or(name).len()
}

/// Takes out what is quoted and stands in no SQL.
fn without_quoted(message: &str, in_sql: impl Fn(&str) -> bool) -> String {
    let mut redacted = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at(at);
        let (quote, after) = quoted.split_at(1);
        redacted.extend([before, quote]);
        rest = after;
        // Not an apostrophe, as in "the isolate's memory". (What is a letter elsewhere takes two kilobytes to know, and to take
        // out too much is no harm.)
        if !before.ends_with(|c: char| c.is_ascii_alphanumeric())
            && let Some(end) = after.find(quote)
            && (end == 0 || !in_sql(&after[..end]))
        {
            // What is quoted may hold such a quote itself.
            let end = after.rfind(quote).unwrap_or(end);
            redacted.push('…');
            rest = &after[end..];
        }
    }
    redacted + rest
}

/// Takes texts out wherever they stand; the longest first, for another may be a part of it.
fn without_texts(message: &str, texts: Vec<&str>) -> String {
    // Not sorted: the standard library's sorts are much code for an error, and a text is here once.
    let mut longest_first: Vec<&str> = Vec::new();
    for text in texts {
        if !longest_first.contains(&text) {
            let place = longest_first.partition_point(|other| other.len() >= text.len());
            longest_first.insert(place, text);
        }
    }
    longest_first
        .iter()
        .fold(message.to_owned(), |message, text| {
            message.replace(text, "…")
        })
}

fn is_of_schema(message: &str) -> bool {
    OF_SCHEMA.iter().any(|start| message.starts_with(start))
}

/// Tells whether it may be what a trigger says, with RAISE: that may be made of anything.
pub(super) fn is_of_trigger(kind: SqlErrorKind, message: &str) -> bool {
    kind == SqlErrorKind::Constraint && !is_of_schema(message)
}

/// Takes values out of what a trigger says: short ones where they are a word, and numbers that are equal.
pub(super) fn of_trigger<'a>(message: &str, values: impl Iterator<Item = &'a Value>) -> String {
    let mut texts: Vec<&str> = Vec::new();
    let mut numbers: Vec<f64> = Vec::new();
    for value in values {
        if let Some(text) = text(value) {
            if !text.is_empty() && message.contains(text) {
                texts.push(text);
            }
            numbers.extend(real(text.trim()));
        }
        match value {
            Value::Real(number) => numbers.push(*number),
            Value::Integer(integer) => numbers.extend(real(&integer.to_string())),
            _ => {}
        }
    }
    let (long, short): (Vec<&str>, Vec<&str>) = texts
        .iter()
        .partition(|text| text.chars().count() >= TELLING);
    let mut message = without_texts(message, long);
    let mut words: Vec<&str> = Vec::new();
    for word in short {
        if let Err(place) = words.binary_search(&word) {
            words.insert(place, word);
        }
    }
    for word in words {
        message = without_word(&message, word);
    }
    without_numbers(&message, &numbers)
}

/// What SQL makes a text of.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Blob(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn without_word(message: &str, word: &str) -> String {
    let mut redacted = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(word) {
        let (before, from) = rest.split_at(at);
        let after = &from[word.len()..];
        let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_word = !before.ends_with(in_word) && !after.starts_with(in_word);
        redacted.extend([before, if is_word { "…" } else { word }]);
        rest = after;
    }
    redacted + rest
}

/// Takes out the numbers that are equal to any of these, without their signs.
fn without_numbers(message: &str, numbers: &[f64]) -> String {
    let mut redacted = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let (digits, after) = from.split_at(length_of_number(from));
        // A text of a real number has 15 digits.
        let same = |number: f64| number.abs() * 1e-14;
        let is_told = real(digits)
            .is_some_and(|told| numbers.iter().any(|n| (n.abs() - told).abs() <= same(*n)));
        redacted.extend([before, if is_told { "…" } else { digits }]);
        rest = after;
    }
    redacted + rest
}

/// Returns how long the number is that a text begins with: `12`, `1.5`, `1.0e+300`.
fn length_of_number(text: &str) -> usize {
    let digits = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let mut length = digits(text);
    for signs in [&["."][..], &["e+", "e-", "e", "E+", "E-", "E"]] {
        let rest = &text[length..];
        if let Some(tail) = signs.iter().find_map(|sign| rest.strip_prefix(sign))
            && digits(tail) > 0
        {
            length += rest.len() - tail.len() + digits(tail);
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::SqlError;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn no_bound_value_is_told() {
        for (sql, value, message, told) in [
            (
                "SELECT a FROM b WHERE c MATCH ?",
                "pass\"word",
                "fts5: syntax error near \"\"word\"",
                "fts5: syntax error near \"…\"",
            ),
            (
                "SELECT a -> ?",
                "$.token!",
                "bad JSON path: '$.token!'",
                "bad JSON path: '…'",
            ),
            (
                "SELECT a FROM b WHERE c MATCH ?",
                "abc:1",
                "no such column: abc: SQLITE_ERROR",
                "no such column: …: SQLITE_ERROR",
            ),
            (
                "SELECT abc WHERE ?",
                "abc:1",
                "no such column: abc: SQLITE_ERROR",
                "no such column: abc: SQLITE_ERROR",
            ),
            (
                "SELECT a FROM b WHERE b MATCH ?",
                "\"name: 4711\" : x",
                "no such column: name: 4711",
                "no such column: …",
            ),
            (
                "SELECT a FROM b WHERE b MATCH ?",
                "\"name 4711\" : x",
                "no such column: name 4711 at offset 3: SQLITE_ERROR",
                "no such column: … at offset 3: SQLITE_ERROR",
            ),
            (
                "SELECT abc WHERE ?",
                "x",
                "no such column: abc at offset 7: SQLITE_ERROR",
                "no such column: abc at offset 7: SQLITE_ERROR",
            ),
            (
                "SELECT \"abc\" WHERE ?",
                "x",
                "no such column: \"abc\" - should this be a string literal in single-quotes?",
                "no such column: \"abc\" - should this be a string literal in single-quotes?",
            ),
            (
                "SELECT a FROM b WHERE b MATCH ?",
                "*flush: 4711",
                "unknown special query: flush: 4711",
                "unknown special query: …",
            ),
            (
                "SELECT a FROM b WHERE b MATCH '(' || substr(?, 2)",
                "secret",
                "malformed MATCH expression: [(ecret]",
                "malformed MATCH expression: …",
            ),
            (
                "SELECT a FROM b WHERE b MATCH 'x' AND rank MATCH upper(?)",
                "pin(47",
                "parse error in rank function: PIN(47",
                "parse error in rank function: …",
            ),
            ("SELECT ?", "secret", "what secret is it", "what … is it"),
            (
                "SELEC 1",
                "SELEC",
                "near \"SELEC\": syntax error",
                "near \"SELEC\": syntax error",
            ),
            (
                "SELEC 1",
                "x",
                "near \"SELEC\": syntax error",
                "near \"SELEC\": syntax error",
            ),
            (
                "SELECT 1",
                "x",
                "DB's isolate's memory, x",
                "DB's isolate's memory, x",
            ),
            ("SELECT 1", "x", "it says 'no", "it says 'no"),
            ("SELECT 1", "x", "", ""),
        ] {
            let statement = Statement::new(sql).bind(value);
            let error =
                SqlError::of_database(SqlErrorKind::InvalidStatement, message, &[statement]);
            assert_eq!(error.message(), told);
        }
    }

    fn raised(message: &str, values: Vec<Value>) -> String {
        let statement = Statement::new("INSERT INTO t VALUES (?)").bind_all(values);
        let error = SqlError::of_database(SqlErrorKind::Constraint, message, &[statement]);
        error.message().to_owned()
    }

    #[test]
    fn what_a_trigger_says_is_told_without_what_was_bound() {
        for (message, values, told) in [
            ("at most 10 rows", vec![11.into()], "at most 10 rows"),
            ("pin 4711!", vec![4711.into()], "pin …!"),
            ("pin-4711", vec![(-4711).into()], "pin-…"),
            ("is 4711.0 or 47110", vec![4711.into()], "is … or 47110"),
            ("is 1.0e+300.", vec![1e300.into()], "is …."),
            ("is 0.3", vec![(0.1 + 0.2).into()], "is …"),
            ("x, xy, x_1 x", vec!["x".into()], "…, xy, x_1 …"),
            ("no ab", vec![b"ab".into()], "no …"),
            (
                "no secret name",
                vec!["secret".into(), "secret name".into()],
                "no …",
            ),
            ("", vec!["".into(), Value::Null], ""),
        ] {
            assert_eq!(raised(message, values), told);
        }
    }

    #[test]
    fn what_names_the_schema_stays_as_it_is() {
        for message in [
            "UNIQUE constraint failed: t.name",
            "CHECK constraint failed: size < 10: SQLITE_CONSTRAINT",
            "cannot store TEXT value in INTEGER column t.name",
        ] {
            let values = vec!["name".into(), "TEXT".into(), 10.into()];
            assert_eq!(raised(message, values), message);
        }
    }

    #[test]
    fn the_longest_value_is_taken_out_first() {
        let statement = Statement::new("SELECT ?, ?")
            .bind("pass")
            .bind("pass words");
        let error =
            SqlError::of_database(SqlErrorKind::Other, "cannot open pass words", &[statement]);
        assert_eq!(error.message(), "cannot open …");
    }
}
