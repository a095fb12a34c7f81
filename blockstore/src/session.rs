//! A session: the only way to write, and the protection of what was written until a ref keeps it.
//!
//! `put` names, deduplicates, compresses and appends; `sync` makes durable and indexes; `publish` sets refs.
//! What a session puts or pins is safe from garbage collection until it ends; what no ref keeps by then is
//! garbage. Any number of threads may put at once; a sync covers every put that returned before it began.

mod putting;

use crate::codec::Block;
use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::ids::{Epoch, PackId, RefVersion, SessionId};
use crate::record::Record;
use crate::state::blocks::{self, BlockRow, Written};
use crate::state::refs::{self, RefChange};
use crate::state::sessions;
use crate::store::Store;
use crate::writer::{self, Writer};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemark_base::BlockId;

/// An open session.
pub struct Session {
    store: Store,
    id: SessionId,
    protection: Mutex<Protection>,
    writer: Mutex<Writer>,
    /// Held while packs are made durable and indexed; asked for with the writer's lock held, which may be let go
    /// then, so that others write on.
    indexing: Mutex<()>,
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
            indexing: Mutex::default(),
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
        let (full, _indexing) = {
            let mut writer = lock(&self.writer);
            self.check_usable()?;
            let records = records.iter().map(|record| (&record.header, record.payload.as_slice()));
            let placed = self.note(writer.append(&*self.store.backend, self.id, records))?;
            lock(&self.pending).extend(placed);
            let full = writer.take_full();
            if full.is_empty() {
                return Ok(());
            }
            (full, lock(&self.indexing))
        };
        self.note(writer::complete(full, |written| self.index(written)))
    }

    /// Makes everything durable whose put returned before this began; it can be read by all from then on.
    ///
    /// # Errors
    /// [`Error::SessionGone`]; [`Error::SessionBroken`] if somebody's put or sync has failed; failures of the backend,
    /// after which the session is broken.
    pub fn sync(&self) -> Result<()> {
        let mut writer = lock(&self.writer);
        let _indexing = lock(&self.indexing);
        // Whatever failed for another was noted before it let go of its lock: what is broken is not made to look whole.
        self.check_usable()?;
        self.note(writer.sync(false, |written| self.index(written)))
    }

    fn index(&self, written: &[Written<'_>]) -> Result<()> {
        let epoch = lock(&self.protection).epoch;
        self.store
            .backend
            .write(&mut |txn| written.iter().try_for_each(|pack| blocks::index(txn, self.id, epoch, pack)))?;
        let mut protection = lock(&self.protection);
        let mut pending = lock(&self.pending);
        for pack in written {
            protection.touched.insert(pack.pack);
            for (id, _) in pack.blocks {
                pending.remove(id);
            }
        }
        Ok(())
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
        self.sync()?;
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
        // Whoever panicked while writing has noted nothing.
        let is_left = self.writer.is_poisoned() || self.indexing.is_poisoned();
        if is_left || self.broken.load(Ordering::SeqCst) {
            return Err(Error::SessionBroken { id: self.id });
        }
        Ok(())
    }

    /// A failure while writing leaves packs in an unknown state: the session is not used again.
    fn note<T>(&self, outcome: Result<T>) -> Result<T> {
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
