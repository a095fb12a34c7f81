//! Doubles as text, in the form that MongoDB's tools write: the shortest digits that give the same double.

use std::fmt::Write;

/// The text of `$numberDouble`.
pub(super) fn format(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Rust's exponent form has the shortest digits: `-1.25e-7`.
    let exponential = format!("{value:e}");
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let mut text = mantissa.to_owned();
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(text, "E{sign}{:02}", exponent.unsigned_abs()).expect("writing to a string works");
    text
}

/// The double of a `$numberDouble`. None if the text is no number, or one that no double can hold.
pub(super) fn parse(text: &str) -> Option<f64> {
    match text {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(f64::INFINITY),
        "-Infinity" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    // Rust also reads `inf` and `nan`.
    let looks_right = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let value = looks_right.then(|| text.parse::<f64>().ok()).flatten()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_those_of_mongodb_tools() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1E+06"),
            (123_456_789.0, "1.23456789E+08"),
            (0.0001, "0.0001"),
            (0.000_01, "1E-05"),
            (1e300, "1E+300"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(format(value), text);
            assert_eq!(parse(text), Some(value));
        }
        assert!(parse(&format(f64::NAN)).is_some_and(f64::is_nan));
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "inf", "nan", "infinity", "1x", "1e999", "--1", "0x1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_double_survives(value: f64) {
            let again = parse(&format(value)).map(f64::to_bits);
            prop_assert!(again == Some(value.to_bits()) || value.is_nan());
        }
    }
}
