//! Block rows: in which pack a block lies, and whether one may rely on it.

use super::packs::{self, PackState};
use super::{row, sessions};
use crate::backend::Txn;
use crate::error::{Error, Place, Result};
use crate::ids::{Epoch, PackId, SessionId};
use crate::pack::PACK_HEADER_LEN;
use crate::record::HEADER_LEN_U32;
use std::collections::HashSet;
use tidemark_base::codec::{CodecProblem, Put, Reader};
use tidemark_base::limits::{MAX_BLOCK_BYTES, PACK_TARGET_BYTES};
use tidemark_base::{BlockId, BlockKind};

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRow {
    pub(crate) place: Place,
    /// The record's number in its pack, from 0.
    pub(crate) seq: u32,
    pub(crate) kind: BlockKind,
    /// Length of the payload, in bytes.
    pub(crate) stored_len: u32,
    /// Length of the plain bytes.
    pub(crate) plain_len: u32,
}

impl BlockRow {
    /// Length of the record with its header, in bytes.
    pub(crate) fn record_len(&self) -> u32 {
        self.stored_len.saturating_add(HEADER_LEN_U32)
    }
}

/// The key of a block's row.
pub(crate) fn key(id: &BlockId) -> [u8; 33] {
    let mut key = [b'b'; 33];
    if let Some((_, rest)) = key.split_first_chunk_mut::<1>() {
        rest.copy_from_slice(id.as_bytes());
    }
    key
}

fn decode(reader: &mut Reader<'_>) -> Result<BlockRow, tidemark_base::codec::CodecError> {
    let place = Place { pack: PackId(reader.u64("pack")?), offset: reader.u32("offset")? };
    let seq = reader.u32("number")?;
    let kind = reader.u8("kind")?;
    let kind = BlockKind::from_byte(kind)
        .ok_or_else(|| reader.error("kind", CodecProblem::Unknown { value: u64::from(kind) }))?;
    let row = BlockRow {
        place,
        seq,
        kind,
        stored_len: reader.u32("stored length")?,
        plain_len: reader.u32("plain length")?,
    };
    check(reader, &row)?;
    Ok(row)
}

/// Nothing that a row says may be more than a pack can hold: readers take memory by it.
fn check(reader: &Reader<'_>, row: &BlockRow) -> Result<(), tidemark_base::codec::CodecError> {
    row::at_most(reader, "plain length", u64::from(row.plain_len), MAX_BLOCK_BYTES as u64)?;
    row::at_most(reader, "stored length", u64::from(row.stored_len), u64::from(row.plain_len))?;
    let offset = u64::from(row.place.offset);
    row::at_most(reader, "offset", offset, PACK_TARGET_BYTES - 1)?;
    let Some(before) = offset.checked_sub(u64::from(PACK_HEADER_LEN)) else {
        return Err(reader.error("offset", CodecProblem::Unknown { value: offset }));
    };
    // Each record before it has at least a header.
    row::at_most(reader, "number", u64::from(row.seq), before / u64::from(HEADER_LEN_U32))
}

/// Where a block lies, if it is indexed at all.
pub(crate) fn load(txn: &mut dyn Txn, id: &BlockId) -> Result<Option<BlockRow>> {
    row::get(txn, &key(id), decode)
}

/// Writes a block's row.
pub(crate) fn store(txn: &mut dyn Txn, id: &BlockId, block: &BlockRow) -> Result<()> {
    let key = key(id);
    txn.put(&key, &encode(&key, block))
}

/// Moves a block's row from one place to another, if it is still there.
pub(crate) fn move_from(txn: &mut dyn Txn, id: &BlockId, from: Place, to: &BlockRow) -> Result<bool> {
    let key = key(id);
    txn.replace_if(&key, &place_prefix(from), Some(&encode(&key, to)))
}

/// Removes a block's row, if it still points to this place. The exact place: a pack can hold a block twice,
/// once as garbage.
pub(crate) fn remove_from(txn: &mut dyn Txn, id: &BlockId, from: Place) -> Result<bool> {
    txn.replace_if(&key(id), &place_prefix(from), None)
}

/// Removes a block's row, if it still points into this pack.
pub(crate) fn remove_from_pack(txn: &mut dyn Txn, id: &BlockId, pack: PackId) -> Result<bool> {
    txn.replace_if(&key(id), &pack.0.to_le_bytes(), None)
}

/// What the value of a row of a block at this place begins with.
fn place_prefix(place: Place) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(12);
    prefix.put_u64(place.pack.0);
    prefix.put_u32(place.offset);
    prefix
}

/// The value of a block's row. It begins with the place, which conditional changes compare.
fn encode(key: &[u8], block: &BlockRow) -> Vec<u8> {
    let mut body = Vec::with_capacity(40);
    body.put_u64(block.place.pack.0);
    body.put_u32(block.place.offset);
    body.put_u32(block.seq);
    body.put_u8(block.kind.to_byte());
    body.put_u32(block.stored_len);
    body.put_u32(block.plain_len);
    row::seal(key, body)
}

/// Calls `each` with every block of the index.
pub(crate) fn for_each(
    txn: &mut dyn Txn,
    mut each: impl FnMut(BlockId, BlockRow) -> Result<()>,
) -> Result<()> {
    row::scan(txn, b"b", |key, value| {
        let block = row::open(key, value, decode)?;
        let id = key.split_first().and_then(|(_, id)| id.try_into().ok()).map(BlockId::from_bytes);
        let id = id.ok_or_else(|| Error::BadRow {
            place: row::describe(key),
            problem: "its key has the wrong length".into(),
        })?;
        each(id, block)
    })
}

/// An error unless the block is indexed in a pack that is open or live.
pub(crate) fn require_kept(txn: &mut dyn Txn, id: BlockId) -> Result<()> {
    let found = load(txn, &id)?.ok_or(Error::Missing { id })?;
    match packs::load(txn, found.place.pack)?.map(|pack| pack.state) {
        Some(PackState::Open | PackState::Live) => Ok(()),
        _ => Err(Error::Missing { id }),
    }
}

/// One atomic step of a put: for each block whether it is there and, if so, protects it for the session.
/// `touched` are the packs already protected since the session's epoch; it grows.
pub(crate) fn touch(
    txn: &mut dyn Txn,
    session: SessionId,
    epoch: Epoch,
    ids: &[BlockId],
    touched: &mut HashSet<PackId>,
) -> Result<Vec<bool>> {
    sessions::require(txn, session)?;
    ids.iter()
        .map(|id| {
            let Some(found) = load(txn, id)? else { return Ok(false) };
            let pack = found.place.pack;
            if touched.contains(&pack) {
                return Ok(true);
            }
            let kept = packs::touch(txn, pack, epoch)?;
            if kept {
                touched.insert(pack);
            }
            Ok(kept)
        })
        .collect()
}

/// The durable part of a pack and what it holds, ready to be indexed.
pub(crate) struct Written<'a> {
    pub(crate) pack: PackId,
    /// Durable length, in bytes.
    pub(crate) len_bytes: u64,
    /// Records in that length.
    pub(crate) records: u32,
    /// No more will be appended.
    pub(crate) complete: bool,
    pub(crate) blocks: &'a [(BlockId, BlockRow)],
}

/// Indexes what a session has made durable. A block that somebody else indexed meanwhile keeps its place,
/// which this session then relies on; its own copy is garbage.
pub(crate) fn index(
    txn: &mut dyn Txn,
    session: SessionId,
    epoch: Epoch,
    written: &Written<'_>,
) -> Result<()> {
    sessions::require(txn, session)?;
    let id = written.pack;
    let mut pack = match packs::load(txn, id)? {
        Some(pack) if pack.state == PackState::Open && pack.session == session => pack,
        _ => return Err(Error::SessionGone { id: session }),
    };
    for (block, row) in written.blocks {
        if let Some(found) = load(txn, block)?
            && found.place.pack != id
            && packs::touch(txn, found.place.pack, epoch)?
        {
            continue;
        }
        store(txn, block, row)?;
    }
    pack.touch_epoch = pack.touch_epoch.max(epoch);
    pack.len_bytes = written.len_bytes;
    pack.records = written.records;
    if written.complete { packs::close(txn, id, &mut pack) } else { packs::store(txn, id, &pack) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_no_pack_can_hold_is_damaged() {
        let sound = BlockRow {
            place: Place { pack: PackId(1), offset: 48 },
            seq: 0,
            kind: BlockKind::Leaf,
            stored_len: 32 << 20,
            plain_len: 32 << 20,
        };
        let key = key(&BlockId::of(BlockKind::Leaf, b""));
        let read = |row: &BlockRow| row::open(&key, &encode(&key, row), decode);
        assert_eq!(read(&sound).unwrap(), sound);
        for bad in [
            BlockRow { stored_len: 1500 << 20, ..sound },
            BlockRow { plain_len: (32 << 20) + 1, ..sound },
            BlockRow { stored_len: 300, plain_len: 299, ..sound },
            BlockRow { place: Place { offset: 4, ..sound.place }, ..sound },
            BlockRow { place: Place { offset: 64 << 20, ..sound.place }, ..sound },
            BlockRow { seq: u32::MAX, ..sound },
            BlockRow { seq: 1, ..sound },
        ] {
            assert!(matches!(read(&bad), Err(Error::BadRow { .. })), "{bad:?}");
        }
    }
}
