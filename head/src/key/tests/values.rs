//! Values of all types and any nesting: keys compare as the slow comparison does.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_testkit::generate::ids::every_id_type;
use tidemark_testkit::rounds;

fn cases() -> Vec<Value> {
    let cases = every_id_type();
    let ids = cases.iter().map(|case| Doc::new(&case.document).unwrap().get("_id").unwrap().unwrap());
    ids.map(|id| (id.kind, id.value.to_vec())).collect()
}

/// Types that a server refuses as `_id` themselves, but not all of them inside of one.
fn refused() -> Vec<Value> {
    vec![
        (kind::UNDEFINED, vec![]),
        (kind::REGEX, b"\0\0".to_vec()),
        (kind::REGEX, b"a\0i\0".to_vec()),
        (kind::REGEX, b"a\0x\0".to_vec()),
        (kind::REGEX, b"ab\0i\0".to_vec()),
        document(kind::ARRAY, &[]),
        document(kind::ARRAY, &[(b"0", int32(1))]),
        document(kind::ARRAY, &[(b"odd", double(1.0)), (b"1", int32(2))]),
        document(kind::ARRAY, &[(b"0", document(kind::ARRAY, &[]))]),
    ]
}

#[test]
fn every_type_of_id_agrees_with_every_other() {
    let values = [cases(), refused()].concat();
    all_agree(&values);
    // And each inside of a document, where another field follows, and where none does.
    let inside = |value: &Value| {
        let field = (b"a".as_slice(), value.clone());
        [document(kind::OBJECT, &[field.clone(), (b"b", int32(1))]), document(kind::OBJECT, &[field])]
    };
    let inside: Vec<Value> = values.iter().flat_map(inside).collect();
    all_agree(&inside);
}

#[test]
fn texts_with_zero_bytes_agree_also_where_something_follows() {
    let texts: [&[u8]; 12] = [
        b"", b"\0", b"\0\0", b"\0\x01", b"\x01", b"a", b"a\0", b"a\0\0", b"a\0\xff", b"a\x01", b"a\xff",
        b"\xff",
    ];
    let mut values: Vec<Value> = texts.iter().map(|text| string(kind::STRING, text)).collect();
    values.extend(texts.iter().map(|text| string(kind::CODE, text)));
    let scopes = [document(kind::OBJECT, &[]), document(kind::OBJECT, &[(b"\xff", (kind::MAX_KEY, vec![]))])];
    values.extend(texts.iter().flat_map(|text| scopes.each_ref().map(|scope| code_with_scope(text, scope))));
    let followed = |value: &Value| {
        let after = [(kind::MIN_KEY, vec![]), (kind::MAX_KEY, vec![])];
        after.map(|after| document(kind::ARRAY, &[(b"0", value.clone()), (b"1", after)]))
    };
    let followed: Vec<Value> = values.iter().flat_map(followed).collect();
    values.extend(followed);
    all_agree(&values);
}

/// Few different values, so that many pairs are equal or nearly so.
fn any_value() -> impl Strategy<Value = Value> {
    let cases = [cases(), refused()].concat();
    let scalar = prop_oneof![
        3 => prop::sample::select(cases),
        1 => (-3..3_i32).prop_map(int32),
        1 => any::<u64>().prop_map(|bits| (kind::DOUBLE, bits.to_le_bytes().to_vec())),
        1 => any::<u128>().prop_map(|bits| (kind::DECIMAL128, bits.to_le_bytes().to_vec())),
        1 => (0..40_u128, -2..1_i32).prop_map(|(amount, exponent)| decimal(false, amount, exponent)),
        1 => vec(prop::sample::select(vec![0, 1, b'a', 0xff]), 0..4)
            .prop_map(|text| string(kind::STRING, &text)),
        1 => (0..3_u8, vec(0..2_u8, 0..3)).prop_map(|(subtype, bytes)| binary(subtype, &bytes)),
        1 => any::<i64>().prop_map(|at| (kind::DATE, at.to_le_bytes().to_vec())),
        1 => any::<u64>().prop_map(|at| (kind::TIMESTAMP, at.to_le_bytes().to_vec())),
        1 => vec(0..2_u8, 12).prop_map(|bytes| (kind::OBJECT_ID, bytes)),
    ];
    scalar.prop_recursive(4, 16, 3, |inner| {
        let name = prop::sample::select(vec![b"".as_slice(), b"a", b"aa", b"b", b"\xff", b"\x01"]);
        (0..3_u8, vec((name, inner), 0..3)).prop_map(|(sort, fields)| match sort {
            0 => document(kind::OBJECT, &fields),
            1 => document(kind::ARRAY, &fields),
            _ => code_with_scope(b"f", &document(kind::OBJECT, &fields)),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(4000)))]

    #[test]
    fn any_values_agree(a in any_value(), b in any_value()) {
        agree(&a, &b);
        agree(&a, &a);
    }

    #[test]
    fn documents_that_begin_alike_agree(common in vec(any_value(), 0..3), a in any_value(), b in any_value()) {
        let document = |last: &[&Value]| {
            let fields = common.iter().chain(last.iter().copied()).map(|value| (b"n".as_slice(), value.clone()));
            document(kind::OBJECT, &fields.collect::<Vec<_>>())
        };
        agree(&document(&[&a]), &document(&[&b]));
        agree(&document(&[&a]), &document(&[]));
        agree(&document(&[&a, &b]), &document(&[&a]));
    }

    #[test]
    fn what_stands_in_front_stays(a in any_value(), before in vec(any::<u8>(), 0..9)) {
        let mut out = before.clone();
        encode(element(&a), &mut out).unwrap();
        prop_assert_eq!(out, [before, key(&a)].concat());
    }
}
