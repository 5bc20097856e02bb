//! Real numbers as quotients of integers, which no reader rounds.
//!
//! What a text says of a real number, `907.3038322028689`, some versions of SQLite read as its neighbour. An integer
//! they read as it is, and divide it by a power of two without rounding.

/// A real number `m / 2^k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) numerator: i64,
    /// From 0 to [`DEEPEST`].
    pub(super) power: u32,
}

/// `1 << 62` is the largest power of two that is an `i64`, and SQL divides twice.
pub(super) const DEEPEST: u32 = 2 * SHALLOW;

/// As far as dividing once goes.
pub(super) const SHALLOW: u32 = 62;

impl Fraction {
    /// Returns the fraction that is a number; the others are too large or too small, or −0.0.
    pub(super) fn of(real: f64) -> Option<Self> {
        let bits = real.to_bits();
        let exponent = u32::try_from((bits >> 52) & 0x7ff).ok()?;
        let mantissa = i64::try_from(bits & ((1 << 52) - 1)).ok()?;
        if real == 0.0 {
            let zero = Self {
                numerator: 0,
                power: 0,
            };
            return real.is_sign_positive().then_some(zero);
        }
        // Nothing so small is within reach, nothing beyond is finite.
        if exponent == 0 || exponent == 0x7ff {
            return None;
        }
        let mut numerator = mantissa | 1 << 52;
        let shift = numerator.trailing_zeros();
        numerator >>= shift;
        // real = numerator * 2^(exponent - 1075 + shift)
        let scale = i64::from(exponent) - 1075 + i64::from(shift);
        let power = match u32::try_from(scale) {
            Ok(up) => {
                // Still a number that is exact as an `f64`: it is this one.
                numerator = numerator.checked_mul(1_i64.checked_shl(up).filter(|&n| n > 0)?)?;
                0
            }
            Err(_) => u32::try_from(-scale).ok()?,
        };
        (power <= DEEPEST).then(|| Self {
            numerator: if real < 0.0 { -numerator } else { numerator },
            power,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What SQL makes of it.
    fn divided(fraction: Fraction) -> f64 {
        let once = fraction.power.min(SHALLOW);
        #[allow(
            clippy::cast_precision_loss,
            reason = "that it is exact is what is tested"
        )]
        let (numerator, first, second) = (
            fraction.numerator as f64,
            (1_i64 << once) as f64,
            (1_i64 << (fraction.power - once)) as f64,
        );
        numerator / first / second
    }

    #[test]
    fn a_fraction_is_the_number_to_the_last_bit() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut within = 0;
        for _ in 0..50_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Of all exponents, and of those that are within reach.
            for bits in [
                state,
                state & !(0x7ff << 52) | (960 + (state >> 32) % 126) << 52,
            ] {
                let real = f64::from_bits(bits);
                if let Some(fraction) = Fraction::of(real) {
                    assert_eq!(divided(fraction).to_bits(), bits, "{real}");
                    within += 1;
                }
            }
        }
        assert!(within > 50_000, "{within} of 100,000");
    }

    #[test]
    fn what_is_out_of_reach_is_none() {
        for (real, power) in [
            (0.0, Some(0)),
            (1.0, Some(0)),
            (-0.5, Some(1)),
            (9_223_372_036_854_774_784.0, Some(0)),
            (-4_611_686_018_427_387_904.0, Some(0)),
            (9_223_372_036_854_775_808.0, None),
            (1e-6, Some(72)),
            (2_f64.powi(-124), Some(124)),
            (2_f64.powi(-125), None),
            (-0.0, None),
            (5e-324, None),
            (f64::MAX, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            let fraction = Fraction::of(real);
            assert_eq!(fraction.map(|fraction| fraction.power), power, "{real}");
        }
    }
}
