//! Results as they come from JavaScript.

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::{fmt, sync::Arc};
use tower_egress::sql::{Changes, Outcome, Row, SqlError, SqlErrorKind, Value};

/// The largest integer below which every one is a float of its own.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// 2<sup>63</sup>: no integer is rounded to more.
const MAX_ROUNDED: f64 = 9_223_372_036_854_775_808.0;

/// The results of the statements of a call.
#[derive(Debug)]
pub(super) struct Answer {
    results: Vec<Executed>,
    bytes: Bytes,
}

/// Changes, last row id, columns, rows.
#[derive(Debug, Deserialize)]
struct Executed(Option<u64>, Option<Cell>, Vec<Box<str>>, Vec<Vec<Cell>>);

/// A cell of a row.
#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    /// So many of the bytes that are next.
    Blob(usize),
}

impl Cell {
    /// Tells whether it is a real number that may have been an integer.
    fn may_be_rounded(&self) -> bool {
        matches!(self, Self::Real(real) if real.fract() == 0.0 && real.abs() <= MAX_ROUNDED)
    }
}

/// It cannot be read, whatever it is.
pub(super) fn missing() -> SqlError {
    SqlError::new(SqlErrorKind::Decode, "that is no answer of D1's")
}

impl Answer {
    pub(super) fn read(text: &str, bytes: Vec<u8>) -> Result<Self, SqlError> {
        let results = serde_json::from_slice(text.as_bytes()).map_err(|_| missing())?;
        Ok(Self {
            results,
            bytes: bytes.into(),
        })
    }

    pub(super) fn into_outcomes(mut self) -> Result<Vec<Outcome>, SqlError> {
        let results = std::mem::take(&mut self.results);
        results
            .into_iter()
            .map(|result| self.outcome(result))
            .collect()
    }

    fn outcome(
        &mut self,
        Executed(changed, last, columns, rows): Executed,
    ) -> Result<Outcome, SqlError> {
        let last = match last {
            Some(Cell::Integer(id)) => Some(id),
            _ => None,
        };
        let columns = Arc::from(columns);
        let rows = rows.into_iter().map(|cells| self.row(&columns, cells));
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Outcome::new(Changes::new(changed.unwrap_or(0), last), rows))
    }

    fn row(&mut self, columns: &Arc<[Box<str>]>, cells: Vec<Cell>) -> Result<Row, SqlError> {
        if columns.len() != cells.len() {
            return Err(missing());
        }
        let may_be_rounded: Vec<usize> = (0..cells.len())
            .filter(|&index| cells[index].may_be_rounded())
            .collect();
        let values = cells.into_iter().map(|cell| self.value(cell));
        let row = Row::new(Arc::clone(columns), values.collect::<Result<_, _>>()?);
        Ok(may_be_rounded.into_iter().fold(row, Row::with_rounded))
    }

    fn value(&mut self, cell: Cell) -> Result<Value, SqlError> {
        Ok(match cell {
            Cell::Null => Value::Null,
            Cell::Integer(integer) => Value::Integer(integer),
            Cell::Real(real) => Value::Real(real),
            Cell::Text(text) => Value::Text(text),
            Cell::Blob(length) if length <= self.bytes.len() => {
                Value::Blob(self.bytes.split_to(length))
            }
            Cell::Blob(_) => return Err(missing()),
        })
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

/// What JSON has of a number from 2<sup>53</sup> on, as of a row id, is the shortest text of a float: a float it is.
fn large(integer: u64) -> f64 {
    let low = u32::try_from(integer & 0xffff_ffff).unwrap_or(u32::MAX);
    let high = u32::try_from(integer >> 32).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of D1")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Cell, E> {
        Ok(match i64::try_from(integer) {
            Ok(safe) if integer <= MAX_SAFE => Cell::Integer(safe),
            _ => Cell::Real(large(integer)),
        })
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Cell, E> {
        let size = integer.unsigned_abs();
        Ok(if size <= MAX_SAFE {
            Cell::Integer(integer)
        } else if integer < 0 {
            Cell::Real(-large(size))
        } else {
            Cell::Real(large(size))
        })
    }

    fn visit_f64<E>(self, real: f64) -> Result<Cell, E> {
        Ok(Cell::Real(real))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Cell, E> {
        Ok(Cell::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Cell, A::Error> {
        let first: u32 = numbers.next_element()?.unwrap_or(0);
        let Some(low) = numbers.next_element::<u32>()? else {
            // No answer is as long as that where it is no `usize`.
            return Ok(Cell::Blob(first.try_into().unwrap_or(usize::MAX)));
        };
        let bits = u64::from(first) << 32 | u64::from(low);
        Ok(Cell::Real(f64::from_bits(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn rows(cells: &str, bytes: &[u8]) -> Result<Vec<Row>, SqlError> {
        let text = format!(r#"[[0,null,["a","b"],[{cells}]]]"#);
        let mut outcomes = Answer::read(&text, bytes.to_vec())?.into_outcomes()?;
        Ok(outcomes.remove(0).rows)
    }

    /// A real number as d1.js sends it.
    fn bits_of(real: f64) -> String {
        let bits = real.to_bits();
        format!("[{},{}]", bits >> 32, bits & 0xffff_ffff)
    }

    #[test]
    fn every_value_is_what_it_was() {
        let rows = rows(r#"[null,"ü\u0000"],[[2],1],[[0],-1.5],[[1],1e300]"#, b"abc").unwrap();
        let values = |n: usize| ["a", "b"].map(|column| rows[n].get(column).unwrap().clone());
        assert_eq!(values(0), [Value::Null, "ü\0".into()]);
        assert_eq!(values(1), [b"ab".into(), 1.into()]);
        assert_eq!(values(2), [b"".into(), (-1.5).into()]);
        assert_eq!(values(3), [b"c".into(), 1e300.into()]);
    }

    #[test]
    fn a_real_is_the_one_that_was_stored_to_the_last_bit() {
        // A reader that is quick about it takes the neighbour of some of these.
        let mut fraction = 0x9e37_79b9_u32;
        for _ in 0..2000 {
            fraction = fraction.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let real = f64::from(fraction) / f64::from(u32::MAX) * 1000.0;
            let rows = rows(&format!("[{},1]", bits_of(real)), b"").unwrap();
            assert_eq!(rows[0].get_as("a"), Ok(real));
        }
        for real in [907.303_832_202_868_9, -1.5, 1e300, 5e-324, f64::MAX] {
            let rows = rows(&format!("[{},1]", bits_of(real)), b"").unwrap();
            assert_eq!(rows[0].get("a"), Ok(&Value::Real(real)));
        }
    }

    #[test]
    fn what_may_have_been_rounded_is_no_integer() {
        // Texts as JSON.stringify writes them.
        for (text, exact) in [
            ("9007199254740991", true),
            ("-9007199254740991", true),
            ("9007199254740992", false),
            ("-9007199254740992", false),
            ("9223372036854775000", false),
            ("9223372036854776000", false),
            ("-9223372036854776000", false),
            ("1152921504606847000", false),
        ] {
            let bits = bits_of(text.parse().unwrap());
            let sent = if exact { text } else { &bits };
            let rows = rows(&format!("[{sent},1]"), b"").unwrap();
            let number: i64 = text.parse().unwrap_or(i64::MAX);
            assert_eq!(rows[0].get_as("a").ok(), exact.then_some(number), "{text}");
            assert_eq!(rows[0].get("a").is_ok(), exact, "{text}");
            assert_eq!(
                rows[0].get_as("a"),
                Ok(text.parse::<f64>().unwrap()),
                "{text}"
            );
        }
        // No integer is as large, or has a fraction.
        for text in ["9223372036854778000", "-9223372036854778000", "1e21", "0.5"] {
            let bits = bits_of(text.parse().unwrap());
            let rows = rows(&format!("[{bits},1]"), b"").unwrap();
            let real = Value::Real(text.parse().unwrap());
            assert_eq!(rows[0].get("a"), Ok(&real), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error_and_no_panic() {
        for cells in ["[1]", "[1,2,3]", "[1,[4]]", "[{},1]", "[1,true]", "1", "["] {
            let error = rows(cells, b"abc").unwrap_err();
            assert_eq!(error.kind(), SqlErrorKind::Decode, "{cells}");
        }
    }

    #[test]
    fn changes_are_told_as_far_as_they_are_known() {
        let changes = |text: &str| {
            let answer = Answer::read(&format!("[[{text},[],[]]]"), Vec::new());
            answer.unwrap().into_outcomes().unwrap()[0].changes
        };
        assert_eq!(changes("2,7"), Changes::new(2, Some(7)));
        assert_eq!(changes("null,null"), Changes::new(0, None));
        assert_eq!(
            changes("1,9223372036854776000"),
            Changes::new(1, None),
            "rounded"
        );
    }
}
