//! Texts of real numbers.

use std::cmp::Ordering;

/// How many digits of a number can make a difference to its rounding; of those behind, only whether they are all zero.
const DIGITS: usize = 800;

/// A power of ten beyond all others.
const LARGE: i64 = i64::MAX / 4;

/// Reads a text that is a finite number to Rust as the nearest real number, and one that is too large as an infinity.
///
/// As slowly as by hand, and as exactly. What the standard library reads it with is quick, by a table of 10 kB, which a Worker
/// would be sent at each start.
pub(super) fn real(text: &str) -> Option<f64> {
    let (is_negative, size) = match text.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = size.split_once(['e', 'E']).unwrap_or((size, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || power.is_empty() {
        return None;
    }
    if ![whole, fraction, power].into_iter().all(is_number) {
        return None;
    }
    // More is as good as that, and nothing overflows.
    let power = power.parse().unwrap_or(LARGE).min(LARGE);
    let power = if exponent.starts_with('-') {
        -power
    } else {
        power
    };
    let behind = i64::try_from(fraction.len()).unwrap_or(LARGE);
    let digits = whole.bytes().chain(fraction.bytes());
    let size = nearest(digits.map(|digit| digit - b'0'), power - behind);
    Some(if is_negative { -size } else { size })
}

/// Returns the real number that is nearest to these digits times ten to the power; of two, the even one.
fn nearest(digits: impl Iterator<Item = u8>, mut power: i64) -> f64 {
    let mut digits = digits.skip_while(|digit| *digit == 0);
    let (mut above, mut below) = (Natural(Vec::new()), Natural(vec![1]));
    let mut count = 0;
    for digit in digits.by_ref().take(DIGITS) {
        above.multiply_and_add(10, digit.into());
        count += 1;
    }
    let mut is_more = false;
    for digit in digits {
        power += 1;
        is_more |= digit != 0;
    }
    // Beyond these, everything is infinite, or zero.
    if above.0.is_empty() || power + count < -330 {
        return 0.0;
    }
    if power + count > 310 {
        return f64::INFINITY;
    }
    if is_more {
        power -= 1;
        above.multiply_and_add(10, 1);
    }
    for _ in 0..power.unsigned_abs() {
        let scaled = if power < 0 { &mut below } else { &mut above };
        scaled.multiply_and_add(10, 0);
    }
    // Shifts both until the quotient is from 1 to 2. The number is that times two to the exponent.
    let mut exponent = above.bits() - below.bits();
    above.shift(-exponent);
    below.shift(exponent);
    if above.cmp(&below) == Ordering::Less {
        above.shift(1);
        exponent -= 1;
    }
    if exponent > 1023 {
        return f64::INFINITY;
    }
    // There are 53 bits, and of the smallest numbers fewer.
    let places = 53.min(exponent + 1075);
    let mut mantissa = 0;
    for _ in 0..places {
        mantissa = mantissa << 1 | u64::from(above.take_bit(&below));
    }
    if places >= 0 {
        let is_half = above.take_bit(&below);
        let is_more = !above.0.is_empty() || mantissa & 1 == 1;
        mantissa += u64::from(is_half && is_more);
    }
    // Of what is rounded up to a power of two, and from the last one to infinity, the exponent takes the carry.
    let biased = u64::try_from(exponent + 1022).unwrap_or(0);
    f64::from_bits((biased << 52) + mantissa)
}

/// A number of any size: 32 bits each, the least first, and no zeros last.
struct Natural(Vec<u32>);

impl Natural {
    fn multiply_and_add(&mut self, factor: u32, add: u32) {
        let mut carry = u64::from(add);
        for limb in &mut self.0 {
            let [low, high] = halves(u64::from(*limb) * u64::from(factor) + carry);
            (*limb, carry) = (low, high.into());
        }
        self.0
            .extend(Some(halves(carry)[0]).filter(|limb| *limb > 0));
    }

    fn bits(&self) -> i64 {
        let last = self
            .0
            .last()
            .map_or(0, |limb| 32 - i64::from(limb.leading_zeros()));
        let others = self.0.len().saturating_sub(1);
        last + 32 * i64::try_from(others).unwrap_or(0)
    }

    /// Shifts it up by so many bits, if there are any.
    fn shift(&mut self, bits: i64) {
        let bits = u32::try_from(bits).unwrap_or(0);
        self.multiply_and_add(1 << (bits % 32), 0);
        let zeros = std::iter::repeat_n(0, (bits / 32) as usize);
        self.0.splice(0..0, zeros);
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Returns the next bit of the quotient, which is less than two, and what is left of this, twice.
    fn take_bit(&mut self, divisor: &Self) -> bool {
        let is_one = self.cmp(divisor) != Ordering::Less;
        if is_one {
            let mut borrow = false;
            for (n, limb) in self.0.iter_mut().enumerate() {
                let less = divisor.0.get(n).copied().unwrap_or(0);
                let (rest, first) = limb.overflowing_sub(less);
                let (rest, second) = rest.overflowing_sub(u32::from(borrow));
                (*limb, borrow) = (rest, first || second);
            }
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
        }
        self.multiply_and_add(2, 0);
        is_one
    }
}

/// The lower and the upper half.
fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn is_same(text: &str) {
        let expected = text.parse::<f64>().ok().map(f64::to_bits);
        assert_eq!(real(text).map(f64::to_bits), expected, "{text}");
    }

    #[test]
    fn it_reads_what_the_standard_library_does() {
        for text in [
            "0",
            "-0",
            "+0",
            "00",
            "007",
            "1",
            "-1",
            "+1",
            "1.",
            ".5",
            "-.5e1",
            "1.5e3",
            "1E-3",
            "1e+3",
            "0e999",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0e99999999999999999999",
            "9007199254740993",
            "9223372036854775807",
            "123456789012345678901234567890",
            "0.1",
            "0.30000000000000004",
            "2.2250738585072011e-308",
            "4.9e-324",
            "2.4703282292062328e-324",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e308",
            "2e308",
            "1e9223372036854775807",
            "",
            "+",
            "-",
            ".",
            "e1",
            "1e",
            "1e+",
            "1e1.5",
            "--1",
            "+-1",
            "1 ",
            " 1",
            "1_000",
            "0x1",
            "1.2.3",
            "1e1e1",
            "½",
            "१",
        ] {
            is_same(text);
        }
        for text in ["inf", "-infinity", "nan"] {
            assert_eq!(real(text), None);
        }
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..500 {
            let number = f64::from_bits(random.u64(..));
            if number.is_finite() {
                is_same(&format!("{number:e}"));
                is_same(&format!("{number:.20e}"));
            }
            let digits = |random: &mut fastrand::Rng| -> String {
                (0..random.usize(1..25)).map(|_| random.digit(10)).collect()
            };
            let (whole, fraction) = (digits(&mut random), digits(&mut random));
            is_same(&format!("{whole}.{fraction}e{}", random.i32(-330..330)));
            // Half-way between two, and a little more.
            let odd = u128::from(random.u64(1 << 52..1 << 53)) * 2 + 1;
            let (tie, zeros) = (odd * 5, "0".repeat(random.usize(0..900)));
            is_same(&format!("{tie}e-1"));
            is_same(&format!("{tie}.{zeros}1e-1"));
        }
    }
}
