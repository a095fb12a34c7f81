//! The refs of the sync store: their names, their values, and reading them.
//!
//! `<prefix>/sync/state` says which sync is the last; `<prefix>/sync/c/<sync>/<uuid>` how far a collection is, its
//! root the description; `<prefix>/sync/b/<sync>/<uuid>/<scan>/<number>` is a batch. Numbers in names are
//! hexadecimal of fixed length, so that names sort as the batches do. Layout: `docs/format.md`.

#![warn(clippy::indexing_slicing)]

use super::progress::Kept;
use super::{Result, SyncStore, SyncStoreError};
use crate::initial_sync::{BatchHeader, BatchId};
use crate::store::RefProblem;
use std::fmt;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::{BlockId, CollectionUuid, OpTime, Timestamp};
use tidemark_blockstore::{Ref, RefVersion};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"TIDESYST";
const VERSION: u32 = 1;

/// The last sync of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncState {
    /// Its number, from 1; none is used twice.
    pub number: u32,
    /// Where the source's oplog stood when it began: entries after that are applied to the copy.
    pub begin: OpTime,
    /// Once everything is copied: the last entry that some copy may have seen. The copy is consistent from there
    /// on.
    pub until: Option<Timestamp>,
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            None => write!(f, "sync {}, under way since {}", self.number, self.begin),
            Some(until) => write!(f, "sync {}, which has ended at {until}", self.number),
        }
    }
}

impl SyncState {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        out.put_u32(self.number);
        out.put_u64(self.begin.ts.to_u64());
        out.put_i64(self.begin.term);
        out.put_u64(u64::from(self.until.is_some()));
        out.put_u64(self.until.map_or(0, Timestamp::to_u64));
        out.put_u64(xxh3_64(&out));
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, RefProblem> {
        let mut reader = Reader::new(bytes);
        if reader.array("magic")? != MAGIC {
            return Err(RefProblem::Other("it does not begin as the state of a sync"));
        }
        check_version(&mut reader, VERSION)?;
        let number = reader.u32("number of the sync")?;
        let ts = Timestamp::from_u64(reader.u64("timestamp")?);
        let begin = OpTime { ts, term: reader.i64("term")? };
        let before = reader.clone();
        let has_ended = reader.u64("whether it has ended")?;
        let until = Timestamp::from_u64(reader.u64("end")?);
        check_sum(&mut reader, bytes, "state of a sync")?;
        let until = match has_ended {
            0 if until == Timestamp::ZERO => None,
            1 => Some(until),
            value => return Err(before.error("end of a sync", CodecProblem::Unknown { value }).into()),
        };
        if number == 0 {
            let problem = CodecProblem::Unknown { value: 0 };
            return Err(CodecError { what: "number of the sync", offset: 12, problem }.into());
        }
        Ok(Self { number, begin, until })
    }
}

/// A batch in the store: which it is, and how to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Its header.
    pub header: BatchHeader,
    /// The block that it is.
    pub block: BlockId,
}

/// The names of the refs under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn state(&self) -> String {
        format!("{}/sync/state", self.prefix)
    }

    /// What the names of all collections and batches begin with, of all syncs.
    pub(super) fn of_all(&self) -> [String; 2] {
        ["c", "b"].map(|what| format!("{}/sync/{what}/", self.prefix))
    }

    fn collections(&self, sync: u32) -> String {
        format!("{}/sync/c/{sync:08x}/", self.prefix)
    }

    pub(super) fn collection(&self, sync: u32, uuid: CollectionUuid) -> String {
        format!("{}{uuid}", self.collections(sync))
    }

    fn batches(&self, sync: u32, uuid: CollectionUuid) -> String {
        format!("{}/sync/b/{sync:08x}/{uuid}/", self.prefix)
    }

    pub(super) fn batch(&self, id: BatchId) -> String {
        format!("{}{:08x}/{:08x}", self.batches(id.sync, id.collection), id.scan, id.number)
    }

    /// The number of the sync that a name under one of [`Self::of_all`] belongs to.
    pub(super) fn sync_of(name: &str, under: &str) -> Option<u32> {
        let (number, _) = name.strip_prefix(under)?.split_once('/')?;
        u32::from_str_radix(number, 16).ok()
    }
}

/// The version of a value.
pub(super) fn check_version(reader: &mut Reader<'_>, known: u32) -> Result<(), RefProblem> {
    if reader.u32("version")? == known {
        Ok(())
    } else {
        Err(RefProblem::Other("it is of a newer format: use a newer Tidemark"))
    }
}

/// The checksum of what was read so far, after which nothing follows.
pub(super) fn check_sum(reader: &mut Reader<'_>, bytes: &[u8], what: &'static str) -> Result<(), RefProblem> {
    let summed = bytes.get(..reader.offset()).unwrap_or_default();
    if reader.u64("checksum")? != xxh3_64(summed) {
        return Err(RefProblem::Other("its checksum is wrong"));
    }
    Ok(reader.finish(what)?)
}

/// The only root of a ref.
fn root(found: &Ref) -> Result<BlockId, RefProblem> {
    match found.roots.as_slice() {
        [root] => Ok(*root),
        _ => Err(RefProblem::Other("it does not keep exactly one block")),
    }
}

impl SyncStore {
    /// The last sync, and the version of its ref to compare with when it changes.
    pub(super) fn versioned_state(&self) -> Result<Option<(SyncState, RefVersion)>> {
        let name = self.names.state();
        let Some(found) = self.store.get_ref(&name)? else { return Ok(None) };
        let state =
            SyncState::decode(&found.value).map_err(|problem| SyncStoreError::Ref { name, problem })?;
        Ok(Some((state, found.version)))
    }

    /// The state of the sync with this number, which must be under way.
    pub(super) fn under_way(&self, sync: u32) -> Result<(SyncState, RefVersion)> {
        let found = self.versioned_state()?;
        let (state, version) =
            found.ok_or_else(|| SyncStoreError::NoSync { prefix: self.names.prefix.clone() })?;
        if state.number != sync || state.until.is_some() {
            return Err(SyncStoreError::OtherSync { asked: sync, found: state });
        }
        Ok((state, version))
    }

    pub(super) fn list_progress(&self, sync: u32) -> Result<Vec<(CollectionUuid, Kept)>> {
        let prefix = self.names.collections(sync);
        let read = self.store.list_refs(&prefix)?.into_iter().map(|(name, found)| {
            let uuid = name.strip_prefix(&prefix).and_then(|text| text.parse().ok());
            let uuid = uuid.filter(|uuid| self.names.collection(sync, *uuid) == name);
            let uuid = uuid.ok_or(RefProblem::Other("its name has no collection's UUID"));
            let kept = uuid.and_then(|uuid| Ok((uuid, Kept::read(&found, root(&found)?)?)));
            kept.map_err(|problem| SyncStoreError::Ref { name, problem })
        });
        read.collect()
    }

    /// How far a collection is, if it was described.
    pub(super) fn progress_of(&self, sync: u32, uuid: CollectionUuid) -> Result<Option<Kept>> {
        let name = self.names.collection(sync, uuid);
        let Some(found) = self.store.get_ref(&name)? else { return Ok(None) };
        let kept = root(&found).and_then(|root| Kept::read(&found, root));
        kept.map(Some).map_err(|problem| SyncStoreError::Ref { name, problem })
    }

    pub(super) fn list_batches(&self, sync: u32, uuid: CollectionUuid) -> Result<Vec<StoredBatch>> {
        let found = self.store.list_refs(&self.names.batches(sync, uuid))?;
        found.into_iter().map(|(name, found)| self.stored(name, &found)).collect()
    }

    /// The header of a batch, if it is there.
    pub(super) fn batch(&self, id: BatchId) -> Result<Option<StoredBatch>> {
        let name = self.names.batch(id);
        let Some(found) = self.store.get_ref(&name)? else { return Ok(None) };
        self.stored(name, &found).map(Some)
    }

    fn stored(&self, name: String, found: &Ref) -> Result<StoredBatch> {
        let read = || {
            let header = BatchHeader::decode(&found.value)?;
            if self.names.batch(header.id) != name {
                return Err(RefProblem::Other("its name is not that of the batch it holds"));
            }
            Ok(StoredBatch { header, block: root(found)? })
        };
        read().map_err(|problem| SyncStoreError::Ref { name: name.clone(), problem })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_round_trips_and_every_cut_and_flip_is_an_error() {
        let begin = OpTime { ts: Timestamp { secs: 7, ordinal: 1 }, term: -1 };
        for until in [None, Some(Timestamp::ZERO), Some(Timestamp { secs: 9, ordinal: 2 })] {
            let state = SyncState { number: 3, begin, until };
            let good = state.encode();
            assert_eq!(SyncState::decode(&good), Ok(state));
            for len in 0..good.len() {
                assert!(SyncState::decode(&good[..len]).is_err(), "cut to {len}");
            }
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(SyncState::decode(&bad).is_err(), "bit {bit}");
            }
        }
    }
}
