//! Pack rows: the life of a pack from open to deleted, and the epoch that protects it.
//!
//! open → live → condemned → deleting → gone; a touch brings condemned back to live. Only packs that are
//! open or live hold blocks one may rely on.

use super::{meta, row};
use crate::backend::Txn;
use crate::error::{Error, Result};
use crate::ids::{Epoch, PackId, SessionId};
use crate::pack::{MAX_PACK_BYTES, MAX_PACK_RECORDS};
use tidemark_base::codec::{CodecProblem, Put, Reader};

/// Where a pack is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PackState {
    /// Being written by a session.
    Open = 0,
    /// Complete; never changes again.
    Live = 1,
    /// Found without use by a collection; the next one deletes it unless it is touched before.
    Condemned = 2,
    /// About to vanish; holds nothing that may be relied on.
    Deleting = 3,
}

/// What is known of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRow {
    /// Where it is in its life.
    pub state: PackState,
    /// The newest epoch in which a session relied on something in it.
    pub touch_epoch: Epoch,
    /// The session that writes it, while open.
    pub session: SessionId,
    /// Length of the part whose records are durable and indexed, in bytes. What lies beyond is garbage.
    pub len_bytes: u64,
    /// Records in that part.
    pub records: u32,
    /// The collection that condemned it, while condemned.
    pub condemned_at: Epoch,
}

const PREFIX: u8 = b'p';

fn decode(reader: &mut Reader<'_>) -> Result<PackRow, tidemark_base::codec::CodecError> {
    let state = match reader.u8("pack state")? {
        0 => PackState::Open,
        1 => PackState::Live,
        2 => PackState::Condemned,
        3 => PackState::Deleting,
        other => {
            return Err(reader.error("pack state", CodecProblem::Unknown { value: u64::from(other) }));
        }
    };
    let row = PackRow {
        state,
        touch_epoch: Epoch(reader.u64("touch epoch")?),
        session: SessionId(reader.u64("session")?),
        len_bytes: reader.u64("length")?,
        records: reader.u32("records")?,
        condemned_at: Epoch(reader.u64("condemned at")?),
    };
    row::at_most(reader, "length", row.len_bytes, MAX_PACK_BYTES)?;
    row::at_most(reader, "records", u64::from(row.records), MAX_PACK_RECORDS)?;
    Ok(row)
}

/// Reads a pack's row.
pub(crate) fn load(txn: &mut dyn Txn, id: PackId) -> Result<Option<PackRow>> {
    row::get(txn, &row::number_key(PREFIX, id.0), decode)
}

/// Writes a pack's row.
pub(crate) fn store(txn: &mut dyn Txn, id: PackId, pack: &PackRow) -> Result<()> {
    let key = row::number_key(PREFIX, id.0);
    txn.put(&key, &encode(&key, pack))
}

fn encode(key: &[u8], pack: &PackRow) -> Vec<u8> {
    let mut body = Vec::with_capacity(48);
    body.put_u8(pack.state as u8);
    body.put_u64(pack.touch_epoch.0);
    body.put_u64(pack.session.0);
    body.put_u64(pack.len_bytes);
    body.put_u32(pack.records);
    body.put_u64(pack.condemned_at.0);
    row::seal(key, body)
}

/// Removes a pack's row: the pack is gone.
pub(crate) fn remove(txn: &mut dyn Txn, id: PackId) -> Result<()> {
    txn.delete(&row::number_key(PREFIX, id.0))
}

/// All packs, by id.
pub(crate) fn all(txn: &mut dyn Txn) -> Result<Vec<(PackId, PackRow)>> {
    let mut packs = Vec::new();
    row::scan(txn, &[PREFIX], |key, value| {
        packs.push((PackId(row::key_number(key)?), row::open(key, value, decode)?));
        Ok(())
    })?;
    Ok(packs)
}

/// Hands out a new pack to a session.
pub(crate) fn allocate(txn: &mut dyn Txn, session: SessionId) -> Result<PackId> {
    let start = super::sessions::require(txn, session)?;
    let mut meta = meta::load(txn)?;
    let id = meta.next_pack;
    meta.next_pack = PackId(row::next(id.0, "the counter of packs")?);
    meta::store(txn, &meta)?;
    let pack = PackRow {
        state: PackState::Open,
        touch_epoch: start.epoch,
        session,
        len_bytes: 0,
        records: 0,
        condemned_at: Epoch(0),
    };
    store(txn, id, &pack)?;
    Ok(id)
}

/// Relies on a pack from now on, in the epoch of the session that does. Whether that is possible.
pub(crate) fn touch(txn: &mut dyn Txn, id: PackId, epoch: Epoch) -> Result<bool> {
    let Some(mut pack) = load(txn, id)? else { return Ok(false) };
    match pack.state {
        PackState::Deleting => return Ok(false),
        PackState::Condemned => pack.state = PackState::Live,
        PackState::Open | PackState::Live => {}
    }
    pack.touch_epoch = pack.touch_epoch.max(epoch);
    store(txn, id, &pack)?;
    Ok(true)
}

/// Ends the writing of a pack at its valid length. A pack in which nothing was indexed holds nothing that
/// anybody relies on: the next collection deletes it.
pub(crate) fn close(txn: &mut dyn Txn, id: PackId, pack: &mut PackRow) -> Result<()> {
    if pack.state != PackState::Open {
        return Err(Error::BadRow {
            place: format!("index row of pack {id}"),
            problem: format!("{:?} where it should be open", pack.state),
        });
    }
    pack.state = if pack.records == 0 { PackState::Condemned } else { PackState::Live };
    pack.session = SessionId(0);
    store(txn, id, pack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_pack_longer_than_any_is_damaged() {
        let sound = PackRow {
            state: PackState::Live,
            touch_epoch: Epoch(1),
            session: SessionId(0),
            len_bytes: (64 << 20) - 1 + (32 << 20) + 64,
            records: 2,
            condemned_at: Epoch(0),
        };
        let key = row::number_key(PREFIX, 1);
        let read = |pack: &PackRow| row::open(&key, &encode(&key, pack), decode);
        assert_eq!(read(&sound).unwrap(), sound);
        for bad in [
            PackRow { len_bytes: 1 << 30, ..sound.clone() },
            PackRow { len_bytes: u64::MAX, ..sound.clone() },
            PackRow { records: 1 << 22, ..sound },
        ] {
            assert!(matches!(read(&bad), Err(Error::BadRow { .. })), "{bad:?}");
        }
    }
}
