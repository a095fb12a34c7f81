//! Keys against the slow comparison, against their description, and against what is broken.

mod bytes;
mod captured;
mod giants;
mod hostile;
mod numbers;
mod values;

use super::*;
use std::cmp::Ordering;
use tidemark_testkit::order;

/// A value: its type and its bytes.
type Value = (u8, Vec<u8>);

fn element(value: &Value) -> Element<'_> {
    Element { kind: value.0, name: b"_id", value: &value.1 }
}

fn key(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode(element(value), &mut out).unwrap();
    out
}

/// That the keys of two values compare as the slow comparison compares the values.
fn agree(a: &Value, b: &Value) {
    let slow = order::compare((a.0, &a.1), (b.0, &b.1)).unwrap();
    let (a_key, b_key) = (key(a), key(b));
    assert_eq!(a_key.cmp(&b_key), slow, "{a:02x?} has {a_key:02x?}\n{b:02x?} has {b_key:02x?}");
    // Behind a key may stand anything that begins with a class or an end; equality is not affected by it.
    assert_eq!(a_key == b_key, slow == Ordering::Equal);
}

/// That all of them agree, each with each.
fn all_agree(values: &[Value]) {
    for (i, a) in values.iter().enumerate() {
        values[i..].iter().for_each(|b| agree(a, b));
    }
}

fn int32(value: i32) -> Value {
    (kind::INT32, value.to_le_bytes().to_vec())
}

fn int64(value: i64) -> Value {
    (kind::INT64, value.to_le_bytes().to_vec())
}

fn double(value: f64) -> Value {
    (kind::DOUBLE, value.to_le_bytes().to_vec())
}

/// `± coefficient × 10^exponent`.
fn decimal(negative: bool, coefficient: u128, exponent: i32) -> Value {
    let biased = u128::try_from(exponent + 6176).unwrap();
    let bits = u128::from(negative) << 127 | biased << 113 | coefficient;
    (kind::DECIMAL128, bits.to_le_bytes().to_vec())
}

fn string(kind: u8, text: &[u8]) -> Value {
    let len = u32::try_from(text.len() + 1).unwrap().to_le_bytes();
    (kind, [&len, text, &[0]].concat())
}

fn binary(subtype: u8, bytes: &[u8]) -> Value {
    let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    (kind::BINARY, [&len, [subtype].as_slice(), bytes].concat())
}

fn document(kind: u8, fields: &[(&[u8], Value)]) -> Value {
    let mut bytes = vec![0; 4];
    for (name, (kind, value)) in fields {
        bytes.push(*kind);
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
    }
    bytes.push(0);
    let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[..4].copy_from_slice(&len);
    (kind, bytes)
}

fn code_with_scope(code: &[u8], scope: &Value) -> Value {
    let code = string(kind::CODE, code).1;
    let len = u32::try_from(4 + code.len() + scope.1.len()).unwrap().to_le_bytes();
    (kind::CODE_WITH_SCOPE, [&len, code.as_slice(), &scope.1].concat())
}
