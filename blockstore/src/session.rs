//! A session: the only way to write, and the protection of what was written until a ref keeps it.
//!
//! `put` names, deduplicates, compresses and appends; `sync` makes durable and indexes; `publish` sets refs.
//! What a session puts or pins is safe from garbage collection until it ends; what no ref keeps by then is
//! garbage. Any number of threads may put at once; a sync covers every put that returned before it began.

use crate::codec::{self, Block, BlockRef, Effort};
use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::ids::{Epoch, PackId, RefVersion, SessionId};
use crate::record::Record;
use crate::state::blocks::{self, BlockRow};
use crate::state::refs::{self, RefChange};
use crate::state::sessions;
use crate::store::Store;
use crate::writer::{Extent, Writer};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemark_base::BlockId;

/// How much of a put is worked on at once, in plain bytes. Twice this is the memory a put needs.
const STEP_BYTES: usize = 4 << 20;

/// An open session.
pub struct Session {
    store: Store,
    id: SessionId,
    protection: Mutex<Protection>,
    writer: Mutex<Writer>,
    /// Blocks that are appended and not indexed yet.
    pending: Mutex<HashMap<BlockId, BlockRow>>,
    /// Puts at work, for what must be alone.
    puts: Gate,
    broken: AtomicBool,
    ended: AtomicBool,
}

/// What the session relies on from which epoch on.
struct Protection {
    epoch: Epoch,
    /// Packs known to be protected since that epoch.
    touched: HashSet<PackId>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(store: Store, id: SessionId, epoch: Epoch) -> Self {
        Self {
            store,
            id,
            protection: Mutex::new(Protection { epoch, touched: HashSet::new() }),
            writer: Mutex::default(),
            pending: Mutex::default(),
            puts: Gate::default(),
            broken: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// The session's number.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The store it writes to.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Puts blocks: those the store has already are protected, the others compressed and appended. Returns
    /// their names in the order given. Durable only after [`Self::sync`]. Blocks until the bytes are handed
    /// to the backend, and needs about twice 4 MiB (or one larger block) of memory. Works on all threads of
    /// rayon's pool, but from within one of its tasks on that thread alone: a task that waited for others
    /// there could be given one that puts as well.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::BadNode`] before anything was written; [`Error::SessionGone`]; failures
    /// of the backend, after which the session is broken ([`Error::SessionBroken`]).
    pub fn put(&self, blocks: &[BlockRef<'_>]) -> Result<Vec<BlockId>> {
        self.put_with(blocks, Effort::Compress)
    }

    /// As [`Self::put`], but less is spent on compressing: for what is written often and made into something else
    /// before long. A block that may be put again to be kept for good must not be put so, since it is not stored anew
    /// then.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_quickly(&self, blocks: &[BlockRef<'_>]) -> Result<Vec<BlockId>> {
        self.put_with(blocks, Effort::CompressQuickly)
    }

    fn put_with(&self, blocks: &[BlockRef<'_>], effort: Effort) -> Result<Vec<BlockId>> {
        blocks.iter().try_for_each(BlockRef::check)?;
        let _putting = self.puts.enter();
        self.check_usable()?;
        let mut ids = Vec::with_capacity(blocks.len());
        let outcome = self.put_in_steps(blocks, effort, &mut ids);
        self.note(outcome)?;
        Ok(ids)
    }

    /// Compresses one step while the one before is being appended.
    fn put_in_steps(&self, blocks: &[BlockRef<'_>], effort: Effort, ids: &mut Vec<BlockId>) -> Result<()> {
        let mut claimed = HashSet::new();
        if rayon::current_thread_index().is_some() {
            return steps(blocks).try_for_each(|step| {
                let names: Vec<BlockId> = step.iter().map(BlockRef::id).collect();
                let fresh = self.claim_missing(&names, &mut claimed)?;
                let records: Vec<Record> = fresh
                    .iter()
                    .filter_map(|&i| Some(codec::encode(*names.get(i)?, *step.get(i)?, effort)))
                    .collect();
                ids.extend(names);
                self.append(&records)
            });
        }
        let mut ready: Vec<Record> = Vec::new();
        for step in steps(blocks) {
            let mut prepared = None;
            let mut appended = Ok(());
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| prepared = Some(self.prepare(step, effort, &mut claimed)));
                appended = self.append(&ready);
            });
            appended?;
            let (names, records) = prepared.expect("the scope waits for it")?;
            ids.extend(names);
            ready = records;
        }
        self.append(&ready)
    }

    /// Names a step's blocks, and compresses those that the store lacks.
    fn prepare(
        &self,
        step: &[BlockRef<'_>],
        effort: Effort,
        claimed: &mut HashSet<BlockId>,
    ) -> Result<(Vec<BlockId>, Vec<Record>)> {
        let ids: Vec<BlockId> = step.par_iter().map(BlockRef::id).collect();
        let fresh = self.claim_missing(&ids, claimed)?;
        let records = fresh
            .par_iter()
            .filter_map(|&i| Some(codec::encode(*ids.get(i)?, *step.get(i)?, effort)))
            .collect();
        Ok((ids, records))
    }

    /// Which of these blocks must be written: neither in the store, nor appended, nor `claimed` by this put.
    /// What another put has just claimed is written twice, one of them garbage: waiting for the other could
    /// be for ever.
    fn claim_missing(&self, ids: &[BlockId], claimed: &mut HashSet<BlockId>) -> Result<Vec<usize>> {
        let mut fresh: Vec<usize> = {
            let pending = lock(&self.pending);
            let is_new =
                |id: &BlockId, claimed: &mut HashSet<_>| !pending.contains_key(id) && claimed.insert(*id);
            ids.iter().enumerate().filter(|(_, id)| is_new(id, claimed)).map(|(i, _)| i).collect()
        };
        let wanted: Vec<BlockId> = fresh.iter().filter_map(|&i| ids.get(i).copied()).collect();
        let mut kept = self.touch(&wanted)?.into_iter();
        fresh.retain(|_| !kept.next().unwrap_or(false));
        Ok(fresh)
    }

    /// For each block whether the store has it; if so, it is protected for this session.
    fn touch(&self, ids: &[BlockId]) -> Result<Vec<bool>> {
        let rows = self.store.locate(ids)?;
        let mut protection = lock(&self.protection);
        let safe = |row: &Option<BlockRow>, touched: &HashSet<PackId>| {
            row.is_some_and(|row| touched.contains(&row.place.pack))
        };
        let unsure: Vec<BlockId> = ids
            .iter()
            .zip(&rows)
            .filter(|(_, row)| row.is_some() && !safe(row, &protection.touched))
            .map(|(id, _)| *id)
            .collect();
        let mut kept: Vec<bool> = rows.iter().map(|row| safe(row, &protection.touched)).collect();
        if unsure.is_empty() {
            return Ok(kept);
        }
        let mut answers = Vec::new();
        let mut touched = HashSet::new();
        self.store.backend.write(&mut |txn| {
            touched = protection.touched.clone();
            answers = blocks::touch(txn, self.id, protection.epoch, &unsure, &mut touched)?;
            Ok(())
        })?;
        protection.touched = touched;
        let answers: HashMap<BlockId, bool> = unsure.into_iter().zip(answers).collect();
        for (id, kept) in ids.iter().zip(&mut kept) {
            *kept |= answers.get(id).copied().unwrap_or(false);
        }
        Ok(kept)
    }

    /// How long the records of blocks are in their packs, in bytes, those too that are not synced; none for a
    /// block that is not there. For estimates: the stored form may change at any time.
    ///
    /// # Errors
    /// Failures of the backend.
    pub fn stored_bytes(&self, ids: &[BlockId]) -> Result<Vec<Option<u32>>> {
        let pending: Vec<Option<BlockRow>> = {
            let pending = lock(&self.pending);
            ids.iter().map(|id| pending.get(id).copied()).collect()
        };
        let rows = self.store.locate(ids)?;
        Ok(pending.into_iter().zip(rows).map(|(a, b)| a.or(b).map(|row| row.record_len())).collect())
    }

    fn append(&self, records: &[Record]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.store.backend.require_reserve()?;
        let mut writer = lock(&self.writer);
        let records = records.iter().map(|record| (&record.header, record.payload.as_slice()));
        let placed = writer.append(&*self.store.backend, self.id, records)?;
        lock(&self.pending).extend(placed);
        if writer.has_full() {
            self.index(&mut writer, Extent::Full)?;
        }
        Ok(())
    }

    /// Makes everything durable whose put returned before this began; it can be read by all from then on.
    ///
    /// # Errors
    /// [`Error::SessionGone`]; failures of the backend, after which the session is broken.
    pub fn sync(&self) -> Result<()> {
        self.check_usable()?;
        self.note(self.sync_appended())
    }

    fn sync_appended(&self) -> Result<()> {
        self.index(&mut lock(&self.writer), Extent::All)
    }

    fn index(&self, writer: &mut Writer, extent: Extent) -> Result<()> {
        let epoch = lock(&self.protection).epoch;
        writer.sync(extent, |written| {
            self.store.backend.write(&mut |txn| {
                written.iter().try_for_each(|pack| blocks::index(txn, self.id, epoch, pack))
            })?;
            let mut protection = lock(&self.protection);
            let mut pending = lock(&self.pending);
            for pack in written {
                protection.touched.insert(pack.pack);
                for (id, _) in pack.blocks {
                    pending.remove(id);
                }
            }
            Ok(())
        })
    }

    /// For long jobs: makes everything durable, keeps what the named refs and the `finished` blocks reach,
    /// and moves to the present epoch. What this session put before and neither keeps reaches is no longer
    /// protected and must be put again before it is relied on.
    ///
    /// # Errors
    /// [`Error::Missing`] for a finished block that is not there; [`Error::SessionGone`]; failures of the
    /// backend, after which the session is broken.
    pub fn checkpoint(&self, pinned_refs: &[&str], finished: &[BlockId]) -> Result<()> {
        if rayon::current_thread_index().is_some() {
            return Err(Error::invalid(
                "a checkpoint waits for the puts at work, which may wait for the task it is in: call it from a \
                 thread outside of rayon's pool",
            ));
        }
        let _alone = self.puts.close();
        self.check_usable()?;
        self.note(self.sync_appended())?;
        let mut epoch = Epoch(0);
        let moved = self.store.backend.write(&mut |txn| {
            epoch = sessions::checkpoint(txn, self.id, pinned_refs, finished)?;
            Ok(())
        });
        match moved {
            // Refused before anything was changed.
            Err(e @ (Error::Missing { .. } | Error::NoSuchRef { .. } | Error::Invalid { .. })) => {
                return Err(e);
            }
            // It may have happened: what is known to be protected may be so no longer.
            moved => self.note(moved)?,
        }
        *lock(&self.protection) = Protection { epoch, touched: HashSet::new() };
        Ok(())
    }

    /// Changes refs, all or none, after making everything durable that was put. Returns the version that
    /// every ref set here now has.
    ///
    /// # Errors
    /// [`Error::RefConflict`] if an expectation fails; [`Error::Missing`] if a root is not in the store;
    /// [`Error::Invalid`] for names, sizes or counts over the limits; [`Error::SessionGone`]; failures of
    /// the backend, after which the outcome is unknown until the refs are read.
    pub fn publish(&self, changes: &[RefChange]) -> Result<RefVersion> {
        refs::check(changes)?;
        self.sync()?;
        let mut version = RefVersion(0);
        let mut body = |txn: &mut dyn crate::backend::Txn| {
            version = refs::publish(txn, self.id, changes)?;
            Ok(())
        };
        if changes.iter().all(|change| change.set.is_none()) {
            self.store.write_even_if_full(&mut body)?;
        } else {
            self.store.backend.write(&mut body)?;
        }
        Ok(version)
    }

    /// Reads blocks, those included that this session has put but not synced; else as [`Store::get`].
    #[must_use]
    pub fn get(&self, ids: &[BlockId]) -> Vec<Result<Block>> {
        match self.pending_rows(ids) {
            None => self.store.get(ids),
            Some(rows) => ids.par_iter().zip(rows).map(|(id, row)| self.get_from(*id, row)).collect(),
        }
    }

    /// The same on the calling thread alone: for one of many that are at work anyway.
    #[must_use]
    pub fn get_here(&self, ids: &[BlockId]) -> Vec<Result<Block>> {
        match self.pending_rows(ids) {
            None => self.store.get_here(ids),
            Some(rows) => ids.iter().zip(rows).map(|(id, row)| self.get_from(*id, row)).collect(),
        }
    }

    /// Where those of the blocks lie that are not indexed yet; none if all are.
    fn pending_rows(&self, ids: &[BlockId]) -> Option<Vec<Option<BlockRow>>> {
        let pending = lock(&self.pending);
        let rows: Vec<Option<BlockRow>> = ids.iter().map(|id| pending.get(id).copied()).collect();
        rows.iter().any(Option::is_some).then_some(rows)
    }

    fn get_from(&self, id: BlockId, row: Option<BlockRow>) -> Result<Block> {
        match row {
            Some(row) => self.store.fetch(id, Some(row), 0),
            None => self.store.get_one(id),
        }
    }

    /// Ends the session. What it put and no ref keeps is garbage from now on; what was not synced is lost.
    ///
    /// # Errors
    /// Failures of the backend; the session ends all the same with the next collection through this store,
    /// or when the process does.
    pub fn close(self) -> Result<()> {
        self.end()
    }

    fn end(&self) -> Result<()> {
        if self.ended.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let ended = self.store.write_relaxed_even_if_full(&mut |txn| sessions::end(txn, self.id));
        if ended.is_err() {
            lock(&self.store.unended).push(self.id);
        }
        ended
    }

    fn check_usable(&self) -> Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::SessionBroken { id: self.id });
        }
        Ok(())
    }

    /// A failure while writing leaves packs in an unknown state: the session is not used again.
    fn note(&self, outcome: Result<()>) -> Result<()> {
        if outcome.is_err() {
            self.broken.store(true, Ordering::SeqCst);
        }
        outcome
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody can be told; a session that stays behind ends with its owner.
        let _ = self.end();
    }
}

/// Splits a batch into steps of about [`STEP_BYTES`].
fn steps<'a, 'b>(blocks: &'a [BlockRef<'b>]) -> impl Iterator<Item = &'a [BlockRef<'b>]> {
    let mut rest = blocks;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let len = rest
            .iter()
            .take_while(|block| {
                let first = bytes == 0;
                bytes += block.bytes.len().max(1);
                first || bytes <= STEP_BYTES
            })
            .count();
        let (step, after) = rest.split_at(len);
        rest = after;
        (!step.is_empty()).then_some(step)
    })
}
