//! Keys byte for byte, as `docs/format.md` describes them. If one of these changes, so has the format.

use super::*;

fn is(value: &Value, expected: &str) {
    let found: String = key(value).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, expected.replace(' ', ""), "{value:02x?}");
}

#[test]
fn whole_numbers() {
    is(&int32(0), "20 80");
    is(&int32(1), "20 c0 14");
    is(&int32(9), "20 c0 b4");
    is(&int32(10), "20 c1 14");
    is(&int32(42), "20 c1 54");
    is(&int32(123), "20 c2 19 3c");
    is(&int32(1000), "20 c3 14");
    is(&int32(1_234_567), "20 c6 19 45 71 8c");
    is(&int32(-1), "20 3f eb");
    is(&int32(-123), "20 3d e6 c3");
    is(&int64(i64::MAX), "20 d2 b9 2f 4b 29 49 ab 5f 97 a1 8c");
    is(&int64(i64::MIN), "20 2d 46 d0 b4 d6 b6 54 a0 68 5e 5f");
}

#[test]
fn fractions_and_what_is_no_number() {
    is(&double(0.5), "20 bf 64");
    is(&double(-0.5), "20 40 9b");
    is(&double(0.25), "20 bf 32");
    is(&double(0.0625), "20 be 7d 64");
    is(&decimal(false, 1, -1), "20 bf 14");
    is(&decimal(false, 100, -2), "20 c0 14");
    is(&decimal(false, 1, 60), "20 fc 14");
    is(&decimal(false, 1, 61), "20 fd 80 3e 14");
    is(&decimal(false, 1, -62), "20 82 14");
    is(&decimal(false, 1, -63), "20 81 7f c2 14");
    is(&decimal(true, 1, 61), "20 02 7f c1 eb");
    is(&decimal(false, 1, 6111), "20 fd 97 e0 14");
    is(&decimal(false, 1, -6176), "20 81 67 e1 14");
    is(&decimal(true, 0, 3), "20 80");
    is(&double(-0.0), "20 80");
    is(&double(f64::INFINITY), "20 fe");
    is(&double(f64::NEG_INFINITY), "20 01");
    is(&double(f64::NAN), "20 00");
}

#[test]
fn the_exact_value_of_a_double() {
    // 0.1000000000000000055511151231257827021181583404541015625
    let exact = "10000000000000000555111512312578270211815834045410156250";
    let mut expected = vec![0x20, 0xbf];
    for pair in exact.as_bytes().chunks(2) {
        expected.push(2 * (10 * (pair[0] - b'0') + pair[1] - b'0') + 1);
    }
    *expected.last_mut().unwrap() -= 1;
    assert_eq!(key(&double(0.1)), expected);
}

#[test]
fn texts_documents_and_arrays() {
    is(&string(kind::STRING, b""), "28 00");
    is(&string(kind::STRING, b"abc"), "28 61 62 63 00");
    is(&string(kind::SYMBOL, b"abc"), "28 61 62 63 00");
    is(&string(kind::STRING, b"a\0b\0\0"), "28 61 00 ff 62 00 ff 00 ff 00");
    is(&string(kind::STRING, b"\xff\xc3"), "28 ff c3 00");
    is(&document(kind::OBJECT, &[]), "30 00");
    let inner = document(kind::ARRAY, &[(b"0", string(kind::STRING, b"x")), (b"1", (kind::NULL, vec![]))]);
    is(&inner, "38 28 78 00 18 00");
    let outer = document(kind::OBJECT, &[(b"a", int32(1)), (b"", (kind::BOOL, vec![1])), (b"l", inner)]);
    is(&outer, "30 20 61 00 c0 14 50 00 01 38 6c 00 28 78 00 18 00 00");
}

#[test]
fn the_other_types() {
    is(&(kind::MIN_KEY, vec![]), "08");
    is(&(kind::UNDEFINED, vec![]), "10");
    is(&(kind::NULL, vec![]), "18");
    is(&(kind::MAX_KEY, vec![]), "f0");
    is(&(kind::OBJECT_ID, (1..=12).collect()), "48 01 02 03 04 05 06 07 08 09 0a 0b 0c");
    is(&(kind::BOOL, vec![0]), "50 00");
    is(&(kind::DATE, 1_i64.to_le_bytes().to_vec()), "58 80 00 00 00 00 00 00 01");
    is(&(kind::DATE, (-1_i64).to_le_bytes().to_vec()), "58 7f ff ff ff ff ff ff ff");
    is(&(kind::TIMESTAMP, vec![1, 0, 0, 0, 2, 0, 0, 0xff]), "60 ff 00 00 02 00 00 00 01");
    is(&binary(4, &[7; 16]), "40 10 04 07070707 07070707 07070707 07070707");
    is(&binary(0, &[]), "40 00 00");
    let long = key(&binary(0x80, &[1; 255]));
    assert_eq!(long[..7], [0x40, 0xff, 0, 0, 0, 0xff, 0x80]);
    assert_eq!(long.len(), 262);
    is(&(kind::REGEX, b"a.b\0i\0".to_vec()), "68 61 2e 62 00 69 00");
    let pointer = [&[2, 0, 0, 0, b'n', 0], [9; 12].as_slice()].concat();
    is(&(kind::DB_POINTER, pointer), "70 01 6e 09090909 09090909 09090909");
    is(&string(kind::CODE, b"f()"), "78 66 28 29 00");
    let scope = document(kind::OBJECT, &[(b"x", int32(1))]);
    is(&code_with_scope(b"f", &scope), "80 66 00 20 78 00 c0 14 00");
}
