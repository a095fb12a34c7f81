//! Copying what is in use out of packs with little use.
//!
//! Records are copied as they are, header and payload checked on the way, into packs of a session of the
//! collector's own; then their rows are moved. Nothing is decompressed.

use super::execute::{Execution, load, records};
use crate::error::{Error, Place, Result};
use crate::ids::{PackId, SessionId};
use crate::record::{HEADER_LEN, Header};
use crate::state::blocks;
use crate::state::collect::{self, Moved};
use crate::walk::PackMarks;
use crate::writer::{Extent, Writer};
use std::collections::HashMap;

/// How many records are appended at once.
const APPEND: usize = 256;

/// Copies records in use into new packs and moves their rows.
pub(super) struct Copier {
    session: SessionId,
    writer: Writer,
    /// Packs that are copied but whose rows are not moved yet, with how many of their records are marked.
    sources: Vec<(PackId, u32)>,
    moved: Vec<Moved>,
}

impl Copier {
    pub(super) fn new(session: SessionId) -> Self {
        Self { session, writer: Writer::default(), sources: Vec::new(), moved: Vec::new() }
    }

    /// The packs that may hold copies to which nothing leads yet.
    pub(super) fn unfinished(&self) -> Vec<PackId> {
        self.writer.packs()
    }

    /// How many rows wait to be moved.
    pub(super) const fn rows(&self) -> usize {
        self.moved.len()
    }

    /// Copies what is in use in a pack; how much that is. A pack in which something in use cannot be found
    /// or is damaged is left alone: the inner error says why.
    pub(super) fn copy(
        &mut self,
        execution: &Execution<'_>,
        id: PackId,
        used: &PackMarks,
    ) -> Result<Result<u64, String>> {
        let backend = &*execution.store.backend;
        let Some(pack) = load(execution.store, id)? else { return Ok(Ok(0)) };
        let len = u32::try_from(pack.len_bytes).unwrap_or(u32::MAX);
        let Some(bytes) = backend.read_pack(id, 0, len)? else {
            return Ok(Err(format!("pack {id} is missing or shorter than the index says")));
        };
        execution.pace(bytes.len() as u64)?;
        let part = |offset: u32, len: usize| bytes.get(offset as usize..)?.get(..len);
        let read = |offset: u32, len: u32| Ok(part(offset, len as usize).map(<[u8]>::to_vec));
        let records = match records(id, pack.len_bytes, &read)? {
            Ok(records) => records,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut wanted: Vec<(u32, Header, &[u8])> = Vec::with_capacity(used.records as usize);
        let mut unwanted = Vec::with_capacity(records.len());
        for ((offset, header), seq) in records.into_iter().zip(0u32..) {
            let from = Place { pack: id, offset };
            if !used.contains(seq) {
                unwanted.push(Moved { id: header.id, from, to: None });
                continue;
            }
            let record = part(offset, HEADER_LEN + header.stored_len as usize).unwrap_or_default();
            let payload = record.get(HEADER_LEN..).unwrap_or_default();
            if let Err(e) = header.check_payload(payload) {
                return Ok(Err(format!("{from}: {e}")));
            }
            wanted.push((offset, header, payload));
        }
        let mut copied = 0;
        for group in wanted.chunks(APPEND) {
            if execution.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let records = group.iter().map(|(_, header, payload)| (header, *payload));
            let placed = self.writer.append(backend, self.session, records)?;
            self.moved.extend(placed.into_iter().zip(group).map(|((block, to), (offset, ..))| {
                let from = Place { pack: id, offset: *offset };
                Moved { id: block, from, to: Some(to) }
            }));
            let bytes: u64 = group.iter().map(|(_, header, _)| header.record_len()).sum();
            execution.pace(bytes)?;
            copied += bytes;
        }
        self.moved.append(&mut unwanted);
        self.sources.push((id, used.records));
        Ok(Ok(copied))
    }

    /// Makes the copies durable, moves the rows, condemns the packs they came from.
    pub(super) fn commit(&mut self, execution: &mut Execution<'_>, finish: bool) -> Result<()> {
        let backend = &*execution.store.backend;
        let (session, begun) = (self.session, execution.begun);
        self.writer.sync(if finish { Extent::Finish } else { Extent::All }, |written| {
            backend.write(&mut |txn| {
                written.iter().try_for_each(|pack| {
                    // The rows still point at the old packs; they are moved below. The touch epoch of the
                    // new packs must be that of this collection: see `move_rows`.
                    let unindexed = blocks::Written { blocks: &[], ..*pack };
                    blocks::index(txn, session, begun.cycle, &unindexed)
                })
            })
        })?;
        self.moved.sort_unstable_by_key(|moved| moved.id);
        // How many marked rows were moved out of each pack; none for one that was touched meanwhile.
        let mut moved: HashMap<PackId, Option<u32>> = HashMap::new();
        execution.in_parts(&self.moved, |part| {
            let mut outcome = HashMap::new();
            backend.write_relaxed(&mut |txn| {
                outcome = collect::move_rows(txn, begun, session, part)?;
                Ok(())
            })?;
            for (source, count) in outcome {
                let sum = moved.entry(source).or_insert(Some(0));
                *sum = sum.zip(count).map(|(sum, count)| sum + count);
            }
            Ok(())
        })?;
        self.moved.clear();
        for (source, marked) in std::mem::take(&mut self.sources) {
            let moved = moved.get(&source).copied().flatten();
            if moved.is_some_and(|count| count != marked) {
                execution.report.damaged.push(format!(
                    "pack {source} does not hold the records that the index has in it: it stays"
                ));
            } else if moved.is_some() && condemn(execution, source)? {
                execution.report.rewritten_packs += 1;
            } else {
                execution.report.kept_by_writers += 1;
            }
        }
        Ok(())
    }
}

fn condemn(execution: &Execution<'_>, source: PackId) -> Result<bool> {
    let mut condemned = false;
    execution.store.backend.write_relaxed(&mut |txn| {
        condemned = collect::condemn_emptied(txn, execution.begun, source)?;
        Ok(())
    })?;
    Ok(condemned)
}
