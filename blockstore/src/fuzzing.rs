//! The decoders that the crate keeps to itself, as plain functions over bytes, for the fuzz targets in `fuzz/`.
//!
//! Only there with the feature `fuzzing`; not part of the API. Each function decodes and, if that works,
//! encodes again, so that a target can compare. Nothing is changed for the sake of fuzzing: checksums are
//! checked as always, and the targets put right ones in.

use crate::backend::{Row, Txn};
use crate::error::{Place, Result};
use crate::ids::{PackId, SessionId};
use crate::pack::{self, Scanned};
use crate::record::Header;
use crate::state::{blocks, meta, packs, refs, row, sessions};
use crate::{Block, codec, local, refs_log};
use std::path::Path;
use tidemark_base::{BlockId, StoreId};

/// The checksum of headers and payloads.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    crate::checksum::checksum(bytes)
}

/// A row's value: its body and the checksum over key and body.
#[must_use]
pub fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    row::seal(key, body.to_vec())
}

/// The block in the bytes of one record.
#[must_use]
pub fn block(record: &[u8]) -> Option<Block> {
    let id = Header::decode(record).ok()?.id;
    codec::decode(id, Place { pack: PackId(1), offset: pack::PACK_HEADER_LEN }, record).ok()
}

/// The whole records of a `refs.log`, decoded and encoded again, and whether something follows them.
#[must_use]
pub fn refs_log(bytes: &[u8], store: StoreId) -> Option<(Vec<u8>, bool)> {
    let log = refs_log::Log::parse(bytes, store, Path::new("refs.log")).ok()?;
    Some((log.encode_again(store), log.tail.is_some()))
}

/// A record of `refs.log` around any body, and its checksum.
#[must_use]
pub fn refs_log_record(previous: u64, body: &[u8]) -> (Vec<u8>, u64) {
    refs_log::frame(previous, body)
}

/// Whether these bytes begin the pack that they say they begin.
#[must_use]
pub fn pack_header(bytes: &[u8], store: StoreId, id: u64) -> Option<Vec<u8>> {
    pack::check_header(bytes, store, PackId(id)).ok()?;
    Some(pack::encode_header(store, PackId(id)))
}

/// A stretch of a pack, as a scan sees it: where it begins and ends, and its header if it is a record.
pub type Stretch = (usize, usize, Option<Header>);

/// What a scan finds in a pack.
///
/// # Errors
/// None: the bytes are at hand.
pub fn pack_scan(bytes: &[u8]) -> Result<Vec<Stretch>> {
    let read = |offset: u32, len: u32| {
        let from = offset as usize;
        Ok(bytes.get(from..from.saturating_add(len as usize)).map(<[u8]>::to_vec))
    };
    let mut stretches = Vec::new();
    pack::scan(PackId(1), bytes.len() as u64, &read, |found| {
        stretches.push(match found {
            Scanned::Damage { offset, len_bytes, .. } => {
                (offset as usize, offset as usize + len_bytes as usize, None)
            }
            Scanned::Record { place, header } => {
                let from = place.offset as usize;
                let len = usize::try_from(header.record_len()).unwrap_or(usize::MAX);
                (from, from.saturating_add(len), Some(header))
            }
        });
        Ok(())
    })?;
    Ok(stretches)
}

/// A row of the index, decoded and encoded again.
#[must_use]
pub fn row(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut txn = OneRow { key: key.to_vec(), value: value.to_vec(), written: None };
    read_and_write(&mut txn).ok()??;
    txn.written
}

/// Reads the row as its table's rows are read, and writes what was read. `None` if the key is of no table.
fn read_and_write(txn: &mut OneRow) -> Result<Option<()>> {
    let key = txn.key.clone();
    let Some((table, rest)) = key.split_first() else { return Ok(None) };
    match table {
        b'b' => {
            let Ok(id) = <[u8; 32]>::try_from(rest).map(BlockId::from_bytes) else { return Ok(None) };
            let Some(found) = blocks::load(txn, &id)? else { return Ok(None) };
            blocks::store(txn, &id, &found)?;
        }
        b'p' => {
            let id = PackId(row::key_number(&key)?);
            let Some(found) = packs::load(txn, id)? else { return Ok(None) };
            packs::store(txn, id, &found)?;
        }
        b's' => {
            let id = SessionId(row::key_number(&key)?);
            let found = sessions::require(txn, id)?;
            sessions::store(txn, id, &found)?;
        }
        b'r' => {
            let Ok(name) = std::str::from_utf8(rest) else { return Ok(None) };
            let Some(found) = refs::load(txn, name)? else { return Ok(None) };
            refs::store(txn, name, &found)?;
        }
        b'm' if rest.is_empty() => {
            let found = meta::load(txn)?;
            meta::store(txn, &found)?;
        }
        b'i' if rest.is_empty() => {
            let found: Option<[u8; 16]> = row::get(txn, &key, |reader| reader.array("store id"))?;
            let Some(found) = found else { return Ok(None) };
            txn.put(&key, &row::seal(&key, found.to_vec()))?;
        }
        b'l' if rest.is_empty() => return local::fuzzing_log_position(txn),
        _ => return Ok(None),
    }
    Ok(Some(()))
}

/// A transaction over one row, which keeps what is written.
struct OneRow {
    key: Vec<u8>,
    value: Vec<u8>,
    written: Option<Vec<u8>>,
}

impl Txn for OneRow {
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok((key == self.key).then(|| self.value.clone()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        assert_eq!(key, self.key, "a row is written under the key it was read by");
        self.written = Some(value.to_vec());
        Ok(())
    }

    fn delete(&mut self, _key: &[u8]) -> Result<()> {
        Ok(())
    }

    fn scan(&mut self, _prefix: &[u8], _after: Option<&[u8]>, _limit: usize) -> Result<Vec<Row>> {
        Ok(Vec::new())
    }

    fn journal(&mut self, _publish: &[u8]) -> Result<()> {
        Ok(())
    }
}
