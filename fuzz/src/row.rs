//! Rows of the index: keys, and values that end in a checksum over both.

use tidemark_blockstore::fuzzing;

/// A row: the length of its key in one byte, the key, the value.
#[must_use]
pub fn row(bytes: &[u8]) -> bool {
    let Some((len, rest)) = bytes.split_first() else { return false };
    let Some((key, value)) = rest.split_at_checked(usize::from(*len)) else { return false };
    let decoded = decode(key, value);
    let body = value.get(..value.len().saturating_sub(8)).unwrap_or_default();
    decode(key, &fuzzing::seal(key, body)) || decoded
}

fn decode(key: &[u8], value: &[u8]) -> bool {
    let Some(again) = fuzzing::row(key, value) else { return false };
    assert_eq!(again, value);
    true
}
