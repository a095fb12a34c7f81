//! Decimal128 as text and back, exactly: nothing is ever rounded.
//!
//! Bits: IEEE 754-2008 in the binary integer form, little-endian in BSON. Text: MongoDB's specification of
//! Decimal128, which is that of the General Decimal Arithmetic.

/// Digits a coefficient can have.
const DIGITS: usize = 34;
/// The largest coefficient, plus one.
const COEFFICIENTS: u128 = 10_u128.pow(34);
const BIAS: i64 = 6176;
const LEAST_EXPONENT: i64 = -BIAS;
const MOST_EXPONENT: i64 = 6111;

/// The text of these bits.
pub(super) fn format(bytes: [u8; 16]) -> String {
    let bits = u128::from_le_bytes(bytes);
    let sign = if bits >> 127 == 1 { "-" } else { "" };
    match bits >> 122 & 0x1f {
        0x1f => return "NaN".to_owned(),
        0x1e => return format!("{sign}Infinity"),
        _ => {}
    }
    // The second form is for coefficients that are always too large; they count as zero.
    let has_second_form = bits >> 125 & 3 == 3;
    let shift = if has_second_form { 111 } else { 113 };
    let coefficient = if has_second_form { 0 } else { bits & ((1 << 113) - 1) };
    let coefficient = if coefficient < COEFFICIENTS { coefficient } else { 0 };
    let exponent = i64::try_from(bits >> shift & 0x3fff).unwrap_or_default() - BIAS;
    format!("{sign}{}", place_point(&coefficient.to_string(), exponent))
}

/// Digits with an exponent, as people write them.
fn place_point(digits: &str, exponent: i64) -> String {
    let count = i64::try_from(digits.len()).unwrap_or_default();
    let adjusted = exponent + count - 1;
    if exponent > 0 || adjusted < -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{first}{point}{rest}E{adjusted:+}");
    }
    let Ok(fraction) = usize::try_from(-exponent) else { return digits.to_owned() };
    match digits.len().checked_sub(fraction) {
        _ if fraction == 0 => digits.to_owned(),
        Some(whole) if whole > 0 => {
            let (whole, fraction) = digits.split_at(whole);
            format!("{whole}.{fraction}")
        }
        _ => format!("0.{digits:0>fraction$}"),
    }
}

/// The bits of this text. None if it is no number, or one that would have to be rounded.
pub(super) fn parse(text: &str) -> Option<[u8; 16]> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let sign = u128::from(negative) << 127;
    if ["inf", "infinity"].iter().any(|it| rest.eq_ignore_ascii_case(it)) {
        return Some((sign | 0x1e << 122).to_le_bytes());
    }
    if rest.eq_ignore_ascii_case("nan") {
        return Some((0x1f_u128 << 122).to_le_bytes());
    }
    let (number, exponent) = match rest.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, parse_exponent(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = !(whole.is_empty() && fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let (coefficient, exponent) = fit(&[whole, fraction].concat(), exponent)?;
    let biased = u128::try_from(exponent + BIAS).ok()?;
    Some((sign | biased << 113 | coefficient).to_le_bytes())
}

/// An exponent. One of more than nine digits is out of any range, unless the number is zero: cut to that.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let value = if digits.len() > 9 { 1_000_000_000 } else { digits.parse().unwrap_or_default() };
    Some(if negative { -value } else { value })
}

/// A coefficient and exponent within their ranges that are the same number.
fn fit(digits: &str, exponent: i64) -> Option<(u128, i64)> {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some((0, exponent.clamp(LEAST_EXPONENT, MOST_EXPONENT)));
    }
    // Zeros at the end go only as far as they must: their number is part of a decimal.
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let too_many = digits.len().saturating_sub(DIGITS);
    let too_small = usize::try_from(LEAST_EXPONENT.saturating_sub(exponent)).unwrap_or_default();
    let cut = too_many.max(too_small);
    if cut > zeros {
        return None;
    }
    let kept = digits.get(..digits.len() - cut)?;
    let exponent = exponent.checked_add(i64::try_from(cut).ok()?)?;
    let mut coefficient: u128 = kept.parse().ok()?;
    let padding = exponent.saturating_sub(MOST_EXPONENT).max(0);
    if padding > i64::try_from(DIGITS - kept.len()).ok()? {
        return None;
    }
    coefficient *= 10_u128.pow(u32::try_from(padding).ok()?);
    Some((coefficient, exponent - padding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::Decimal128;
    use proptest::prelude::*;

    #[test]
    fn texts_are_those_of_the_specification() {
        for text in [
            "0",
            "-0",
            "0.001234",
            "1E-7",
            "1.5",
            "1.20",
            "1E+3",
            "1.000000000000000000000000000000000E+6144",
            "1E-6176",
            "0E+6111",
            "-Infinity",
            "NaN",
        ] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn what_would_be_rounded_or_is_no_number_is_refused() {
        for bad in [
            "",
            ".",
            "-",
            "E5",
            "1E",
            "1E+",
            "1.2.3",
            "1 ",
            "0x1",
            "1E6145",
            "1E-6177",
            "1E99999999999999999999",
            "12345678901234567890123456789012345",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_bson_crate_agrees_on_every_text(text in "[+-]?([0-9]{1,36}(\\.[0-9]{0,36})?|\\.[0-9]{1,36})([eE][+-]?[0-9]{1,5})?") {
            let oracle = text.parse::<Decimal128>().ok().map(|it| it.bytes());
            prop_assert_eq!(parse(&text), oracle);
        }

        #[test]
        fn the_bson_crate_agrees_on_all_bits(bytes: [u8; 16]) {
            let text = format(bytes);
            prop_assert_eq!(&text, &Decimal128::from_bytes(bytes).to_string());
            prop_assert_eq!(format(parse(&text).unwrap()), text);
        }
    }
}
