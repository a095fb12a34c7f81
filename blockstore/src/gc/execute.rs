//! Carrying out a plan: each step re-checks in its own transaction that no writer has come in between.
//!
//! Deletions come first, since they make room. A full disk ends the copying, not the collection. Rows are
//! changed in the order of their keys over many packs at once: names are hashes, so the rows of one pack lie
//! all over the index, and pack by pack each page of it would be written once for every pack.

use super::GcReport;
use super::copy::{Copier, Source};
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::ids::{PackId, SessionId};
use crate::observer::{Observer, Others, Stage};
use crate::pack::{self, Scanned};
use crate::record::Header;
use crate::state::blocks;
use crate::state::collect::{self, Begun};
use crate::state::packs::{self, PackRow, PackState};
use crate::store::Store;
use crate::walk::Marks;
use tidemark_base::BlockId;

/// Most rows changed in one transaction: writers wait behind it.
pub(super) const ROWS_PER_TXN: usize = 4096;
/// How many rows are collected before they are changed, in the order of their keys: about 64 MiB of memory.
pub(super) const ROWS_PER_GROUP: usize = 1 << 20;

/// A collection that is being carried out.
pub(super) struct Execution<'a> {
    pub(super) store: &'a Store,
    pub(super) begun: &'a Begun,
    pub(super) observer: &'a dyn Observer,
    pub(super) report: &'a mut GcReport,
    /// The session that copies, while there is one.
    pub(super) own: Option<SessionId>,
}

impl Execution<'_> {
    /// Does what the plan says.
    pub(super) fn run(&mut self, plan: &Plan, marks: &Marks) -> Result<()> {
        for id in &plan.absolve {
            self.store.write_relaxed_even_if_full(&mut |txn| collect::absolve(txn, *id))?;
        }
        self.delete_all(&plan.delete)?;
        for (done, id) in plan.condemn.iter().enumerate() {
            self.check(Stage::Condemn, done, plan.condemn.len())?;
            if self.condemn(*id)? {
                self.report.condemned_packs += 1;
            } else {
                self.report.kept_by_writers += 1;
            }
        }
        match self.rewrite_all(&plan.rewrite, marks) {
            Err(e) if e.is_full() => {
                self.report.no_room_to_copy = self.rewrite_in_little_room(&plan.rewrite, marks)?;
            }
            outcome => outcome?,
        }
        self.count_condemned()
    }

    /// A second, short collection: condemns nothing, deletes what the first one condemned.
    pub(super) fn sweep(&mut self) -> Result<()> {
        let mut ids = Vec::new();
        self.store.backend.read(&mut |txn| {
            let all = packs::all(txn)?.into_iter();
            ids = all.filter(|(_, pack)| is_waiting(pack)).map(|(id, _)| id).collect();
            Ok(())
        })?;
        self.delete_all(&ids)?;
        self.count_condemned()
    }

    /// On a full disk: gives up the reserve, takes back what the attempt before has written, and copies pack
    /// by pack, least used first. Whether the room ended before the packs did.
    fn rewrite_in_little_room(&mut self, packs: &[PackId], marks: &Marks) -> Result<bool> {
        self.store.backend.release_reserve()?;
        for id in packs {
            self.delete_unindexed()?;
            if load(self.store, *id)?.is_none_or(|pack| pack.state != PackState::Live) {
                continue;
            }
            match self.rewrite_all(&[*id], marks) {
                Err(e) if e.is_full() => {
                    self.delete_unindexed()?;
                    return Ok(true);
                }
                outcome => outcome?,
            }
        }
        Ok(false)
    }

    /// Deletes packs in which nothing was ever indexed: those whose writing failed. Those that this collection
    /// has emptied hold nothing either, but wait for the next.
    fn delete_unindexed(&mut self) -> Result<()> {
        let mut ids = Vec::new();
        self.store.backend.read(&mut |txn| {
            let all = packs::all(txn)?.into_iter();
            let may_go = |pack: &PackRow| pack.records == 0 && collect::is_deletable(pack, self.begun.cycle);
            ids = all.filter(|(_, pack)| may_go(pack)).map(|(id, _)| id).collect();
            Ok(())
        })?;
        self.delete_all(&ids)
    }

    fn check(&self, stage: Stage, done: usize, total: usize) -> Result<()> {
        if self.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        self.observer.progress(stage, done as u64, Some(total as u64));
        Ok(())
    }

    /// Lets others go first, after a short piece of work.
    pub(super) fn pace(&self, bytes: u64) -> Result<Others> {
        let others = self.store.others(self.own)?;
        self.observer.pace(bytes, others);
        Ok(others)
    }

    /// Changes rows part by part, each in a transaction that is durable with a later one. Parts are short
    /// while others are at work, who wait behind each.
    pub(super) fn in_parts<T>(&self, rows: &[T], mut change: impl FnMut(&[T]) -> Result<()>) -> Result<()> {
        let mut rest = rows;
        let mut others = self.store.others(self.own)?;
        while !rest.is_empty() {
            let most = if others == Others::AtWork { ROWS_PER_TXN / 8 } else { ROWS_PER_TXN };
            let (part, after) = rest.split_at(most.min(rest.len()));
            change(part)?;
            rest = after;
            others = self.pace(0)?;
        }
        Ok(())
    }

    /// Brings the figure of what waits to be deleted up to date.
    fn count_condemned(&mut self) -> Result<()> {
        self.store.backend.read(&mut |txn| {
            let packs = packs::all(txn)?;
            let waiting = packs.iter().filter(|(_, pack)| is_waiting(pack));
            self.report.figures.condemned_bytes = waiting.map(|(_, pack)| pack.len_bytes).sum();
            Ok(())
        })
    }

    fn condemn(&self, id: PackId) -> Result<bool> {
        let mut condemned = false;
        self.store.write_relaxed_even_if_full(&mut |txn| {
            condemned = collect::condemn(txn, self.begun, id)?;
            Ok(())
        })?;
        Ok(condemned)
    }

    /// Deletes packs: takes the way back, removes rows, makes both durable, removes files, forgets.
    fn delete_all(&mut self, ids: &[PackId]) -> Result<()> {
        let mut group: Vec<(PackId, PackRow)> = Vec::new();
        let mut rows: Vec<(BlockId, PackId)> = Vec::new();
        for (done, id) in ids.iter().enumerate() {
            self.check(Stage::Delete, done, ids.len())?;
            let mut deletable = false;
            self.store.write_relaxed_even_if_full(&mut |txn| {
                deletable = collect::start_delete(txn, self.begun.cycle, *id)?;
                Ok(())
            })?;
            let Some(pack) = load(self.store, *id)?.filter(|_| deletable) else {
                self.report.kept_by_writers += 1;
                continue;
            };
            // A pack that was emptied before it was condemned has no rows left.
            if pack.records > 0 {
                rows.extend(
                    blocks_of(self.store, *id, pack.len_bytes)?.into_iter().map(|block| (block, *id)),
                );
            }
            group.push((*id, pack));
            if rows.len() >= ROWS_PER_GROUP {
                self.delete_group(&group, &mut rows)?;
                group.clear();
            }
            self.pace(0)?;
        }
        self.delete_group(&group, &mut rows)
    }

    fn delete_group(&mut self, group: &[(PackId, PackRow)], rows: &mut Vec<(BlockId, PackId)>) -> Result<()> {
        if group.is_empty() {
            return Ok(());
        }
        rows.sort_unstable();
        self.in_parts(rows, |part| {
            self.store.write_relaxed_even_if_full(&mut |txn| {
                part.iter()
                    .try_for_each(|(block, pack)| blocks::remove_from_pack(txn, block, *pack).map(drop))
            })
        })?;
        rows.clear();
        // Makes all of the above durable: the rows of the packs are written again, as they are.
        self.store.write_even_if_full(&mut |txn| {
            group.iter().try_for_each(|(id, pack)| packs::store(txn, *id, pack))
        })?;
        for (id, _) in group {
            self.store.backend.remove_pack(*id)?;
        }
        self.store.write_relaxed_even_if_full(&mut |txn| {
            group.iter().try_for_each(|(id, _)| collect::finish_delete(txn, *id))
        })?;
        self.report.deleted_packs += group.len() as u64;
        self.report.figures.reclaimed_bytes += group.iter().map(|(_, pack)| pack.len_bytes).sum::<u64>();
        Ok(())
    }

    fn rewrite_all(&mut self, packs: &[PackId], marks: &Marks) -> Result<()> {
        if packs.is_empty() {
            return Ok(());
        }
        let session = self.store.session(&[])?;
        self.own = Some(session.id());
        let mut copier = Copier::new(session.id());
        let outcome = self.copy_all(&mut copier, packs, marks);
        self.own = None;
        let unfinished = copier.unfinished();
        drop(copier);
        if let Err(e) = outcome {
            // Files of which nothing is indexed go at once, before any row is written: on a disk that this
            // has filled to the last byte, theirs is the room in which rows can be written again.
            for id in unfinished {
                if load(self.store, id)?.is_none_or(|pack| pack.records == 0) {
                    self.store.backend.remove_pack(id)?;
                }
            }
            return Err(e);
        }
        session.close()
    }

    fn copy_all(&mut self, copier: &mut Copier, packs: &[PackId], marks: &Marks) -> Result<()> {
        let store = self.store;
        let mut read: Option<Source> = None;
        for done in 0..=packs.len() {
            self.check(Stage::Rewrite, done, packs.len())?;
            let next = packs.get(done).and_then(|id| marks.packs.get(id).map(|used| (*id, used)));
            let mut ahead = Ok(Ok(None));
            // The next pack is read while this one is written; at most two are in memory.
            let copied = rayon::in_place_scope(|scope| {
                if let Some((id, used)) = &next {
                    scope.spawn(|_| ahead = Source::read(store, *id, used));
                }
                read.take().map_or(Ok(0), |source| copier.copy(self, source))
            });
            self.report.figures.copied_bytes += copied?;
            match ahead? {
                Ok(source) => read = source,
                Err(problem) => self.report.damaged.push(problem),
            }
            if copier.rows() >= ROWS_PER_GROUP {
                copier.commit(self, false)?;
            }
        }
        copier.commit(self, true)
    }
}

/// Whether a pack waits to be deleted.
const fn is_waiting(pack: &PackRow) -> bool {
    matches!(pack.state, PackState::Condemned | PackState::Deleting)
}

pub(super) fn load(store: &Store, id: PackId) -> Result<Option<PackRow>> {
    let mut found = None;
    store.backend.read(&mut |txn| {
        found = packs::load(txn, id)?;
        Ok(())
    })?;
    Ok(found)
}

/// The blocks to which rows may point in a pack.
fn blocks_of(store: &Store, id: PackId, len_bytes: u64) -> Result<Vec<BlockId>> {
    let read = |offset, len| store.backend.read_pack(id, offset, len);
    let records = records(id, len_bytes, &read)?;
    if let Ok(records) = records {
        return Ok(records.into_iter().map(|(_, header)| header.id).collect());
    }
    // The scan may not have seen every record; the index has.
    let mut ids = Vec::new();
    store.backend.read(&mut |txn| {
        ids.clear();
        blocks::for_each(txn, |block, row| {
            if row.place.pack == id {
                ids.push(block);
            }
            Ok(())
        })
    })?;
    Ok(ids)
}

/// The records of a pack, in order, with their offsets; or, within, the first damage.
pub(super) fn records(
    id: PackId,
    len_bytes: u64,
    read: &pack::ReadAt<'_>,
) -> Result<Result<Vec<(u32, Header)>, String>> {
    let mut records = Vec::new();
    let mut damage = None;
    pack::scan(id, len_bytes, read, |found| {
        match found {
            Scanned::Record { place, header } => records.push((place.offset, header)),
            Scanned::Damage { offset, problem, .. } => {
                damage.get_or_insert(format!("pack {id} at {offset}: {problem}"));
            }
        }
        Ok(())
    })?;
    Ok(damage.map_or(Ok(records), Err))
}
