//! A store: reading blocks and refs, and opening sessions to write.
//!
//! The entry to the crate for everything above it. Cheap to clone; safe to use from many threads.

use crate::backend::{Backend, TxnBody};
use crate::buffers;
use crate::codec::{self, Block};
use crate::error::{Error, Result};
use crate::ids::SessionId;
use crate::observer::Others;
use crate::record::Header;
use crate::scratch::Scratch;
use crate::session::Session;
use crate::state::blocks::BlockRow;
use crate::state::{blocks, refs, sessions};
use crate::{Cutter, Ref, Superblock};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};
use tidemark_base::BlockId;

/// How often a block whose pack has just vanished is looked up again.
const LOOKUPS: usize = 4;

/// How many blocks of a `get` one thread looks up, reads and decompresses at once.
const GET_PART: usize = 8;
/// Most bytes of blocks, as they are stored, that are read at once.
const MAX_ROW_BYTES: u32 = 1 << 20;

/// An open blockstore.
#[derive(Clone)]
pub struct Store {
    pub(crate) backend: Arc<dyn Backend>,
    /// Sessions that ended but whose rows could not be removed: the next collection sees to it.
    pub(crate) unended: Arc<Mutex<Vec<SessionId>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("id", &self.superblock().store).finish_non_exhaustive()
    }
}

impl Store {
    /// A store on a backend.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, unended: Arc::default() }
    }

    /// Identity and parameters.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        self.backend.superblock()
    }

    /// The cutter for large values.
    #[must_use]
    pub fn cutter(&self) -> Cutter {
        self.superblock().cutter()
    }

    /// Opens a session that keeps the roots of the named refs, and all they reach, until it ends. What a
    /// pinned root reaches may be used as a child of new nodes without being put again.
    ///
    /// # Errors
    /// [`Error::NoSuchRef`]; failures of the backend.
    pub fn session(&self, pinned_refs: &[&str]) -> Result<Session> {
        let mut opened = None;
        // No session outlives a power cut, and what is durable later takes this along.
        self.write_relaxed_even_if_full(&mut |txn| {
            opened = Some(sessions::open(txn, self.backend.owner(), pinned_refs)?);
            Ok(())
        })?;
        let (id, epoch) = opened.expect("set by the body that has just succeeded");
        Ok(Session::new(self.clone(), id, epoch))
    }

    /// A file for what is read back before long, beside the store.
    ///
    /// # Errors
    /// [`Error::Full`]; other failures of the backend.
    pub fn scratch(&self) -> Result<Scratch> {
        self.backend.require_reserve()?;
        self.backend.scratch()
    }

    /// Reads blocks, in parallel, in the order asked for. Each is checked against its name. The caller
    /// bounds the memory by the number of ids.
    #[must_use]
    pub fn get(&self, ids: &[BlockId]) -> Vec<Result<Block>> {
        let part = ids.len().div_ceil(2 * rayon::current_num_threads()).clamp(1, GET_PART);
        let parts: Vec<Vec<Result<Block>>> = ids.par_chunks(part).map(|part| self.get_part(part)).collect();
        parts.into_iter().flatten().collect()
    }

    /// The same on the calling thread alone: for one of many that are at work anyway.
    #[must_use]
    pub fn get_here(&self, ids: &[BlockId]) -> Vec<Result<Block>> {
        self.get_part(ids)
    }

    fn get_part(&self, ids: &[BlockId]) -> Vec<Result<Block>> {
        if let Some(blocks) = self.get_row(ids) {
            return blocks;
        }
        match self.locate(ids) {
            Ok(rows) => ids.iter().zip(rows).map(|(id, row)| self.fetch(*id, row, LOOKUPS)).collect(),
            // Errors cannot be cloned: each block meets its own.
            Err(_) => ids.iter().map(|id| self.get_one(*id)).collect(),
        }
    }

    /// Blocks that lie one behind the other, as they were put: the index is asked for the ends, and one read has
    /// them all. None if they do not lie so, or anything is wrong with them: then each is asked for by itself.
    fn get_row(&self, ids: &[BlockId]) -> Option<Vec<Result<Block>>> {
        let [first, .., last] = ids else { return None };
        let rows = self.locate(&[*first, *last]).ok()?;
        let [Some(first), Some(last)] = rows.as_slice() else { return None };
        let mut place = first.place;
        let end = u64::from(last.place.offset) + u64::from(last.record_len());
        let len = u32::try_from(end.checked_sub(place.offset.into())?).ok()?;
        if last.place.pack != place.pack || len > MAX_ROW_BYTES {
            return None;
        }
        let bytes = self.backend.read_pack(place.pack, place.offset, len).ok()??;
        let mut rest = bytes.as_slice();
        let mut blocks = Vec::with_capacity(ids.len());
        for id in ids {
            let header = Header::decode(rest).ok().filter(|header| header.id == *id)?;
            let (record, behind) = rest.split_at_checked(usize::try_from(header.record_len()).ok()?)?;
            blocks.push(Ok(codec::decode(*id, place, record).ok()?));
            place.offset = place.offset.checked_add(u32::try_from(record.len()).ok()?)?;
            rest = behind;
        }
        buffers::give(bytes);
        Some(blocks)
    }

    /// Reads one block.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`]; failures of the backend.
    pub fn get_one(&self, id: BlockId) -> Result<Block> {
        let row = self.locate(&[id])?.pop().flatten();
        self.fetch(id, row, LOOKUPS)
    }

    /// Where blocks lie, by one consistent state of the index.
    pub(crate) fn locate(&self, ids: &[BlockId]) -> Result<Vec<Option<BlockRow>>> {
        let mut rows = Vec::new();
        self.backend.read(&mut |txn| {
            rows = ids.iter().map(|id| blocks::load(txn, id)).collect::<Result<_>>()?;
            Ok(())
        })?;
        Ok(rows)
    }

    /// Reads a block from where it lies. A rewrite may have moved it since it was looked up: then its old
    /// pack may be gone, and it is looked up again.
    pub(crate) fn fetch(&self, id: BlockId, row: Option<BlockRow>, lookups: usize) -> Result<Block> {
        let row = row.ok_or(Error::Missing { id })?;
        let place = row.place;
        if let Some(bytes) = self.backend.read_pack(place.pack, place.offset, row.record_len())? {
            let block = codec::decode(id, place, &bytes);
            buffers::give(bytes);
            return block;
        }
        match self.locate(&[id])?.pop().flatten() {
            Some(again) if again.place != place && lookups > 0 => self.fetch(id, Some(again), lookups - 1),
            None => Err(Error::Missing { id }),
            Some(_) => Err(Error::Damaged {
                id,
                place,
                problem: "the pack is missing or shorter than it was".into(),
            }),
        }
    }

    /// A ref, if it exists.
    ///
    /// # Errors
    /// Damage or failure of the backend.
    pub fn get_ref(&self, name: &str) -> Result<Option<Ref>> {
        let mut found = None;
        self.backend.read(&mut |txn| {
            found = refs::load(txn, name)?;
            Ok(())
        })?;
        Ok(found)
    }

    /// The refs whose names start with `prefix`, by name.
    ///
    /// # Errors
    /// Damage or failure of the backend.
    pub fn list_refs(&self, prefix: &str) -> Result<Vec<(String, Ref)>> {
        let mut found = Vec::new();
        self.backend.read(&mut |txn| {
            found = refs::list(txn, prefix)?;
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether sessions other than `own` are open.
    pub(crate) fn others(&self, own: Option<SessionId>) -> Result<Others> {
        let mut others = Others::Away;
        self.backend.read(&mut |txn| {
            if sessions::all(txn)?.iter().any(|(id, _)| Some(*id) != own) {
                others = Others::AtWork;
            }
            Ok(())
        })?;
        Ok(others)
    }

    /// A write transaction of those that make room in the end: on a full disk it may use the reserve.
    pub(crate) fn write_even_if_full(&self, body: &mut TxnBody<'_>) -> Result<()> {
        match self.backend.write(body) {
            Err(e) if e.is_full() && self.backend.release_reserve()? => self.backend.write(body),
            outcome => outcome,
        }
    }

    /// The same, durable only with the next durable one.
    pub(crate) fn write_relaxed_even_if_full(&self, body: &mut TxnBody<'_>) -> Result<()> {
        match self.backend.write_relaxed(body) {
            Err(e) if e.is_full() && self.backend.release_reserve()? => self.backend.write_relaxed(body),
            outcome => outcome,
        }
    }
}
