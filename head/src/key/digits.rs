//! Decimal digits of whole numbers: of up to 128 bits, and of those as wide as a double's exact value needs.
//!
//! Used for numbers in keys. On the stack alone.

/// Nine digits to a limb.
const LIMB: u32 = 1_000_000_000;
const LIMB_DIGITS: usize = 9;
/// The smallest doubles have 767 digits: 86 limbs.
const LIMBS: usize = 88;

/// Passes the digits of `value` on, most significant first, without zeros in front; none for zero.
pub(super) fn of<T>(value: u128, then: impl FnOnce(&[u8]) -> T) -> T {
    let mut digits = [0; 39];
    let mut places = digits.iter_mut().rev();
    // Division of 128 bits is slow, and rarely needed.
    let mut rest = value;
    while rest > u128::from(u64::MAX) {
        *places.next().expect("128 bits are 39 digits") = digit(rest % 10);
        rest /= 10;
    }
    let mut rest = u64::try_from(rest).expect("the loop went on until it was");
    while rest > 0 {
        *places.next().expect("128 bits are 39 digits") = digit((rest % 10).into());
        rest /= 10;
    }
    then(without_zeros(&digits))
}

fn digit(value: u128) -> u8 {
    u8::try_from(value).expect("a remainder of ten")
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let start = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
    digits.get(start..).unwrap_or_default()
}

/// A whole number of up to 792 digits.
pub(super) struct Wide {
    /// Least significant first.
    limbs: [u32; LIMBS],
    len: usize,
}

impl From<u64> for Wide {
    fn from(value: u64) -> Self {
        let mut wide = Self { limbs: [0; LIMBS], len: 0 };
        wide.carry(value);
        wide
    }
}

impl Wide {
    /// Multiplies by a power. Panics beyond 792 digits, which no double has.
    pub(super) fn times_power(&mut self, base: u32, exponent: u32) {
        // As many at once as fit.
        let at_once = u32::MAX.ilog(base);
        for _ in 0..exponent / at_once {
            self.times(base.pow(at_once));
        }
        self.times(base.pow(exponent % at_once));
    }

    fn times(&mut self, factor: u32) {
        let mut carry = 0;
        for limb in self.limbs.iter_mut().take(self.len) {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = low(product);
            carry = product / u64::from(LIMB);
        }
        self.carry(carry);
    }

    fn carry(&mut self, mut carry: u64) {
        while carry > 0 {
            *self.limbs.get_mut(self.len).expect("no double has more digits") = low(carry);
            self.len += 1;
            carry /= u64::from(LIMB);
        }
    }

    /// Passes the digits on, most significant first, without zeros in front; none for zero.
    pub(super) fn digits<T>(&self, then: impl FnOnce(&[u8]) -> T) -> T {
        let mut digits = [0; LIMBS * LIMB_DIGITS];
        for (places, limb) in digits.rchunks_mut(LIMB_DIGITS).zip(self.limbs.iter().take(self.len)) {
            let mut rest = *limb;
            for place in places.iter_mut().rev() {
                *place = digit((rest % 10).into());
                rest /= 10;
            }
        }
        then(without_zeros(&digits))
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value % u64::from(LIMB)).expect("a remainder of a billion")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(digits: &[u8]) -> String {
        digits.iter().map(|digit| char::from(b'0' + digit)).collect()
    }

    proptest! {
        #[test]
        fn they_are_those_that_the_standard_library_writes(value: u128, shift in 0..128_u32) {
            let value = value >> shift;
            let expected = if value == 0 { String::new() } else { value.to_string() };
            prop_assert_eq!(of(value, text), expected);
        }

        #[test]
        fn wide_numbers_multiply_exactly(value: u32, twos in 0..33_u32, fives in 0..27_u32) {
            let mut wide = Wide::from(u64::from(value));
            wide.times_power(2, twos);
            wide.times_power(5, fives);
            let expected = u128::from(value) * 2_u128.pow(twos) * 5_u128.pow(fives);
            prop_assert_eq!(wide.digits(text), of(expected, text));
        }
    }

    #[test]
    fn the_widest_double_fits() {
        let mut wide = Wide::from(u64::MAX >> 11);
        wide.times_power(5, 1074);
        assert_eq!(wide.digits(<[u8]>::len), 767);
    }
}
