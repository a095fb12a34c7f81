//! How rows are kept: a key with a one-byte table prefix, a value that ends in a checksum over both.
//!
//! The database that holds the rows has no checksums of its own, so each row carries one: a flipped byte is
//! found when the row is read, and a row can't pass for another's. Layouts in `docs/format.md`.

#![warn(clippy::indexing_slicing)]

use crate::backend::Txn;
use crate::error::{Error, Result};
use tidemark_base::codec::{CodecError, CodecProblem, Reader};

/// Appends the checksum over key and body.
pub(crate) fn seal(key: &[u8], mut body: Vec<u8>) -> Vec<u8> {
    let sum = sum(key, &body);
    body.extend_from_slice(&sum.to_le_bytes());
    body
}

fn sum(key: &[u8], body: &[u8]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(key);
    hasher.update(body);
    // The length keeps (key, body) pairs with another border between them apart.
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.digest()
}

/// Checks the checksum of a row and decodes its body, which must be used up.
pub(crate) fn open<T>(
    key: &[u8],
    value: &[u8],
    decode: impl FnOnce(&mut Reader<'_>) -> std::result::Result<T, CodecError>,
) -> Result<T> {
    let bad = |problem: String| Error::BadRow { place: describe(key), problem };
    let Some((body, stored)) = value.split_last_chunk::<8>() else {
        return Err(bad("too short for its checksum".into()));
    };
    if sum(key, body) != u64::from_le_bytes(*stored) {
        return Err(bad("its checksum is wrong".into()));
    }
    let mut reader = Reader::new(body);
    let decoded = decode(&mut reader).map_err(|e| bad(e.to_string()))?;
    reader.finish("row").map_err(|e| bad(e.to_string()))?;
    Ok(decoded)
}

/// One more. No store gets anywhere near the end of a counter: one that is there was not counted up to it.
pub(crate) fn next(count: u64, whose: &str) -> Result<u64> {
    let problem = || Error::BadRow { place: whose.into(), problem: format!("it stands at {count}") };
    count.checked_add(1).filter(|next| *next < 1 << 63).ok_or_else(problem)
}

/// An error if a field that was just read is over its limit.
pub(crate) fn at_most(
    reader: &Reader<'_>,
    what: &'static str,
    value: u64,
    limit: u64,
) -> std::result::Result<(), CodecError> {
    if value > limit { Err(reader.error(what, CodecProblem::OverLimit { value, limit })) } else { Ok(()) }
}

/// Reads and decodes one row.
pub(crate) fn get<T>(
    txn: &mut dyn Txn,
    key: &[u8],
    decode: impl FnOnce(&mut Reader<'_>) -> std::result::Result<T, CodecError>,
) -> Result<Option<T>> {
    txn.get(key)?.map(|value| open(key, &value, decode)).transpose()
}

/// How many rows a scan reads at once.
const SCAN_BATCH: usize = 1024;

/// Calls `each` with every row whose key starts with `prefix`, in key order.
pub(crate) fn scan(
    txn: &mut dyn Txn,
    prefix: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = txn.scan(prefix, after.as_deref(), SCAN_BATCH)?;
        for (key, value) in &rows {
            each(key, value)?;
        }
        if rows.len() < SCAN_BATCH {
            return Ok(());
        }
        after = rows.into_iter().next_back().map(|(key, _)| key);
    }
}

/// A row's name in messages.
pub(crate) fn describe(key: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    match key.split_first() {
        Some((b'b', id)) => format!("index row of block {}", hex(id)),
        Some((b'p', id)) => format!("index row of pack {}", hex(id)),
        Some((b's', id)) => format!("index row of session {}", hex(id)),
        Some((b'r', name)) => format!("index row of ref '{}'", String::from_utf8_lossy(name).escape_debug()),
        Some((b'm', _)) => "index row of the store's counters".into(),
        Some((b'l', _)) => "index row of the committed position in refs.log".into(),
        Some((b'i', _)) => "index row of the store's identity".into(),
        _ => format!("index row {}", hex(key)),
    }
}

/// A one-byte prefix and a number whose bytewise order is its numeric order.
pub(crate) fn number_key(table: u8, number: u64) -> [u8; 9] {
    let mut key = [table; 9];
    if let Some((_, rest)) = key.split_first_chunk_mut::<1>() {
        rest.copy_from_slice(&number.to_be_bytes());
    }
    key
}

/// The number in a key made by [`number_key`].
pub(crate) fn key_number(key: &[u8]) -> Result<u64> {
    match key.split_first() {
        Some((_, rest)) if rest.len() == 8 => {
            Ok(rest.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        }
        _ => Err(Error::BadRow { place: describe(key), problem: "its key has the wrong length".into() }),
    }
}
