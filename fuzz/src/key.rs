//! Keys: two values, whose keys must compare as the slow comparison of the testkit compares the values.

use tidemark_base::bson::{Element, check_value, kind};
use tidemark_head::key;
use tidemark_testkit::order;

/// Two values: the type of each, the length of the first in two bytes, the bytes of both.
#[must_use]
pub fn key(bytes: &[u8]) -> bool {
    let Some(([a, b, len @ ..], rest)) = bytes.split_first_chunk::<4>() else { return false };
    let Some((one, two)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len))) else { return false };
    let decoded = compare((*a, one), (*b, two));
    compare((*a, &repaired(*a, one)), (*b, &repaired(*b, two))) || decoded
}

fn compare(a: (u8, &[u8]), b: (u8, &[u8])) -> bool {
    let (Some(a_key), Some(b_key)) = (encode(a), encode(b)) else { return false };
    let slow = order::compare(a, b).expect("both are sound");
    assert_eq!(a_key.cmp(&b_key), slow);
    true
}

/// The key of a value, which it has exactly if it is sound.
fn encode((kind, value): (u8, &[u8])) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let result = key::encode(Element { kind, name: b"_id", value }, &mut out);
    assert_eq!(result.is_ok(), check_value(kind, value).is_ok(), "{result:?}");
    let key = out.strip_prefix(b"before").expect("what was there stays");
    assert_eq!(result.is_ok(), !key.is_empty());
    (!key.is_empty()).then(|| key.to_vec())
}

/// A document or a text with the length it has, and a terminator.
fn repaired(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = value.to_vec();
    let less = match kind {
        kind::OBJECT | kind::ARRAY => 0,
        kind::STRING | kind::SYMBOL | kind::CODE => 4,
        _ => return bytes,
    };
    let len = u32::try_from(bytes.len().saturating_sub(less)).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(field) = bytes.first_chunk_mut() {
        *field = len;
    }
    if let Some(last) = bytes.last_mut() {
        *last = 0;
    }
    bytes
}
