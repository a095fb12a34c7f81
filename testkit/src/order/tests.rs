//! The facts of MongoDB's order one by one, the order of a real server, and that it is an order at all.

use super::*;
use crate::captures;
use crate::generate::ids::every_id_type;
use crate::generate::writer::{Writer, document};
use crate::raw;
use crate::state::Order;
use proptest::prelude::*;

fn key(write: impl FnOnce(&mut Writer<'_>)) -> IdKey {
    let mut bytes = Vec::new();
    document(&mut bytes, write);
    IdKey::of_document(&bytes).unwrap().unwrap()
}

fn case(name: &str) -> IdKey {
    let cases = every_id_type();
    let case = cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"));
    IdKey::of_document(&case.document).unwrap().unwrap()
}

fn decimal(text: &str) -> IdKey {
    let value: bson::Decimal128 = text.parse().unwrap();
    IdKey::new(kind::DECIMAL128, &value.bytes()).unwrap()
}

fn ascending(names: &[&str]) {
    for pair in names.windows(2) {
        assert!(case(pair[0]) < case(pair[1]), "{} < {}", pair[0], pair[1]);
    }
}

#[test]
fn classes_of_types_stand_in_mongodbs_order() {
    let array = IdKey::new(kind::ARRAY, &[5, 0, 0, 0, 0]).unwrap();
    let regex = IdKey::new(kind::REGEX, b"a\0i\0").unwrap();
    let undefined = IdKey::new(kind::UNDEFINED, &[]).unwrap();
    let expected = [
        case("min key"),
        undefined,
        case("null"),
        case("double nan"),
        case("string empty"),
        case("object empty"),
        array,
        case("binary empty"),
        case("object id"),
        case("false"),
        case("true"),
        case("date before 1970"),
        case("timestamp zero"),
        regex,
        case("db pointer"),
        case("code"),
        case("code with scope"),
        case("max key"),
    ];
    assert!(expected.is_sorted_by(|a, b| a < b), "{expected:?}");
}

#[test]
fn numbers_compare_by_exact_value_across_types() {
    ascending(&[
        "double nan",
        "double -inf",
        "int64 min",
        "int32 -1",
        "int32 0",
        "decimal 1E-6176",
        "double smallest",
        "decimal 0.1",
        "double 0.1",
        "double 0.5",
        "int32 1",
        "int32 max",
        "int64 2^53",
        "int64 2^53 + 1",
        "int64 max",
        "double 2^63",
        "double largest",
        "decimal 1E+6111",
        "double inf",
    ]);
    assert_eq!(decimal("9007199254740993"), key(|w| w.i64("_id", (1 << 53) + 1)));
    assert_ne!(decimal("9007199254740993"), key(|w| w.f64("_id", 9_007_199_254_740_993.0)));
    // The exact value of the double nearest to 0.1, cut to 34 digits, is below it by less than any double step.
    assert!(decimal("0.1000000000000000055511151231257827") < key(|w| w.f64("_id", 0.1)));
    assert!(decimal("0.1000000000000000055511151231257828") > key(|w| w.f64("_id", 0.1)));
    assert_eq!(decimal("0.5000"), key(|w| w.f64("_id", 0.5)));
}

#[test]
fn negative_numbers_compare_the_other_way_round() {
    assert!(decimal("-0.1") > key(|w| w.f64("_id", -0.1)));
    assert!(key(|w| w.i64("_id", i64::MIN)) < key(|w| w.i64("_id", i64::MIN + 1)));
    assert!(decimal("-9.223372036854775809E+18") < key(|w| w.i64("_id", i64::MIN)));
}

#[test]
fn a_decimal_with_too_many_digits_counts_as_zero() {
    let zero = key(|w| w.i32("_id", 0));
    for bits in [10_u128.pow(34) | 6176 << 113, 0b1_1000 << 122 | 7, 0b11 << 125 | 1] {
        assert_eq!(IdKey::new(kind::DECIMAL128, &bits.to_le_bytes()).unwrap(), zero, "{bits:#x}");
    }
    assert_eq!(decimal("0E-6176"), decimal("-0E+6111"));
}

#[test]
fn texts_compare_byte_by_byte() {
    let text = |s: &str| key(|w| w.str("_id", s));
    assert!(text("Z") < text("a") && text("a") < text("é"));
    assert!(text("abc") < text("abc\0") && text("abc\0") < text("abcd"));
    let invalid = IdKey::new(kind::STRING, b"\x02\0\0\0\xff\0").unwrap();
    assert!(text("é") < invalid);
    assert_eq!(case("string"), case("symbol"));
}

#[test]
fn documents_compare_by_type_then_name_then_value_and_field_order_matters() {
    assert!(case("object") < case("object, other order"));
    assert!(case("object, beginning") < case("object"));
    assert_eq!(case("object"), case("object, other numbers"));
    // A null called z comes before a number called a: type first.
    let null_z = key(|w| w.object("_id", |w| w.null("z")));
    let number_a = key(|w| w.object("_id", |w| w.i32("a", 1)));
    let string_a = key(|w| w.object("_id", |w| w.str("a", "")));
    assert!(null_z < number_a && number_a < string_a);
    // Name before value.
    assert!(key(|w| w.object("_id", |w| w.i32("a", 9))) < key(|w| w.object("_id", |w| w.i32("b", 1))));
    let min_key = key(|w| w.object("_id", |w| w.raw(kind::MIN_KEY, "a", &[])));
    assert!(case("object empty") < min_key);
}

#[test]
fn names_of_array_elements_do_not_count() {
    let array = |name: &str, n: i32| key(|w| w.object("_id", |w| w.array("a", |w| w.i32(name, n))));
    assert_eq!(array("0", 1), array("odd", 1));
    assert!(array("9", 1) < array("0", 2));
}

#[test]
fn binary_compares_length_then_subtype_then_bytes() {
    let binary = |subtype: u8, bytes: &[u8]| key(|w| w.binary("_id", subtype, bytes));
    assert!(binary(0, &[9, 9]) < binary(0, &[0; 3]));
    assert!(binary(128, &[9, 9]) < binary(0, &[0; 256]));
    assert!(binary(0, &[9]) < binary(4, &[1]) && binary(4, &[1]) < binary(4, &[2]));
    assert!(binary(5, &[0]) < binary(128, &[0]));
}

#[test]
fn dates_are_signed_and_timestamps_are_not() {
    assert!(case("date before 1970") < case("date"));
    assert!(case("timestamp zero") < case("timestamp"));
}

#[test]
fn the_rare_types_compare_by_their_parts() {
    let value = |kind: u8, bytes: &[u8]| IdKey::new(kind, bytes).unwrap();
    assert!(value(kind::REGEX, b"a\0x\0") < value(kind::REGEX, b"ab\0i\0"));
    assert!(value(kind::REGEX, b"a\0i\0") < value(kind::REGEX, b"a\0x\0"));
    let pointer = |ns: &[u8], last: u8| {
        let len = u32::try_from(ns.len() + 1).unwrap().to_le_bytes();
        value(kind::DB_POINTER, &[&len, ns, &[0; 12], &[last]].concat())
    };
    assert!(pointer(b"z", 1) < pointer(b"aa", 0) && pointer(b"aa", 0) < pointer(b"aa", 1));
    let scoped = |code: &[u8], n: u8| {
        let scope = [12, 0, 0, 0, kind::INT32, b'x', 0, n, 0, 0, 0, 0];
        let len = u32::try_from(code.len() + 21).unwrap().to_le_bytes();
        let code_len = u32::try_from(code.len() + 1).unwrap().to_le_bytes();
        value(kind::CODE_WITH_SCOPE, &[&len, code_len.as_slice(), code, &[0], &scope].concat())
    };
    assert!(scoped(b"f", 9) < scoped(b"g", 1) && scoped(b"f", 1) < scoped(b"f", 2));
    assert_eq!(case("min key"), value(kind::MIN_KEY, &[]));
}

#[test]
fn deep_values_compare_up_to_the_limit_and_are_refused_beyond() {
    let nested = |levels: usize, leaf: u8| {
        let mut value = vec![12, 0, 0, 0, kind::INT32, b'x', 0, leaf, 0, 0, 0, 0];
        for _ in 1..levels {
            let len = u32::try_from(value.len() + 8).unwrap().to_le_bytes();
            value = [&len, [kind::OBJECT, b'a', 0].as_slice(), &value, &[0]].concat();
        }
        value
    };
    let key = |levels, leaf| IdKey::new(kind::OBJECT, &nested(levels, leaf));
    assert!(key(MAX_BSON_DEPTH, 1).unwrap() < key(MAX_BSON_DEPTH, 2).unwrap());
    assert!(key(MAX_BSON_DEPTH + 1, 1).is_err());
    let (a, b) = (nested(MAX_BSON_DEPTH + 1, 1), nested(MAX_BSON_DEPTH + 1, 2));
    assert_eq!(compare((kind::OBJECT, &a), (kind::OBJECT, &b)).expect_err("too deep").what, "nesting");
}

#[test]
fn collections_of_the_real_server_stand_in_this_order() {
    let mut documents = 0;
    for capture in captures::all().unwrap() {
        for state in [&capture.initial, &capture.final_] {
            for collection in state.collections.iter().chain(&state.admin).chain(&state.config) {
                let collated = raw::field(&collection.options, "collation").unwrap().is_some();
                if collection.order != Order::Id || collated {
                    continue;
                }
                let keys: Vec<_> =
                    collection.documents.iter().map(|d| IdKey::of_document(d).unwrap().unwrap()).collect();
                assert!(keys.is_sorted_by(|a, b| a < b), "{} {}", capture.name, collection.namespace());
                documents += keys.len();
            }
        }
    }
    assert!(documents > 10_000, "{documents}");
}

fn number() -> impl Strategy<Value = IdKey> {
    prop_oneof![
        (-3..3_i32).prop_map(|v| IdKey::new(kind::INT32, &v.to_le_bytes()).unwrap()),
        any::<i64>().prop_map(|v| IdKey::new(kind::INT64, &v.to_le_bytes()).unwrap()),
        any::<u64>().prop_map(|v| IdKey::new(kind::DOUBLE, &v.to_le_bytes()).unwrap()),
        (-6..6_i32).prop_map(|v| IdKey::new(kind::DOUBLE, &(f64::from(v) / 2.0).to_le_bytes()).unwrap()),
        any::<u128>().prop_map(|v| IdKey::new(kind::DECIMAL128, &v.to_le_bytes()).unwrap()),
        (0..40_u64, -2..1_i16).prop_map(|(c, e)| key(|w| w.decimal("_id", c, e))),
    ]
}

fn any_key() -> impl Strategy<Value = IdKey> {
    let cases = every_id_type();
    let cases = (0..cases.len()).prop_map(move |i| IdKey::of_document(&cases[i].document).unwrap().unwrap());
    let scalar =
        prop_oneof![2 => number(), 3 => cases, 1 => "[ab\0]{0,3}".prop_map(|s| key(|w| w.str("_id", &s)))];
    scalar.prop_recursive(3, 12, 3, |inner| {
        let fields = proptest::collection::vec(("[ab]{0,2}", inner), 0..3);
        (any::<bool>(), fields).prop_map(|(array, fields)| {
            key(|w| {
                let fill = |w: &mut Writer<'_>| {
                    fields.iter().for_each(|(name, value)| w.raw(value.kind(), name, value.value()));
                };
                if array { w.array("_id", fill) } else { w.object("_id", fill) }
            })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn it_is_a_total_order(a in any_key(), b in any_key(), c in any_key()) {
        prop_assert_eq!(a.cmp(&a), Ordering::Equal);
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a == b {
            prop_assert_eq!(a.cmp(&c), b.cmp(&c));
        }
    }

    #[test]
    fn numbers_of_one_type_agree_with_the_machine(a: f64, b: f64, x: i64, y: i64) {
        let double = |v: f64| key(|w| w.f64("_id", v));
        let integer = |v: i64| key(|w| w.i64("_id", v));
        prop_assert_eq!(integer(x).cmp(&integer(y)), x.cmp(&y));
        if let Some(order) = a.partial_cmp(&b) {
            prop_assert_eq!(double(a).cmp(&double(b)), order);
        }
    }

    #[test]
    fn broken_values_are_errors_and_never_panics(
        a_kind: u8, b_kind: u8,
        a in proptest::collection::vec(any::<u8>(), 0..40), b in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let _ = compare((a_kind, &a), (b_kind, &b));
    }
}
