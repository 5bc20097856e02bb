//! Keys that occur more than once among rows.

use crate::sql::{Value, real::real};
use std::collections::HashMap;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// No row has it, whatever the types and collations of the columns.
    Never,
    /// This row has the very same.
    At(usize),
    /// A row has one that is equal for some type or collation: 1 and `'1'`, `'a'` and `'A'`.
    Perhaps,
}

/// The keys of some rows.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    /// By what all keys have in common that a column could find equal.
    seen: HashMap<String, (String, usize)>,
}

impl Duplicates {
    /// Adds the key of a row, unless one is there that may be equal.
    pub(super) fn add<'a>(
        &mut self,
        key: impl Iterator<Item = &'a Value> + Clone,
        row: usize,
    ) -> Seen {
        // NULL is equal to nothing.
        if key.clone().any(Value::is_null) {
            return Seen::Never;
        }
        let mut exact = String::new();
        let mut common = String::new();
        for value in key {
            write_exact(value, &mut exact);
            write_common(value, &mut common);
        }
        match self.seen.get_mut(&common) {
            None => {
                self.seen.insert(common, (exact, row));
                Seen::Never
            }
            Some((known, at)) if *known == exact => Seen::At(std::mem::replace(at, row)),
            Some(_) => Seen::Perhaps,
        }
    }
}

/// Writes so that only equal values of one class are the same; whatever the text, it does not run into the next one.
fn write_exact(value: &Value, out: &mut String) {
    let text = match value {
        Value::Null => "0".to_owned(),
        Value::Integer(integer) => format!("i{integer}"),
        Value::Real(real) => format!("r{:x}", real.to_bits()),
        Value::Text(text) => format!("t{text}"),
        Value::Blob(bytes) => format!("b{bytes:?}"),
    };
    write_part(&text, out);
}

/// Writes so that what any of SQLite's affinities and collations finds equal is the same.
fn write_common(value: &Value, out: &mut String) {
    let text = match value {
        Value::Null => "0".to_owned(),
        Value::Integer(integer) => format!("n{integer}"),
        Value::Real(real) => number(*real),
        // As NUMERIC finds a number in a text, NOCASE and RTRIM.
        Value::Text(text) => {
            let text = text.trim();
            match (text.parse::<i64>(), real(text)) {
                (Ok(integer), _) => format!("n{integer}"),
                (_, Some(real)) => number(real),
                _ => format!("t{}", text.to_ascii_lowercase()),
            }
        }
        Value::Blob(bytes) => format!("b{bytes:?}"),
    };
    write_part(&text, out);
}

/// A real number, as the integer that it is equal to, if there is one; or as what a column of texts makes of it, which
/// has 15 digits.
fn number(real: f64) -> String {
    match real.fract() == 0.0 {
        true => format!("n{real:.0}").replace("n-0", "n0"),
        false => digits(real),
    }
}

/// Writes 15 digits of a number that is no integer, or fewer of one that has few. The formatter of exponents, which could do
/// this, is needed nowhere else, and is sent to a Worker at each start.
fn digits(real: f64) -> String {
    let shortest = real.abs().to_string();
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    let places = match whole {
        "0" => 15 + fraction.len() - fraction.trim_start_matches('0').len(),
        // Of which some digits are before the point that do not count: all of these may be equal.
        _ if whole.len() > 14 => return "r".to_owned(),
        _ => 15 - whole.len(),
    };
    // What is rounded up to a power of ten has a digit more.
    format!("r{}", format!("{real:.places$}").trim_end_matches('0'))
}

fn write_part(text: &str, out: &mut String) {
    out.push_str(&text.len().to_string());
    out.push(' ');
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn seen(first: impl Into<Value>, second: impl Into<Value>) -> Seen {
        let mut duplicates = Duplicates::default();
        assert_eq!(duplicates.add([first.into()].iter(), 3), Seen::Never);
        duplicates.add([second.into()].iter(), 4)
    }

    #[test]
    fn the_same_key_is_found_again_at_its_last_row() {
        let mut duplicates = Duplicates::default();
        let key = [Value::from("a"), 1.into()];
        assert_eq!(duplicates.add(key.iter(), 0), Seen::Never);
        assert_eq!(duplicates.add(key.iter(), 5), Seen::At(0));
        assert_eq!(duplicates.add(key.iter(), 9), Seen::At(5));
        let other = [Value::from("a1"), "".into()];
        assert_eq!(duplicates.add(other.iter(), 10), Seen::Never);
    }

    #[test]
    fn what_some_column_finds_equal_is_perhaps_the_same() {
        assert_eq!(seen(1, "1"), Seen::Perhaps);
        assert_eq!(seen(1, " 1.0 "), Seen::Perhaps);
        assert_eq!(seen(1, 1.0), Seen::Perhaps);
        assert_eq!(seen(100, "1e2"), Seen::Perhaps);
        assert_eq!(seen(0, -0.0), Seen::Perhaps);
        assert_eq!(seen("aB", "Ab  "), Seen::Perhaps);
        assert_eq!(seen(0.5, ".5"), Seen::Perhaps);
        assert_eq!(seen(0.1 + 0.2, 0.3), Seen::Perhaps);
        assert_eq!(
            seen(9.999_999_999_999_998, "10.000000000000002"),
            Seen::Perhaps
        );
        assert_eq!(seen(-1.000_000_000_000_000_2e-5, "-.00001"), Seen::Perhaps);
        assert_eq!(seen(4e15 + 0.5, 4e15 + 1.5), Seen::Perhaps);
        assert_eq!(seen("1e400", "-1e-9"), Seen::Never);
        assert_eq!(seen("1e400", "1e999"), Seen::Perhaps);
        assert_eq!(
            seen(9_007_199_254_740_992_i64, 9_007_199_254_740_992.0),
            Seen::Perhaps
        );
    }

    #[test]
    fn numbers_are_as_equal_as_their_first_15_digits() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let one = f64::from_bits(random.u64(..));
            let scale = 10_f64.powi(random.i32(-20..14)) * f64::from(random.u32(1..1000));
            let one = if random.bool() { one } else { scale };
            let steps = random.u64(0..40);
            let other = f64::from_bits(one.to_bits().wrapping_add(steps).wrapping_sub(20));
            if !(one.is_finite() && other.is_finite())
                || [one, other]
                    .iter()
                    .any(|of| of.abs() >= 1e14 || of.fract() == 0.0)
            {
                continue;
            }
            let is_same = format!("{one:.14e}") == format!("{other:.14e}");
            assert_eq!(digits(one) == digits(other), is_same, "{one:e} {other:e}");
        }
    }

    #[test]
    fn what_no_column_finds_equal_is_new() {
        assert_eq!(seen(i64::MAX, i64::MAX - 1), Seen::Never);
        assert_eq!(seen("a", "b"), Seen::Never);
        assert_eq!(seen(1, b"1"), Seen::Never);
        assert_eq!(seen("inf", "infinity"), Seen::Never);
        assert_eq!(seen(1.5, 2.5), Seen::Never);
        let mut duplicates = Duplicates::default();
        for row in 0..3 {
            assert_eq!(duplicates.add([Value::Null].iter(), row), Seen::Never);
        }
    }
}
