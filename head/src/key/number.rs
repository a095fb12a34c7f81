//! Numbers in keys: every finite one is a sign, a decimal exponent and decimal digits, whatever its type.
//!
//! A double is a whole number times a power of two, so its decimal form is finite too: up to 767 digits, never
//! rounded. The common case, a whole number, takes no detour. Nothing is allocated but in the key.

use super::digits::{self, Wide};

/// A number in the order of MongoDB: NaN first and equal to itself, then by value; -0 is 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Nan,
    Infinite {
        negative: bool,
    },
    /// `± coefficient × 10^exponent`.
    Finite {
        negative: bool,
        coefficient: u128,
        exponent: i32,
    },
}

/// What stands in place of an exponent. Positive numbers have 0x81 to 0xfe, negative ones the complement.
const NAN: u8 = 0x00;
const ZERO: u8 = 0x80;
const INFINITY: u8 = 0xfe;
/// Exponents below and above the short ones follow in two bytes.
const LOW_EXPONENT: u8 = 0x81;
const HIGH_EXPONENT: u8 = 0xfd;
/// The byte of the exponent 0; those up to [`SHORT_EXPONENTS`] away from it are one byte.
const NO_EXPONENT: i32 = 0xbf;
const SHORT_EXPONENTS: i32 = 61;

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        i64::from(value).into()
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Finite { negative: value < 0, coefficient: value.unsigned_abs().into(), exponent: 0 }
    }
}

impl Number {
    /// IEEE 754-2008 decimal128 in its binary-integer form, the one BSON uses.
    pub(super) fn of_decimal(bits: u128) -> Self {
        let negative = bits >> 127 == 1;
        let combination = bits >> 122 & 0b1_1111;
        match combination {
            0b1_1111 => return Self::Nan,
            0b1_1110 => return Self::Infinite { negative },
            _ => {}
        }
        // Two leading ones announce a coefficient of 114 bits, always over the 34 digits allowed: such a
        // number, and any other coefficient over 34 digits, counts as zero.
        let coefficient = if combination >> 3 == 0b11 { 0 } else { bits & ((1 << 113) - 1) };
        let coefficient = if coefficient < 10_u128.pow(34) { coefficient } else { 0 };
        let exponent = i32::try_from(bits >> 113 & 0x3fff).expect("fourteen bits") - 6176;
        Self::Finite { negative, coefficient, exponent }
    }

    /// Appends the number's part of a key.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Nan => out.push(NAN),
            Self::Infinite { negative } => out.push(INFINITY ^ mask(negative)),
            Self::Finite { negative, coefficient, exponent } => {
                digits::of(coefficient, |digits| finite(negative, digits, exponent, out));
            }
        }
    }
}

/// Appends a double's part of a key.
pub(super) fn double(bits: u64, out: &mut Vec<u8>) {
    // IEEE 754: sign, 11 bits of exponent, 52 bits of fraction; the leading 1 is implied unless the exponent
    // is zero.
    let negative = bits >> 63 == 1;
    let biased = i32::try_from(bits >> 52 & 0x7ff).expect("eleven bits");
    let fraction = bits & ((1 << 52) - 1);
    if biased == 0x7ff {
        let number = if fraction == 0 { Number::Infinite { negative } } else { Number::Nan };
        return number.write(out);
    }
    let (odd, twos) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
    if odd == 0 {
        return out.push(ZERO);
    }
    let (odd, twos) = (odd >> odd.trailing_zeros(), twos + odd.trailing_zeros().cast_signed());
    // Small enough to be shifted into 128 bits, as every whole number that people use is.
    if (0..64).contains(&twos) {
        let whole = Number::Finite { negative, coefficient: u128::from(odd) << twos, exponent: 0 };
        return whole.write(out);
    }
    // n × 2^-t is n × 5^t × 10^-t.
    let mut wide = Wide::from(odd);
    wide.times_power(if twos < 0 { 5 } else { 2 }, twos.unsigned_abs());
    wide.digits(|digits| finite(negative, digits, twos.min(0), out));
}

/// Appends `± digits × 10^exponent`: decimal digits, most significant first, without zeros in front.
fn finite(negative: bool, digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let len = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
    let Some(significant) = digits.get(..len).filter(|digits| !digits.is_empty()) else {
        return out.push(ZERO);
    };
    // As 0.ddd × 10^exponent.
    let exponent = exponent + i32::try_from(digits.len()).expect("under a thousand digits");
    let mask = mask(negative);
    if (-SHORT_EXPONENTS..=SHORT_EXPONENTS).contains(&exponent) {
        out.push(u8::try_from(NO_EXPONENT + exponent).expect("0x82 to 0xfc") ^ mask);
    } else {
        out.push(if exponent < 0 { LOW_EXPONENT } else { HIGH_EXPONENT } ^ mask);
        let biased = u16::try_from(exponent + 0x8000).expect("decimal128 goes from -6175 to 6145");
        out.extend(biased.to_be_bytes().map(|byte| byte ^ mask));
    }
    // Two digits in a byte, doubled; odd where more follow, so that what goes on is larger.
    let pairs = significant.chunks(2).map(|pair| match pair {
        [tens, ones] => 2 * (10 * tens + ones) + 1,
        [tens] => 20 * tens + 1,
        _ => 1,
    });
    out.extend(pairs.map(|byte| byte ^ mask));
    if let Some(last) = out.last_mut() {
        *last ^= 1;
    }
}

/// Turns all bits over for what is negative, so that larger amounts come first.
const fn mask(negative: bool) -> u8 {
    if negative { 0xff } else { 0 }
}
