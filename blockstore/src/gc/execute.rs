//! Carrying out a plan: each step re-checks in its own transaction that no writer has come in between.
//!
//! Deletions come first, since they make room. A full disk ends the copying, not the collection. Rows are
//! changed in the order of their keys over many packs at once: names are hashes, so the rows of one pack lie
//! all over the index, and pack by pack each page of it would be written once for every pack.

use super::GcReport;
use super::copy::Copier;
use crate::error::{Error, Result};
use crate::ids::{Epoch, PackId};
use crate::observer::{Observer, Stage};
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

/// Does what the plan says.
pub(super) fn run(
    store: &Store,
    begun: &Begun,
    plan: &super::plan::Plan,
    marks: &Marks,
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    for id in &plan.absolve {
        store.write_relaxed_even_if_full(&mut |txn| collect::absolve(txn, *id))?;
    }
    delete_all(store, begun.cycle, &plan.delete, observer, report)?;
    for (done, id) in plan.condemn.iter().enumerate() {
        check(observer, Stage::Condemn, done, plan.condemn.len())?;
        let condemned = condemn(store, begun, *id)?;
        count(condemned, &mut report.condemned_packs, &mut report.kept_by_writers);
    }
    match rewrite_all(store, begun, &plan.rewrite, marks, observer, report) {
        Err(e) if e.is_full() => {
            report.no_room_to_copy = rewrite_in_little_room(store, begun, plan, marks, observer, report)?;
        }
        outcome => outcome?,
    }
    count_condemned(store, report)
}

/// On a full disk: gives up the reserve, takes back what the attempt before has written, and copies pack by
/// pack, least used first. Whether the room ended before the packs did.
fn rewrite_in_little_room(
    store: &Store,
    begun: &Begun,
    plan: &super::plan::Plan,
    marks: &Marks,
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<bool> {
    store.backend.release_reserve()?;
    for id in &plan.rewrite {
        delete_unindexed(store, begun, observer, report)?;
        if load(store, *id)?.is_none_or(|pack| pack.state != PackState::Live) {
            continue;
        }
        match rewrite_all(store, begun, &[*id], marks, observer, report) {
            Err(e) if e.is_full() => {
                delete_unindexed(store, begun, observer, report)?;
                return Ok(true);
            }
            outcome => outcome?,
        }
    }
    Ok(false)
}

/// Deletes packs in which nothing was ever indexed: those whose writing failed.
fn delete_unindexed(
    store: &Store,
    begun: &Begun,
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    let mut ids = Vec::new();
    store.backend.read(&mut |txn| {
        let all = packs::all(txn)?.into_iter();
        ids = all.filter(|(_, pack)| is_waiting(pack) && pack.records == 0).map(|(id, _)| id).collect();
        Ok(())
    })?;
    delete_all(store, begun.cycle, &ids, observer, report)
}

/// A second, short collection: condemns nothing, deletes what the first one condemned.
pub(super) fn sweep(store: &Store, observer: &dyn Observer, report: &mut GcReport) -> Result<()> {
    let mut begun = None;
    let mut condemned = Vec::new();
    store.write_even_if_full(&mut |txn| {
        begun = Some(collect::begin(txn, &|_| Ok(false))?);
        condemned = packs::all(txn)?;
        Ok(())
    })?;
    let begun = begun.expect("set by the body that has just succeeded");
    condemned.retain(|(_, pack)| is_waiting(pack));
    let ids: Vec<PackId> = condemned.into_iter().map(|(id, _)| id).collect();
    delete_all(store, begun.cycle, &ids, observer, report)?;
    count_condemned(store, report)
}

fn check(observer: &dyn Observer, stage: Stage, done: usize, total: usize) -> Result<()> {
    if observer.cancelled() {
        return Err(Error::Cancelled);
    }
    observer.progress(stage, done as u64, Some(total as u64));
    Ok(())
}

fn count(happened: bool, yes: &mut u64, no: &mut u64) {
    *(if happened { yes } else { no }) += 1;
}

/// Whether a pack waits to be deleted.
const fn is_waiting(pack: &PackRow) -> bool {
    matches!(pack.state, PackState::Condemned | PackState::Deleting)
}

/// Brings the figure of what waits to be deleted up to date.
fn count_condemned(store: &Store, report: &mut GcReport) -> Result<()> {
    store.backend.read(&mut |txn| {
        let packs = packs::all(txn)?;
        let waiting = packs.iter().filter(|(_, pack)| is_waiting(pack));
        report.figures.condemned_bytes = waiting.map(|(_, pack)| pack.len_bytes).sum();
        Ok(())
    })
}

fn condemn(store: &Store, begun: &Begun, id: PackId) -> Result<bool> {
    let mut condemned = false;
    store.write_relaxed_even_if_full(&mut |txn| {
        condemned = collect::condemn(txn, begun, id)?;
        Ok(())
    })?;
    Ok(condemned)
}

/// Deletes packs: takes the way back, removes rows, makes both durable, removes files, forgets.
fn delete_all(
    store: &Store,
    cycle: Epoch,
    ids: &[PackId],
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    let mut group: Vec<(PackId, PackRow)> = Vec::new();
    let mut rows: Vec<(BlockId, PackId)> = Vec::new();
    for (done, id) in ids.iter().enumerate() {
        check(observer, Stage::Delete, done, ids.len())?;
        let mut deletable = false;
        store.write_relaxed_even_if_full(&mut |txn| {
            deletable = collect::start_delete(txn, cycle, *id)?;
            Ok(())
        })?;
        let Some(pack) = load(store, *id)?.filter(|_| deletable) else {
            report.kept_by_writers += 1;
            continue;
        };
        // A pack that was emptied before it was condemned has no rows left.
        if pack.records > 0 {
            rows.extend(blocks_of(store, *id, pack.len_bytes)?.into_iter().map(|block| (block, *id)));
        }
        group.push((*id, pack));
        if rows.len() >= ROWS_PER_GROUP {
            delete_group(store, &group, &mut rows, report)?;
            group.clear();
        }
    }
    delete_group(store, &group, &mut rows, report)
}

fn delete_group(
    store: &Store,
    group: &[(PackId, PackRow)],
    rows: &mut Vec<(BlockId, PackId)>,
    report: &mut GcReport,
) -> Result<()> {
    if group.is_empty() {
        return Ok(());
    }
    rows.sort_unstable();
    for part in rows.chunks(ROWS_PER_TXN) {
        store.write_relaxed_even_if_full(&mut |txn| {
            part.iter().try_for_each(|(block, pack)| blocks::remove_from_pack(txn, block, *pack).map(drop))
        })?;
    }
    rows.clear();
    // Makes all of the above durable: the rows of the packs are written again, as they are.
    store.write_even_if_full(&mut |txn| {
        group.iter().try_for_each(|(id, pack)| packs::store(txn, *id, pack))
    })?;
    for (id, _) in group {
        store.backend.remove_pack(*id)?;
    }
    store.write_relaxed_even_if_full(&mut |txn| {
        group.iter().try_for_each(|(id, _)| collect::finish_delete(txn, *id))
    })?;
    report.deleted_packs += group.len() as u64;
    report.figures.reclaimed_bytes += group.iter().map(|(_, pack)| pack.len_bytes).sum::<u64>();
    Ok(())
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

fn rewrite_all(
    store: &Store,
    begun: &Begun,
    packs: &[PackId],
    marks: &Marks,
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    if packs.is_empty() {
        return Ok(());
    }
    let session = store.session(&[])?;
    let mut copier = Copier::new(store, begun, session.id());
    let outcome = copy_all(&mut copier, packs, marks, observer, report);
    let unfinished = copier.unfinished();
    drop(copier);
    if let Err(e) = outcome {
        // Files of which nothing is indexed go at once, before any row is written: on a disk that this has
        // filled to the last byte, theirs is the room in which rows can be written again.
        for id in unfinished {
            if load(store, id)?.is_none_or(|pack| pack.records == 0) {
                store.backend.remove_pack(id)?;
            }
        }
        return Err(e);
    }
    session.close()
}

fn copy_all(
    copier: &mut Copier<'_>,
    packs: &[PackId],
    marks: &Marks,
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    for (done, id) in packs.iter().enumerate() {
        check(observer, Stage::Rewrite, done, packs.len())?;
        let Some(used) = marks.packs.get(id) else { continue };
        match copier.copy(*id, used, observer)? {
            Ok(bytes) => report.figures.copied_bytes += bytes,
            Err(problem) => report.damaged.push(problem),
        }
        if copier.rows() >= ROWS_PER_GROUP {
            copier.commit(false, report)?;
        }
    }
    copier.commit(true, report)
}
