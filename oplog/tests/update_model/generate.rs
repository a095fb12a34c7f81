//! Random documents and updates over a handful of names, so that they meet often.

use crate::slow::tree::{Fields, NULL, Value, encode, numbered};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use tidemark_testkit::raw::kind;

/// Names that look like sections, positions, paths, or nothing at all; the first ones are drawn most often.
const NAMES: [&[u8]; 22] = [
    b"a",
    b"b",
    b"",
    b"l",
    b"u",
    b"s",
    b"u1",
    b"s1",
    b"d",
    b"i",
    b"_id",
    b"0",
    b"1",
    b"2",
    b"10",
    b"01",
    b"1a",
    b"a.b",
    b"$x",
    b"\xc3\xa9",
    b"\xff",
    b"sa",
];

pub(crate) fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => select(&NAMES[..4]), 3 => select(&NAMES[..])].prop_map(<[u8]>::to_vec)
}

/// Values of every type that hold no others.
fn plain() -> impl Strategy<Value = Value> {
    let of = |kind: u8, bytes: &[u8]| Value::Plain(kind, bytes.to_vec());
    let fixed = vec![
        NULL,
        of(kind::UNDEFINED, b""),
        of(kind::MIN_KEY, b""),
        of(kind::MAX_KEY, b""),
        of(kind::BOOL, &[1]),
        of(kind::INT32, &7_i32.to_le_bytes()),
        of(kind::INT32, &i32::MAX.to_le_bytes()),
        of(kind::INT64, &(-1_i64).to_le_bytes()),
        of(kind::INT64, &i64::MAX.to_le_bytes()),
        of(kind::DOUBLE, &0.5_f64.to_le_bytes()),
        of(kind::DOUBLE, &f64::NAN.to_le_bytes()),
        of(kind::DATE, &5_i64.to_le_bytes()),
        of(kind::TIMESTAMP, &[1, 0, 0, 0, 2, 0, 0, 0]),
        of(kind::OBJECT_ID, &[9; 12]),
        of(kind::DECIMAL128, &[3; 16]),
        of(kind::STRING, b"\x02\0\0\0x\0"),
        of(kind::STRING, b"\x03\0\0\0\xff\0\0"),
        of(kind::SYMBOL, b"\x02\0\0\0x\0"),
        of(kind::CODE, b"\x01\0\0\0\0"),
        of(kind::CODE_WITH_SCOPE, b"\x16\0\0\0\x02\0\0\0x\0\x0c\0\0\0\x10a\0\x01\0\0\0\0"),
        of(kind::REGEX, b"^a\0i\0"),
        of(kind::DB_POINTER, b"\x02\0\0\0x\0aaaabbbbcccc"),
        of(kind::BINARY, b"\x03\0\0\0\x07abc"),
        of(kind::BINARY, b"\0\0\0\0\0"),
    ];
    select(fixed)
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    plain().prop_recursive(4, 24, 5, |inner| {
        let fields = prop::collection::vec((name(), inner.clone()), 0..5);
        let array = prop::collection::vec(inner.clone(), 0..5).prop_map(numbered);
        let odd = prop::collection::vec((name(), inner), 0..5);
        prop_oneof![
            4 => fields.prop_map(Value::Object),
            4 => array.prop_map(Value::Array),
            1 => odd.prop_map(Value::Array),
        ]
    })
}

pub(crate) fn document() -> impl Strategy<Value = Fields> {
    let fields = prop::collection::vec((name(), value()), 0..7);
    (any::<bool>(), fields).prop_map(|(with_id, mut fields)| {
        if with_id {
            fields.insert(0, (b"_id".to_vec(), Value::Plain(kind::INT32, vec![1, 0, 0, 0])));
        }
        fields
    })
}

/// A document in which no name occurs twice and all arrays are numbered, which every server holds.
pub(crate) fn tidy_document() -> impl Strategy<Value = Fields> {
    document().prop_map(|fields| tidy(&fields))
}

/// The document without what makes it untidy.
pub(crate) fn tidy(fields: &Fields) -> Fields {
    let mut seen = BTreeSet::new();
    let fields = fields.iter().filter(|(name, _)| seen.insert(name.clone()));
    fields.map(|(name, value)| (name.clone(), tidy_value(value))).collect()
}

fn tidy_value(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(tidy(fields)),
        Value::Array(fields) => Value::Array(numbered(fields.iter().map(|(_, value)| tidy_value(value)))),
        plain @ Value::Plain(..) => plain.clone(),
    }
}

fn int32(number: i32) -> Value {
    Value::Plain(kind::INT32, number.to_le_bytes().to_vec())
}

/// A diff of a document; now and then one that no server writes.
pub(crate) fn diff() -> impl Strategy<Value = Fields> {
    sections(prop::collection::vec((name(), nested_diff()), 0..4).boxed())
}

/// A diff of a document or an array.
fn nested_diff() -> impl Strategy<Value = Fields> {
    let leaf = sections(Just(Vec::new()).boxed());
    leaf.prop_recursive(4, 32, 4, |inner| {
        let nested = prop::collection::vec((name(), inner.clone()), 0..4).boxed();
        let in_arrays = prop::collection::btree_map(0_u32..7, element_change(inner), 0..4);
        prop_oneof![3 => sections(nested), 2 => array_diff(in_arrays)]
    })
}

fn sections(nested: BoxedStrategy<Vec<(Vec<u8>, Fields)>>) -> impl Strategy<Value = Fields> {
    let values = || prop::collection::vec((name(), value()), 0..4);
    let patches = prop::collection::vec((name(), 0..5_i32, any::<bool>()), 0..2);
    let whole = (values(), values(), values(), patches, nested, 0..40_u8);
    whole.prop_map(|(deletes, updates, inserts, patches, nested, odd)| {
        let patches = patches.into_iter().map(|(name, offset, long)| {
            let data: &[u8] = if long { b"\x04\0\0\0\x07wxyz" } else { b"\0\0\0\0\x07" };
            let data = (b"d".to_vec(), Value::Plain(kind::BINARY, data.to_vec()));
            (name, Value::Object(vec![(b"o".to_vec(), int32(offset)), data]))
        });
        let mut seen = BTreeSet::new();
        // One in forty keeps names that occur twice, or has its sections out of order.
        let mut keep = |name: &Vec<u8>| seen.insert(name.clone()) || odd == 0;
        let mut diff = Fields::new();
        for (section, fields) in [("d", deletes), ("u", updates), ("i", inserts), ("b", patches.collect())] {
            let fields: Fields = fields.into_iter().filter(|(name, _)| keep(name)).collect();
            if !fields.is_empty() {
                diff.push((section.into(), Value::Object(fields)));
            }
        }
        for (name, inner) in nested.into_iter().filter(|(name, _)| keep(name)) {
            diff.push(([b"s", name.as_slice()].concat(), Value::Object(inner)));
        }
        match odd {
            1 => diff.reverse(),
            2 => diff.push((b"q".to_vec(), NULL)),
            _ if diff.is_empty() => diff.push((b"u".to_vec(), Value::Object(vec![(b"a".to_vec(), NULL)]))),
            _ => {}
        }
        diff
    })
}

fn element_change(inner: impl Strategy<Value = Fields>) -> impl Strategy<Value = (u8, Value)> {
    prop_oneof![value().prop_map(|value| (b'u', value)), inner.prop_map(|diff| (b's', Value::Object(diff))),]
}

fn array_diff(
    edits: impl Strategy<Value = std::collections::BTreeMap<u32, (u8, Value)>>,
) -> impl Strategy<Value = Fields> {
    (prop::option::of(0..9_i32), edits, 0..40_u8).prop_map(|(length, edits, odd)| {
        let mut diff = vec![(b"a".to_vec(), Value::Plain(kind::BOOL, vec![u8::from(odd != 0)]))];
        diff.extend(length.map(|length| (b"l".to_vec(), int32(length))));
        for (position, (section, content)) in edits {
            // What lies beyond the new length is refused: mostly left out, so that the rest is seen.
            if odd == 1 || length.is_none_or(|length| i64::from(position) < i64::from(length)) {
                let zeros = if odd == 2 { "0" } else { "" };
                diff.push((format!("{}{zeros}{position}", char::from(section)).into_bytes(), content));
            }
        }
        match odd {
            3 => diff.reverse(),
            4 => diff.insert(1, (b"l".to_vec(), int32(-1))),
            _ => {}
        }
        diff
    })
}

/// `$set`, `$unset`, `$inc` and `$push` of random paths.
pub(crate) fn modifiers() -> impl Strategy<Value = Fields> {
    let part = prop_oneof![12 => select(&NAMES[..]), 1 => select(vec![b"7".as_slice(), b"$", b"$[]", b"4294967296"])];
    let path = prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(&b'.'));
    let operator = select(vec!["$set", "$set", "$set", "$unset", "$inc", "$push"]);
    let operand = prop_oneof![4 => value(), 1 => value().prop_map(|value| {
        Value::Object(vec![(b"$each".to_vec(), Value::Array(numbered([value])))])
    })];
    let operations = prop::collection::vec((operator, path, operand), 0..5);
    (operations, 0..20_u8).prop_map(|(operations, odd)| {
        let mut paths: Vec<Vec<u8>> = Vec::new();
        let mut o = vec![(b"$v".to_vec(), int32(i32::from(odd != 1)))];
        for (operator, path, operand) in operations {
            let conflicts = |other: &Vec<u8>| path.starts_with(other) || other.starts_with(&path);
            if odd != 0
                && (paths.iter().any(conflicts) || path.split(|byte| *byte == b'.').any(<[u8]>::is_empty))
            {
                continue;
            }
            paths.push(path.clone());
            o.push((operator.into(), Value::Object(vec![(path, operand)])));
        }
        o
    })
}

/// The update entry's payload for a diff.
pub(crate) fn update_of(diff: &Fields) -> Vec<u8> {
    encode(&vec![(b"$v".to_vec(), int32(2)), (b"diff".to_vec(), Value::Object(diff.clone()))])
}
