//! Records, and packs full of them.

use crate::with_sum;
use tidemark_base::{BlockId, BlockKind, StoreId};
use tidemark_blockstore::fuzzing::{self, checksum};
use tidemark_blockstore::{RECORD_HEADER_LEN, Record};

const PACK_HEADER_LEN: usize = 48;
const MAGIC: &[u8] = b"TMBK";

/// One record, header and payload.
#[must_use]
pub fn record(bytes: &[u8]) -> bool {
    let decoded = decode_record(bytes);
    let mut repaired = bytes.to_vec();
    repair_record(&mut repaired);
    decode_record(&repaired) || decoded
}

fn decode_record(bytes: &[u8]) -> bool {
    let Ok(record) = Record::decode(bytes) else { return false };
    assert_eq!([&record.header.encode()[..], &record.payload].concat(), bytes);
    if let Some(block) = fuzzing::block(bytes) {
        assert_eq!(block.kind(), record.header.kind);
        assert_eq!(block.bytes().len(), record.header.plain_len as usize);
        assert_eq!(BlockId::of(block.kind(), block.bytes()), record.header.id);
    }
    true
}

/// Puts in the name that the payload has if it is stored as it is, and both checksums.
fn repair_record(bytes: &mut [u8]) {
    let Some((header, payload)) = bytes.split_first_chunk_mut::<RECORD_HEADER_LEN>() else { return };
    if let [_, _, _, _, kind, 0, ..] = header
        && let Some(kind) = BlockKind::from_byte(*kind)
    {
        header[16..48].copy_from_slice(BlockId::of(kind, payload).as_bytes());
    }
    header[48..56].copy_from_slice(&checksum(payload).to_le_bytes());
    repair_header(header);
}

fn repair_header(header: &mut [u8; RECORD_HEADER_LEN]) {
    let sum = checksum(&header[..56]);
    header[56..].copy_from_slice(&sum.to_le_bytes());
}

/// A whole pack.
#[must_use]
pub fn pack_scan(bytes: &[u8]) -> bool {
    let decoded = check_header(bytes) | scan(bytes);
    let mut repaired = bytes.to_vec();
    if let Some(header) = repaired.get_mut(..PACK_HEADER_LEN) {
        let whole = with_sum(header);
        header.copy_from_slice(&whole);
    }
    let places: Vec<usize> =
        repaired.windows(MAGIC.len()).enumerate().filter(|(_, it)| *it == MAGIC).map(|(at, _)| at).collect();
    for at in places {
        if let Some(header) = repaired.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            repair_header(header);
        }
    }
    check_header(&repaired) | scan(&repaired) | decoded
}

fn check_header(bytes: &[u8]) -> bool {
    let (Some(store), Some(id)) = (bytes.get(16..32), bytes.get(32..40)) else { return false };
    let store = StoreId::from_bytes(store.try_into().expect("sixteen bytes"));
    let id = u64::from_le_bytes(id.try_into().expect("eight bytes"));
    let Some(again) = fuzzing::pack_header(bytes, store, id) else { return false };
    assert!(bytes.starts_with(&again));
    true
}

/// A scan covers all bytes behind the pack's header, each once and in order, and what it calls a record is
/// one.
fn scan(bytes: &[u8]) -> bool {
    let stretches = fuzzing::pack_scan(bytes).expect("the bytes are at hand");
    let mut end = PACK_HEADER_LEN;
    let mut records = 0;
    for (from, to, header) in stretches {
        assert_eq!(from, end);
        assert!(to > from && to <= bytes.len());
        if let Some(header) = header {
            assert!(bytes[from..].starts_with(&header.encode()));
            records += 1;
        }
        end = to;
    }
    assert!(end == bytes.len() || bytes.len() < PACK_HEADER_LEN);
    records > 0
}
