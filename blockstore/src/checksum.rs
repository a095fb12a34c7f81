//! The checksum of everything in a store that has no name of its own: XXH3-64, seed 0.
//!
//! It finds damage, not tampering; blocks are also checked against their names when they are read.

/// XXH3-64 of the bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Splits off and checks a trailing eight-byte checksum over all that stands before it.
pub(crate) fn strip(bytes: &[u8]) -> Option<&[u8]> {
    let (body, sum) = bytes.split_last_chunk::<8>()?;
    (checksum(body) == u64::from_le_bytes(*sum)).then_some(body)
}
