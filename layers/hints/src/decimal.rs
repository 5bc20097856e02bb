//! Non-negative decimal numbers that saturate instead of overflowing and round up instead of down.

use std::time::Duration;

use crate::cursor::Cursor;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A number as written: digits, and perhaps a point and more digits. No sign, no exponent, nothing
/// around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// `u64::MAX` if there are too many digits to count.
    whole: u64,
    fraction: Option<Fraction>,
}

/// What stands behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fraction {
    /// In 10⁻⁹, rounded up: up to a whole one.
    pub(crate) nanos: u32,
}

impl Decimal {
    /// The whole of `text`.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let decimal = Self::take(&mut cursor)?;
        cursor.end()?;
        Some(decimal)
    }

    /// The number at the front of `cursor`.
    pub(crate) fn take(cursor: &mut Cursor<'_>) -> Option<Self> {
        let digits = cursor.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return None;
        }
        let whole = digits.iter().fold(0_u64, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        });
        let fraction = match cursor.peek() {
            Some(b'.') => Some(Fraction::take(cursor)?),
            _ => None,
        };
        Some(Self { whole, fraction })
    }

    /// What stands before the point.
    pub(crate) fn whole(self) -> u64 {
        self.whole
    }

    pub(crate) fn has_fraction(self) -> bool {
        self.fraction.is_some()
    }

    /// So many times `unit`, rounded up to a nanosecond; [`Duration::MAX`] if that is too much to
    /// say.
    pub(crate) fn times(self, unit: Duration) -> Duration {
        if self.whole == u64::MAX {
            return Duration::MAX;
        }
        let Some(fraction) = self.fraction else {
            return whole_times(self.whole, unit);
        };
        let part = (u128::from(fraction.nanos) * unit.as_nanos()).div_ceil(NANOS_PER_SECOND);
        let part = u64::try_from(part).map_or(Duration::MAX, Duration::from_nanos);
        whole_times(self.whole, unit).saturating_add(part)
    }
}

/// Most numbers are whole and most units are seconds: that is one multiplication of 64 bits.
fn whole_times(whole: u64, unit: Duration) -> Duration {
    if unit.subsec_nanos() == 0 {
        return whole
            .checked_mul(unit.as_secs())
            .map_or(Duration::MAX, Duration::from_secs);
    }
    let nanos = u128::from(whole) * unit.as_nanos();
    match (
        u64::try_from(nanos / NANOS_PER_SECOND),
        u32::try_from(nanos % NANOS_PER_SECOND),
    ) {
        (Ok(seconds), Ok(nanos)) => Duration::new(seconds, nanos),
        _ => Duration::MAX,
    }
}

impl Fraction {
    /// The point and the digits at the front of `cursor`.
    pub(crate) fn take(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.literal(b".")?;
        let digits = cursor.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return None;
        }
        let (kept, cut) = digits.split_at(digits.len().min(9));
        let mut nanos = (0..9).fold(0, |number, place| {
            number * 10 + kept.get(place).map_or(0, |digit| u32::from(digit - b'0'))
        });
        if cut.iter().any(|&digit| digit != b'0') {
            nanos += 1;
        }
        Some(Self { nanos })
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn seconds(text: &str) -> Option<Duration> {
        Decimal::parse(text.as_bytes()).map(|decimal| decimal.times(Duration::from_secs(1)))
    }

    #[test]
    fn numbers_are_read_to_the_nanosecond_and_rounded_up() {
        assert_eq!(seconds("0"), Some(Duration::ZERO));
        assert_eq!(seconds("007"), Some(Duration::from_secs(7)));
        assert_eq!(seconds("1.5"), Some(Duration::from_millis(1_500)));
        assert_eq!(seconds("64.57"), Some(Duration::from_millis(64_570)));
        assert_eq!(seconds("0.0000000001"), Some(Duration::from_nanos(1)));
        assert_eq!(seconds("1.99999999999"), Some(Duration::from_secs(2)));
        assert_eq!(seconds("1.0000000000"), Some(Duration::from_secs(1)));
        let millis = Decimal::parse(b"1.0000001")
            .unwrap()
            .times(Duration::from_millis(1));
        assert_eq!(millis, Duration::from_nanos(1_000_001));
    }

    #[test]
    fn too_many_digits_saturate() {
        assert_eq!(seconds(&"9".repeat(40)), Some(Duration::MAX));
        assert_eq!(seconds(&"9".repeat(10_000)), Some(Duration::MAX));
        assert_eq!(seconds("18446744073709551615"), Some(Duration::MAX));
        assert_eq!(
            seconds("18446744073709551614"),
            Some(Duration::from_secs(u64::MAX - 1))
        );
        let hours = Decimal::parse(b"18446744073709551614.999")
            .unwrap()
            .times(Duration::from_secs(3600));
        assert_eq!(hours, Duration::MAX);
        assert_eq!(
            seconds(&format!("0.{}", "9".repeat(10_000))),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn anything_else_is_not_a_number() {
        for text in [
            "", "+5", "-5", " 5", "5 ", "5.", ".5", "1.2.3", "1e308", "1e3", "NaN", "inf", "0x10",
            "5s", "١", "1_0",
        ] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
