//! BSON numbers as exact values: nothing here is ever rounded.
//!
//! Every finite double is an integer times a power of two, every finite decimal128 an integer times a power
//! of ten, so both are `digits × 2^twos × 5^fives`. Used by the comparison in [`super`] only.

use crate::raw::kind;
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;
use tidemark_base::codec::{CodecError, CodecProblem, Reader};

/// A number in the order of MongoDB: NaN first and equal to itself, then by value; -0 is 0.
#[derive(Clone, Debug)]
pub(super) enum Number {
    Nan,
    NegativeInfinity,
    Finite(Finite),
    PositiveInfinity,
}

/// `digits × 2^twos × 5^fives`.
#[derive(Clone, Debug)]
pub(super) struct Finite {
    digits: BigInt,
    twos: i32,
    fives: i32,
}

impl Number {
    /// Reads a value of one of the four numeric types.
    pub(super) fn read(kind: u8, value: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(value);
        let number = match kind {
            kind::INT32 => Self::integer(i32::from_le_bytes(reader.array("int32")?).into()),
            kind::INT64 => Self::integer(reader.i64("int64")?),
            kind::DOUBLE => Self::double(f64::from_bits(reader.u64("double")?)),
            kind::DECIMAL128 => Self::decimal(u128::from_le_bytes(reader.array("decimal128")?)),
            other => return Err(reader.error("number", CodecProblem::Unknown { value: other.into() })),
        };
        reader.finish("number")?;
        Ok(number)
    }

    fn integer(value: i64) -> Self {
        Self::Finite(Finite { digits: value.into(), twos: 0, fives: 0 })
    }

    fn double(value: f64) -> Self {
        if value.is_nan() {
            return Self::Nan;
        }
        if value.is_infinite() {
            return if value < 0.0 { Self::NegativeInfinity } else { Self::PositiveInfinity };
        }
        // IEEE 754: sign, 11 bits of exponent, 52 bits of fraction; the leading 1 is implied unless the
        // exponent is zero.
        let bits = value.to_bits();
        let exponent = i32::try_from((bits >> 52) & 0x7ff).expect("eleven bits");
        let fraction = bits & ((1 << 52) - 1);
        let digits = if exponent == 0 { fraction } else { fraction | (1 << 52) };
        let digits = if value.is_sign_negative() { -BigInt::from(digits) } else { BigInt::from(digits) };
        Self::Finite(Finite { digits, twos: exponent.max(1) - 1075, fives: 0 })
    }

    /// IEEE 754-2008 decimal128 in its binary-integer form, the one BSON uses.
    fn decimal(bits: u128) -> Self {
        let negative = bits >> 127 == 1;
        let combination = (bits >> 122) & 0b1_1111;
        if combination == 0b1_1111 {
            return Self::Nan;
        }
        if combination == 0b1_1110 {
            return if negative { Self::NegativeInfinity } else { Self::PositiveInfinity };
        }
        // Two leading ones announce a coefficient of 114 bits, always over the 34 digits allowed: such a
        // number, and any other coefficient over 34 digits, counts as zero.
        let coefficient = if combination >> 3 == 0b11 { 0 } else { bits & ((1 << 113) - 1) };
        let coefficient = if coefficient < 10_u128.pow(34) { coefficient } else { 0 };
        let exponent = i32::try_from((bits >> 113) & 0x3fff).expect("fourteen bits") - 6176;
        let digits = BigInt::from(coefficient);
        let digits = if negative { -digits } else { digits };
        Self::Finite(Finite { digits, twos: exponent, fives: exponent })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Nan => 0,
            Self::NegativeInfinity => 1,
            Self::Finite(_) => 2,
            Self::PositiveInfinity => 3,
        }
    }

    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Finite {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.digits.sign(), other.digits.sign());
        if a != b || a == Sign::NoSign {
            return sign(a).cmp(&sign(b));
        }
        // Multiplying both by the same powers makes both whole numbers.
        let (twos, fives) = (self.twos.min(other.twos), self.fives.min(other.fives));
        self.whole(twos, fives).cmp(&other.whole(twos, fives))
    }

    /// The digits after division by `2^twos × 5^fives`, of which neither exponent is above ours.
    fn whole(&self, twos: i32, fives: i32) -> BigInt {
        let power = |base: u32, exponent: i32| {
            BigInt::from(base).pow(u32::try_from(exponent).expect("the smaller was taken away"))
        };
        &self.digits * power(2, self.twos - twos) * power(5, self.fives - fives)
    }
}

fn sign(sign: Sign) -> i8 {
    match sign {
        Sign::Minus => -1,
        Sign::NoSign => 0,
        Sign::Plus => 1,
    }
}
