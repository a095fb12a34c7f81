//! Carrying out a plan: each step re-checks in its own transaction that no writer has come in between.
//!
//! Deletions come first, since they make room. A full disk ends the copying, not the collection.

use super::plan::Plan;
use super::{GcReport, Stop};
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::observer::{Observer, Stage};
use crate::pack::{self, Scanned};
use crate::record::{HEADER_LEN_U32, Record};
use crate::state::blocks::{self, BlockRow};
use crate::state::collect::{self, Begun};
use crate::state::packs::{self, PackRow, PackState};
use crate::store::Store;
use crate::walk::{Marks, PackMarks};
use crate::writer::{Extent, Writer};
use tidemark_base::BlockId;

/// Most rows moved or deleted in one transaction: writers wait behind it.
const ROWS_PER_TXN: usize = 2048;

/// Does what the plan says.
pub(super) fn run(
    store: &Store,
    begun: &Begun,
    plan: &Plan,
    marks: &Marks,
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    for id in &plan.absolve {
        store.write_even_if_full(&mut |txn| collect::absolve(txn, *id))?;
    }
    delete_all(store, begun.cycle, &plan.delete, observer, report)?;
    for (done, id) in plan.condemn.iter().enumerate() {
        check(observer, Stage::Condemn, done, plan.condemn.len())?;
        let mut condemned = false;
        store.write_even_if_full(&mut |txn| {
            condemned = collect::condemn(txn, begun, *id)?;
            Ok(())
        })?;
        count(condemned, &mut report.condemned_packs, &mut report.kept_by_writers);
    }
    match rewrite_all(store, begun, plan, marks, observer, report) {
        Err(e) if Stop::from(&e) == Stop::Full => {
            report.damaged.push(format!("copying stopped: {e}"));
        }
        outcome => outcome?,
    }
    count_condemned(store, report)
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
    let ids: Vec<PackId> = condemned
        .into_iter()
        .filter(|(_, pack)| matches!(pack.state, PackState::Condemned | PackState::Deleting))
        .map(|(id, _)| id)
        .collect();
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

/// Brings the figure of what waits to be deleted up to date.
fn count_condemned(store: &Store, report: &mut GcReport) -> Result<()> {
    store.backend.read(&mut |txn| {
        let waiting = |pack: &PackRow| matches!(pack.state, PackState::Condemned | PackState::Deleting);
        let packs = packs::all(txn)?;
        report.figures.condemned_bytes =
            packs.iter().filter(|(_, pack)| waiting(pack)).map(|(_, pack)| pack.len_bytes).sum();
        Ok(())
    })
}

fn delete_all(
    store: &Store,
    cycle: crate::Epoch,
    ids: &[PackId],
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    for (done, id) in ids.iter().enumerate() {
        check(observer, Stage::Delete, done, ids.len())?;
        let Some(pack) = load(store, *id)? else { continue };
        let Contents { records, damaged } = scan(store, *id, pack.len_bytes)?;
        let mut blocks: Vec<BlockId> = records.into_iter().map(|(row, _)| row).collect();
        if damaged.is_some() {
            // The scan may not have seen every record; the index has.
            blocks = indexed_in(store, *id)?;
        }
        blocks.sort_unstable();
        let mut deletable = false;
        let parts = blocks.chunks(ROWS_PER_TXN);
        // A pack without blocks still needs its state changed.
        for part in parts.chain(blocks.is_empty().then_some(&[][..])) {
            store.write_even_if_full(&mut |txn| {
                deletable = collect::start_delete(txn, cycle, *id, part)?;
                Ok(())
            })?;
            if !deletable {
                break;
            }
        }
        if deletable {
            store.backend.remove_pack(*id)?;
            store.write_even_if_full(&mut |txn| collect::finish_delete(txn, *id))?;
            report.figures.reclaimed_bytes += pack.len_bytes;
            report.deleted_packs += 1;
        } else {
            report.kept_by_writers += 1;
        }
    }
    Ok(())
}

fn load(store: &Store, id: PackId) -> Result<Option<PackRow>> {
    let mut found = None;
    store.backend.read(&mut |txn| {
        found = packs::load(txn, id)?;
        Ok(())
    })?;
    Ok(found)
}

/// The blocks that the index has in a pack, found the long way.
fn indexed_in(store: &Store, pack: PackId) -> Result<Vec<BlockId>> {
    let mut ids = Vec::new();
    store.backend.read(&mut |txn| {
        ids.clear();
        blocks::for_each(txn, |id, row| {
            if row.place.pack == pack {
                ids.push(id);
            }
            Ok(())
        })
    })?;
    Ok(ids)
}

/// The records of a pack, by number, and the first damage if there is any.
struct Contents {
    /// Name, offset and length of the payload.
    records: Vec<(BlockId, (u32, u32))>,
    damaged: Option<String>,
}

fn scan(store: &Store, id: PackId, len_bytes: u64) -> Result<Contents> {
    let mut contents = Contents { records: Vec::new(), damaged: None };
    if len_bytes == 0 {
        return Ok(contents);
    }
    let read = |offset, len| store.backend.read_pack(id, offset, len);
    pack::scan(id, len_bytes, &read, |found| {
        match found {
            Scanned::Record { place, header } => {
                contents.records.push((header.id, (place.offset, header.stored_len)));
            }
            Scanned::Damage { offset, problem, .. } => {
                contents.damaged.get_or_insert(format!("pack {id} at {offset}: {problem}"));
            }
        }
        Ok(())
    })?;
    Ok(contents)
}

fn rewrite_all(
    store: &Store,
    begun: &Begun,
    plan: &Plan,
    marks: &Marks,
    observer: &dyn Observer,
    report: &mut GcReport,
) -> Result<()> {
    if plan.rewrite.is_empty() {
        return Ok(());
    }
    let session = store.session(&[])?;
    let mut copier =
        Copier { store, begun, session: session.id(), writer: Writer::default(), waiting: Vec::new() };
    for (done, id) in plan.rewrite.iter().enumerate() {
        check(observer, Stage::Rewrite, done, plan.rewrite.len())?;
        let Some(used) = marks.packs.get(id) else { continue };
        match copier.copy(*id, used, observer)? {
            Ok(bytes) => report.figures.copied_bytes += bytes,
            Err(problem) => report.damaged.push(problem),
        }
        if copier.writer.has_full() {
            copier.commit(Extent::All, report)?;
        }
    }
    copier.commit(Extent::Finish, report)?;
    session.close()
}

/// Copies records in use into new packs and moves their rows.
struct Copier<'a> {
    store: &'a Store,
    begun: &'a Begun,
    session: crate::SessionId,
    writer: Writer,
    /// Packs whose records are copied but whose rows are not moved yet.
    waiting: Vec<(PackId, Vec<(BlockId, BlockRow)>)>,
}

impl Copier<'_> {
    /// Copies what is in use in a pack. A pack in which something in use cannot be found or is damaged is
    /// left alone: the inner error says why.
    fn copy(&mut self, id: PackId, used: &PackMarks, observer: &dyn Observer) -> Result<Result<u64, String>> {
        let backend = &*self.store.backend;
        let Some(pack) = load(self.store, id)? else { return Ok(Ok(0)) };
        let Contents { records, damaged } = scan(self.store, id, pack.len_bytes)?;
        if let Some(problem) = damaged {
            return Ok(Err(problem));
        }
        let wanted: Vec<_> = records
            .iter()
            .zip(0u32..)
            .filter(|(_, seq)| used.contains(*seq))
            .map(|((id, (offset, stored_len)), _)| (*id, *offset, *stored_len))
            .collect();
        if wanted.len() != used.records as usize {
            return Ok(Err(format!("pack {id} does not hold all records that the index has in it")));
        }
        let mut copied = 0;
        let mut moved = Vec::with_capacity(wanted.len());
        for group in wanted.chunks(256) {
            let mut records = Vec::with_capacity(group.len());
            for (block, offset, stored_len) in group {
                let bytes = backend.read_pack(id, *offset, HEADER_LEN_U32 + stored_len)?.unwrap_or_default();
                match Record::decode(&bytes) {
                    Ok(record) if record.header.id == *block => records.push(record),
                    Ok(_) => return Ok(Err(format!("pack {id} at {offset}: another block stands there"))),
                    Err(e) => return Ok(Err(format!("pack {id} at {offset}: {e}"))),
                }
                copied += bytes.len() as u64;
                observer.pace(bytes.len() as u64);
            }
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            moved.extend(self.writer.append(backend, self.session, &records)?);
        }
        self.waiting.push((id, moved));
        Ok(Ok(copied))
    }

    /// Makes the copies durable, then moves the rows of each pack and condemns it.
    fn commit(&mut self, extent: Extent, report: &mut GcReport) -> Result<()> {
        let backend = &*self.store.backend;
        let session = self.session;
        let epoch = self.begun.cycle;
        self.writer.sync(extent, |written| {
            backend.write(&mut |txn| {
                written.iter().try_for_each(|pack| {
                    // The rows still point at the old packs; they are moved below.
                    let unindexed = blocks::Written { blocks: &[], ..*pack };
                    blocks::index(txn, session, epoch, &unindexed)
                })
            })
        })?;
        for (source, mut moved) in self.waiting.drain(..) {
            moved.sort_unstable_by_key(|(id, _)| *id);
            let mut unprotected = true;
            let mut rest = moved.as_slice();
            while unprotected {
                let (part, after) = rest.split_at(rest.len().min(ROWS_PER_TXN));
                backend.write(&mut |txn| {
                    let last = after.is_empty();
                    unprotected = collect::move_rows(txn, self.begun, session, source, part, last)?;
                    Ok(())
                })?;
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            count(unprotected, &mut report.rewritten_packs, &mut report.kept_by_writers);
        }
        Ok(())
    }
}
