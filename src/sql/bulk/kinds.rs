//! How the values of each column travel in JSON.

use super::{
    Rows,
    fraction::{Fraction, SHALLOW},
};
use crate::sql::Value;

/// How the values of a column travel in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As they are: integers, texts and NULL.
    Plain,
    /// Real numbers as fractions, in two places.
    Real {
        /// There are others between them, which have null in the second place.
        mixed: bool,
        /// Some are so small that it takes two divisions.
        deep: bool,
    },
    /// Blobs, in hexadecimal.
    Blob,
}

/// The kinds of the columns of some rows.
#[derive(Clone, Debug)]
pub(super) struct Kinds(Vec<Kind>);

impl Kinds {
    /// Finds the kinds that carry most of the rows.
    pub(super) fn of(rows: &Rows) -> Self {
        let kind = |column: usize| {
            let (mut blobs, mut reals, mut others, mut deep) = (false, false, false, false);
            for row in 0..rows.len() {
                match &rows.row(row)[column] {
                    Value::Null => {}
                    Value::Integer(_) | Value::Text(_) => others = true,
                    Value::Blob(_) => blobs = true,
                    Value::Real(real) => {
                        reals = true;
                        deep |= Fraction::of(*real).is_some_and(|f| f.power > SHALLOW);
                    }
                }
            }
            match (blobs, reals) {
                (true, _) => Kind::Blob,
                (false, true) => Kind::Real {
                    mixed: others,
                    deep,
                },
                (false, false) => Kind::Plain,
            }
        };
        Self((0..rows.width()).map(kind).collect())
    }

    /// Tells whether a row can travel so, to the bit.
    pub(super) fn carry(&self, row: &[Value]) -> bool {
        self.0
            .iter()
            .zip(row)
            .all(|(kind, value)| match (kind, value) {
                (_, Value::Null) => true,
                (Kind::Blob, _) => matches!(value, Value::Blob(_)),
                (_, Value::Integer(_)) => true,
                // Some versions of SQLite's JSON stop there.
                (_, Value::Text(text)) => !text.contains('\0'),
                (_, Value::Real(real)) => Fraction::of(*real).is_some(),
                (_, Value::Blob(_)) => false,
            })
    }

    /// Returns the SQL of each column, of a row that `json_each` calls `value`.
    pub(super) fn expressions(&self) -> Vec<String> {
        let mut place = 0;
        let expressions = self.0.iter().map(|kind| {
            let at = place;
            let next = at + 1;
            place += 1;
            match kind {
                Kind::Plain => format!("value ->> {at}"),
                Kind::Blob => format!("unhex(value ->> {at})"),
                Kind::Real { mixed, deep } => {
                    place += 1;
                    let real = match deep {
                        false => format!("(value ->> {at}) * 1.0 / (1 << (value ->> {next}))"),
                        true => format!(
                            "(value ->> {at}) * 1.0 / (1 << min(value ->> {next}, {SHALLOW})) \
                             / (1 << max((value ->> {next}) - {SHALLOW}, 0))"
                        ),
                    };
                    match mixed {
                        false => real,
                        true => format!(
                            "CASE WHEN (value ->> {next}) IS NULL THEN value ->> {at} ELSE {real} END"
                        ),
                    }
                }
            }
        });
        expressions.collect()
    }

    /// Writes a row that they carry, as an array.
    pub(super) fn write(&self, row: &[Value], out: &mut String) {
        let mut before = '[';
        for (kind, value) in self.0.iter().zip(row) {
            out.push(before);
            before = ',';
            match (kind, value) {
                (Kind::Real { .. }, Value::Real(real)) => {
                    if let Some(Fraction { numerator, power }) = Fraction::of(*real) {
                        out.push_str(&format!("{numerator},{power}"));
                    }
                }
                (Kind::Real { .. }, value) => {
                    write_plain(value, out);
                    out.push_str(",null");
                }
                (_, value) => write_plain(value, out),
            }
        }
        out.push(']');
    }
}

fn write_plain(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Integer(integer) => out.push_str(&integer.to_string()),
        Value::Real(real) => out.push_str(&real.to_string()),
        Value::Text(text) => write_text(text, out),
        Value::Blob(bytes) => {
            out.push('"');
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            out.extend(
                bytes
                    .iter()
                    .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]),
            );
            out.push('"');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, tail) = rest.split_at(at);
        let (escaped, tail) = tail.split_at(1);
        out.push_str(plain);
        match escaped {
            "\"" => out.push_str("\\\""),
            "\\" => out.push_str("\\\\"),
            control => out.extend(control.bytes().map(|byte| format!("\\u{byte:04x}"))),
        }
        rest = tail;
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Limits;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn kinds(rows: &[[Value; 2]]) -> (Kinds, Rows) {
        let rows = Rows::collect(rows.to_vec(), &["a", "b"], &Limits::D1).unwrap();
        (Kinds::of(&rows), rows)
    }

    #[test]
    fn a_text_is_what_every_reader_of_json_takes_it_for() {
        for text in [
            "",
            "a\"b\\c\n\r\t\u{1}\u{1f}\u{7f}/\u{2028}",
            "\u{feff}é🦀\u{10ffff}\u{ffff}",
            "\"",
            "\\u0041",
        ] {
            let mut written = String::new();
            write_text(text, &mut written);
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }

    #[test]
    fn each_column_travels_by_what_is_in_it() {
        let (kinds, rows) = kinds(&[
            [1.into(), 0.75.into()],
            ["ü\"".into(), Value::Null],
            [Value::Null, (-2.5).into()],
        ]);
        assert_eq!(
            kinds.0,
            [
                Kind::Plain,
                Kind::Real {
                    mixed: false,
                    deep: false
                }
            ]
        );
        let mut written = String::new();
        (0..3).for_each(|row| kinds.write(rows.row(row), &mut written));
        assert_eq!(written, r#"[1,3,2]["ü\"",null,null][null,-5,1]"#);
        assert_eq!(
            kinds.expressions(),
            ["value ->> 0", "(value ->> 1) * 1.0 / (1 << (value ->> 2))"]
        );
    }

    #[test]
    fn what_would_not_arrive_to_the_bit_is_not_carried() {
        let (kinds, rows) = kinds(&[
            [b"\xff\0".into(), 1e-9.into()],
            ["text between blobs".into(), 1.into()],
            [Value::Null, "a\0b".into()],
            [b"".into(), (-0.0).into()],
            [b"".into(), 1e300.into()],
            [b"".into(), i64::MIN.into()],
        ]);
        assert_eq!(
            kinds.0,
            [
                Kind::Blob,
                Kind::Real {
                    mixed: true,
                    deep: true
                }
            ]
        );
        let carried: Vec<bool> = (0..6).map(|row| kinds.carry(rows.row(row))).collect();
        assert_eq!(carried, [true, false, false, false, false, true]);
        let mut written = String::new();
        kinds.write(rows.row(5), &mut written);
        kinds.write(&[b"\xff\x0a".into(), "a".into()], &mut written);
        assert_eq!(
            written,
            r#"["",-9223372036854775808,null]["ff0a","a",null]"#
        );
    }
}
