//! Texts of real numbers.

/// Reads a text that is a finite number to Rust, or to SQLite, as the nearest real number; one that is too large as an
/// infinity.
///
/// By way of JSON, whose numbers are read here anyway: what the standard library reads them with has a table of 10 kB, which
/// a Worker would be sent at each start.
pub(super) fn real(text: &str) -> Option<f64> {
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = size.split_once(['e', 'E']).unwrap_or((size, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if (whole.is_empty() && fraction.is_empty()) || power.is_empty() {
        return None;
    }
    if ![whole, fraction, power].into_iter().all(is_number) {
        return None;
    }
    // JSON has no zero before other digits, and none may be missing.
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let json = format!("{sign}{whole}.{fraction}0e{exponent}");
    let infinity = if sign.is_empty() {
        f64::INFINITY
    } else {
        f64::NEG_INFINITY
    };
    // Of what is a number, only one that is too large is refused.
    Some(serde_json::from_slice(json.as_bytes()).unwrap_or(infinity))
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
            "0", "-0", "+0", "00", "007", "1", "-1", "+1", "1.", ".5", "-.5e1", "1.5e3", "1E-3", "1e+3", "0e999", "1e400",
            "-1e400", "1e-400", "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999",
            "9007199254740993", "9223372036854775807", "123456789012345678901234567890", "0.1", "0.30000000000000004",
            "2.2250738585072011e-308", "4.9e-324", "2.4703282292062328e-324", "1.7976931348623157e308",
            "1.7976931348623159e308", "", "+", "-", ".", "e1", "1e", "1e+", "1e1.5", "--1", "+-1", "1 ", " 1", "1_000", "0x1",
            "1.2.3", "1e1e1", "½", "१",
        ] {
            is_same(text);
        }
        for text in ["inf", "-infinity", "nan"] {
            assert_eq!(real(text), None);
        }
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
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
        }
    }
}
