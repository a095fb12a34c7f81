//! `refs.log`: header and chained records.

use crate::with_sum;
use tidemark_base::StoreId;
use tidemark_blockstore::fuzzing;

const HEADER_LEN: usize = 48;

/// A whole log.
#[must_use]
pub fn refs_log(bytes: &[u8]) -> bool {
    let decoded = decode(bytes);
    decode(&repaired(bytes)) || decoded
}

fn decode(bytes: &[u8]) -> bool {
    let Some(store) = bytes.get(16..32) else { return false };
    let store = StoreId::from_bytes(store.try_into().expect("sixteen bytes"));
    let Some((again, more)) = fuzzing::refs_log(bytes, store) else { return false };
    assert!(bytes.starts_with(&again), "what was decoded is not what stands there");
    assert_eq!(more, again.len() < bytes.len(), "all is read, or the rest is told");
    true
}

/// The same log with a right checksum in its header and right, chained ones behind its records.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let Some((header, mut rest)) = bytes.split_at_checked(HEADER_LEN) else { return Vec::new() };
    let mut log = with_sum(header);
    let mut chain = log.last_chunk().map_or(0, |sum| u64::from_le_bytes(*sum));
    // Magic and length as they stand, then so much of the body as there is.
    while let Some(([_, _, _, _, len @ ..], after)) = rest.split_first_chunk::<8>() {
        let len = (u32::from_le_bytes(*len) as usize).min(after.len());
        let (body, after) = after.split_at(len);
        let (record, sum) = fuzzing::refs_log_record(chain, body);
        log.extend(record);
        chain = sum;
        rest = after.get(8..).unwrap_or_default();
    }
    log.extend(rest);
    log
}
