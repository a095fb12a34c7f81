//! Numbers of four types: equal ones have one key, and at every edge the order is that of the exact values.

use super::*;
use proptest::prelude::*;

#[test]
fn the_edges_of_all_types_agree_each_with_each() {
    let mut values = Vec::new();
    for power in [1_i64 << 31, 1 << 52, 1 << 53, 1 << 54, 1 << 62, 10, 100, 1000, 1_000_000, 10_i64.pow(18)] {
        for near in [power - 1, power, power + 1] {
            values.extend([int64(near), int64(-near)]);
            #[expect(clippy::cast_precision_loss, reason = "some number near it")]
            let number = near as f64;
            values.extend([double(number), double(-number.next_up()), double(number.next_down())]);
            let amount = u128::from(near.unsigned_abs());
            values.extend([decimal(false, amount, 0), decimal(true, amount * 100, -2)]);
            values.push(decimal(false, amount * 10_u128.pow(15) + 1, -15));
        }
    }
    values.extend([i32::MIN, -1, 0, 1, i32::MAX].map(int32));
    values.extend([i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX].map(int64));
    values.extend(doubles().map(double));
    let biggest = 10_u128.pow(34) - 1;
    for negative in [false, true] {
        for exponent in
            [-6176, -6175, -6143, -400, -324, -323, -64, -63, -62, -61, -1, 0, 1, 60, 61, 62, 6111]
        {
            values.extend([0, 1, 10, biggest].map(|amount| decimal(negative, amount, exponent)));
        }
    }
    // Too many digits count as zero; infinities and NaN, with bits behind them that do not count.
    let bits = [10_u128.pow(34) | 6176 << 113, 0b1_1000 << 122 | 7, 0b11 << 125 | 1, 0b1_1110 << 122];
    values.extend(bits.map(|bits| (kind::DECIMAL128, bits.to_le_bytes().to_vec())));
    let bits = [0b11_1110 << 122 | 5, 0b1_1111 << 122, 0b11_1111 << 122 | 1];
    values.extend(bits.map(|bits: u128| (kind::DECIMAL128, bits.to_le_bytes().to_vec())));
    all_agree(&values);
}

fn doubles() -> impl Iterator<Item = f64> {
    let amounts = [
        0.0,
        f64::from_bits(1),
        f64::from_bits(2),
        f64::MIN_POSITIVE.next_down(),
        f64::MIN_POSITIVE,
        1e-62,
        1e-61,
        0.1,
        0.1_f64.next_up(),
        0.25,
        0.5,
        1.0_f64.next_down(),
        1.0,
        1.0_f64.next_up(),
        1.5,
        2_f64.powi(63),
        2_f64.powi(64),
        2_f64.powi(116),
        2_f64.powi(117),
        1e22,
        1e23,
        1e60,
        1e61,
        1e62,
        f64::MAX.next_down(),
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
        f64::from_bits(0x7ff0_0000_0000_0001),
    ];
    amounts.into_iter().flat_map(|amount| [amount, -amount])
}

#[test]
fn every_power_of_two_that_a_double_can_be_keeps_its_place() {
    let powers: Vec<Value> = (0..52)
        .map(|bit| f64::from_bits(1 << bit))
        .chain((1..0x7ff_u64).map(|exponent| f64::from_bits(exponent << 52)))
        .map(double)
        .collect();
    let keys: Vec<_> = powers.iter().map(key).collect();
    assert!(keys.is_sorted_by(|a, b| a < b));
    assert_eq!(keys.len(), 2098);
    assert_eq!(keys.iter().map(Vec::len).max(), Some(380));
}

/// All the spellings of the number with these decimal digits and this exponent, in decimal128.
fn decimals(negative: bool, coefficient: u128, exponent: i32) -> impl Iterator<Item = Value> {
    (0..34).map_while(move |zeros| {
        let coefficient = coefficient.checked_mul(10_u128.pow(zeros))?;
        let exponent = exponent - zeros.cast_signed();
        let fits = coefficient < 10_u128.pow(34) && exponent >= -6176;
        fits.then(|| decimal(negative, coefficient, exponent))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_whole_number_has_one_key_in_all_four_types(value: i32) {
        let expected = key(&int32(value));
        prop_assert_eq!(&key(&int64(value.into())), &expected);
        prop_assert_eq!(&key(&double(value.into())), &expected);
        for decimal in decimals(value < 0, value.unsigned_abs().into(), 0) {
            prop_assert_eq!(&key(&decimal), &expected);
        }
    }

    #[test]
    fn a_large_whole_number_has_one_key_where_it_is_exact(value: u64, shift in 0..64_u32) {
        let value = (value >> shift).cast_signed();
        let expected = key(&int64(value));
        for decimal in decimals(value < 0, value.unsigned_abs().into(), 0) {
            prop_assert_eq!(&key(&decimal), &expected);
        }
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "exactly then counts")]
        let (near, back) = (value as f64, value as f64 as i128);
        prop_assert_eq!(key(&double(near)) == expected, back == i128::from(value));
    }

    #[test]
    fn a_fraction_that_is_exact_in_both_has_one_key(quarters: i32, negative: bool) {
        let fraction = f64::from(quarters.unsigned_abs()) / 4.0;
        let expected = key(&double(if negative { -fraction } else { fraction }));
        for decimal in decimals(negative, u128::from(quarters.unsigned_abs()) * 25, -2) {
            prop_assert_eq!(&key(&decimal), &expected);
        }
    }

    #[test]
    fn any_doubles_agree(a: u64, b: u64, near in -3..4_i64) {
        let double = |bits: u64| (kind::DOUBLE, bits.to_le_bytes().to_vec());
        agree(&double(a), &double(b));
        agree(&double(a), &double(a.wrapping_add_signed(near)));
    }

    #[test]
    fn any_decimals_agree(a: u128, b: u128, coefficient in 0..10_u128.pow(34), exponent in -6176..6112_i32, near in -20..20_i32) {
        let any = |bits: u128| (kind::DECIMAL128, bits.to_le_bytes().to_vec());
        agree(&any(a), &any(b));
        let one = decimal(false, coefficient, exponent);
        agree(&any(a), &one);
        agree(&one, &decimal(false, coefficient / 10_u128.pow(near.unsigned_abs()), (exponent + near).clamp(-6176, 6111)));
    }

    #[test]
    fn a_decimal_near_a_double_agrees(value: f64, digits in 1..34_usize, more in -2..3_i128) {
        if let Some(near) = nearest(value, digits, more) {
            agree(&double(value), &near);
        }
    }
}

/// The first digits of a double as a decimal, a little more or less.
fn nearest(value: f64, digits: usize, more: i128) -> Option<Value> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{:.*e}", digits - 1, value.abs());
    let (digits, exponent) = text.split_once('e')?;
    let fraction = i32::try_from(digits.len().saturating_sub(2)).ok()?;
    let coefficient: i128 = digits.replace('.', "").parse().ok()?;
    let coefficient = u128::try_from(coefficient + more).ok().filter(|it| *it < 10_u128.pow(34))?;
    Some(decimal(value < 0.0, coefficient, exponent.parse::<i32>().ok()? - fraction))
}
