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
use crate::store::Store;
use crate::walk::PackMarks;
use crate::writer::Writer;
use std::collections::HashMap;
use tidemark_base::BlockId;

/// How many records are appended at once.
const APPEND: usize = 256;

/// A pack that was read and found whole, with what is in use in it.
pub(super) struct Source {
    id: PackId,
    bytes: Vec<u8>,
    /// How many of its records are in use.
    marked: u32,
    /// Offsets and headers of what is in use, and of the rest the names.
    wanted: Vec<(u32, Header)>,
    unwanted: Vec<(u32, BlockId)>,
}

impl Source {
    /// Reads a pack and checks what is in use in it. Nothing if it has gone meanwhile. A pack in which
    /// something in use cannot be found or is damaged is left alone: the inner error says why.
    pub(super) fn read(store: &Store, id: PackId, used: &PackMarks) -> Result<Result<Option<Self>, String>> {
        let Some(pack) = load(store, id)? else { return Ok(Ok(None)) };
        let len = u32::try_from(pack.len_bytes).unwrap_or(u32::MAX);
        let Some(bytes) = store.backend.read_pack(id, 0, len)? else {
            return Ok(Err(format!("pack {id} is missing or shorter than the index says")));
        };
        let part = |offset: u32, len: u32| bytes.get(offset as usize..)?.get(..len as usize);
        let read = |offset: u32, len: u32| Ok(part(offset, len).map(<[u8]>::to_vec));
        let records = match records(id, pack.len_bytes, &read)? {
            Ok(records) => records,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut source = Self { id, bytes, marked: used.records, wanted: Vec::new(), unwanted: Vec::new() };
        for ((offset, header), seq) in records.into_iter().zip(0u32..) {
            if !used.contains(seq) {
                source.unwanted.push((offset, header.id));
            } else if let Err(e) = header.check_payload(source.payload(offset, &header)) {
                return Ok(Err(format!("{}: {e}", Place { pack: id, offset })));
            } else {
                source.wanted.push((offset, header));
            }
        }
        Ok(Ok(Some(source)))
    }

    /// A record's payload; shorter or empty where the pack ends before it.
    fn payload(&self, offset: u32, header: &Header) -> &[u8] {
        let behind = self.bytes.get(offset as usize + HEADER_LEN..).unwrap_or_default();
        behind.get(..header.stored_len as usize).unwrap_or_default()
    }
}

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

    /// Copies what is in use in a pack; how many bytes that is.
    pub(super) fn copy(&mut self, execution: &Execution<'_>, source: Source) -> Result<u64> {
        let backend = &*execution.store.backend;
        let mut copied = 0;
        for group in source.wanted.chunks(APPEND) {
            if execution.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let records = group.iter().map(|(offset, header)| (header, source.payload(*offset, header)));
            let placed = self.writer.append(backend, self.session, records)?;
            self.moved.extend(placed.into_iter().zip(group).map(|((block, to), (offset, _))| {
                let from = Place { pack: source.id, offset: *offset };
                Moved { id: block, from, to: Some(to) }
            }));
            let bytes: u64 = group.iter().map(|(_, header)| header.record_len()).sum();
            execution.pace(bytes)?;
            copied += bytes;
        }
        let place = |offset| Place { pack: source.id, offset };
        let unwanted = source.unwanted.iter();
        self.moved.extend(unwanted.map(|(offset, id)| Moved { id: *id, from: place(*offset), to: None }));
        self.sources.push((source.id, source.marked));
        Ok(copied)
    }

    /// Makes the copies durable, moves the rows, condemns the packs they came from.
    pub(super) fn commit(&mut self, execution: &mut Execution<'_>, finish: bool) -> Result<()> {
        let backend = &*execution.store.backend;
        let (session, begun) = (self.session, execution.begun);
        self.writer.sync(finish, |written| {
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
