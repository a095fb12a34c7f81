//! Deeply nested documents, objects and arrays in turn, with values on every level.

use super::words::stream;
use crate::raw::kind;

/// Deepest nesting a server of version 6.0 was seen to accept from a client.
pub const MAX_LEVELS: usize = 150;

/// Appends document `n` of a seed with `levels` levels of nesting below the top (0 for a flat document).
///
/// Written from the inside out, so that no depth can exhaust the stack.
pub fn deep(seed: u64, n: u64, levels: usize, out: &mut Vec<u8>) {
    let mut e = stream(seed, n, 0);
    let is_array = |level: usize| level > 0 && level.is_multiple_of(3);
    let name = |level: usize, position: &'static str, field: &'static str| {
        if is_array(level) { position } else { field }
    };
    let mut elements = element(kind::INT64, name(levels, "0", "leaf"), &e.next_u64().to_le_bytes());
    for level in (1..=levels).rev() {
        let container = if is_array(level) { kind::ARRAY } else { kind::OBJECT };
        let inner = element(container, name(level - 1, "1", "inner"), &wrap(&elements));
        let byte = (e.next_u64() & 0x7f).to_le_bytes();
        elements = element(kind::INT32, name(level - 1, "0", "value"), &byte[..4]);
        elements.extend(inner);
    }
    let mut top = element(kind::INT64, "_id", &n.to_le_bytes());
    top.extend(elements);
    out.extend(wrap(&top));
}

fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn wrap(elements: &[u8]) -> Vec<u8> {
    let len = u32::try_from(elements.len() + 5).expect("a few kilobytes");
    [&len.to_le_bytes(), elements, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw;

    fn depth(document: &bson::Bson) -> usize {
        let inner = match document {
            bson::Bson::Document(d) => d.get("inner"),
            bson::Bson::Array(a) => a.get(1),
            _ => None,
        };
        inner.map_or(0, |inner| 1 + depth(inner))
    }

    #[test]
    fn the_nesting_is_as_deep_as_asked_for() {
        for levels in [0, 1, 2, 3, 60, MAX_LEVELS] {
            let mut bytes = Vec::new();
            deep(4, 8, levels, &mut bytes);
            raw::check(&bytes).unwrap();
            let read = bson::Document::from_reader(bytes.as_slice()).unwrap();
            assert_eq!(read.to_vec().unwrap(), bytes);
            assert_eq!(depth(&bson::Bson::Document(read)), levels);
        }
    }
}
