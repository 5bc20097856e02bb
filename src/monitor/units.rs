//! How figures are written: for machines in milliseconds, for people in whatever fits.

use std::time::Duration;

/// Milliseconds with three decimals: finer is noise, and hard to read.
pub(super) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// As near as 53 bits are.
pub(super) fn float(value: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits).unwrap_or(u32::MAX));
    half(value >> 32) * 4_294_967_296.0 + half(value & 0xffff_ffff)
}

/// A count, as near as 53 bits are.
pub(super) fn float_len(value: usize) -> f64 {
    u64::try_from(value).map_or(f64::INFINITY, float)
}

/// A time with its unit, three digits or so.
pub(super) fn time(millis: f64) -> String {
    let (value, unit) = match millis {
        0.0 => return "0".to_owned(),
        ms if ms < 1.0 => (ms * 1e3, "µs"),
        ms if ms < 1e3 => (ms, "ms"),
        ms if ms < 120e3 => (ms / 1e3, "s"),
        ms if ms < 7_200e3 => (ms / 60e3, "min"),
        ms => (ms / 3_600e3, "h"),
    };
    format!("{} {unit}", digits(value))
}

/// A size with its unit.
pub(super) fn size(bytes: f64) -> String {
    const STEP: f64 = 1024.0;
    let (mut value, mut unit) = (bytes, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < STEP {
            break;
        }
        (value, unit) = (value / STEP, larger);
    }
    format!("{} {unit}", digits(value))
}

/// A share of one, in per cent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", digits(share * 100.0))
}

fn digits(value: f64) -> String {
    let decimals = match value {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The first characters of `text` that fit into as many bytes.
pub(super) fn truncated(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn times_and_sizes_have_a_unit_and_about_three_digits() {
        let times = [
            0.0, 0.25, 0.9994, 1.0, 12.345, 999.4, 1500.0, 119e3, 120e3, 7_200e3,
        ];
        let written = times.map(time);
        let expected = [
            "0", "250 µs", "999 µs", "1 ms", "12.3 ms", "999 ms", "1.5 s", "119 s", "2 min", "2 h",
        ];
        assert_eq!(written, expected);
        let sizes = [0.0, 1023.0, 1024.0, 1.5 * 1024.0 * 1024.0, 5e12];
        assert_eq!(
            sizes.map(size),
            ["0 B", "1023 B", "1 KiB", "1.5 MiB", "4.55 TiB"]
        );
        assert_eq!(percent(0.125), "12.5 %");
        assert_eq!(percent(1.0), "100 %");
    }

    #[test]
    fn whole_numbers_stay_exact_to_53_bits() {
        for value in [0, 1, 4_294_967_295, 4_294_967_296, (1 << 53) - 1] {
            assert_eq!(format!("{}", float(value)), value.to_string());
        }
        assert_eq!(float(u64::MAX), 18_446_744_073_709_551_616.0);
    }

    #[test]
    fn a_character_is_never_cut_in_two() {
        assert_eq!(truncated("größer", 3), "gr");
        assert_eq!(truncated("größer", 4), "grö");
        assert_eq!(truncated("x", 4), "x");
        assert_eq!(truncated("€", 0), "");
    }
}
