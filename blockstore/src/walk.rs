//! Walking everything that roots reach, each block once, in batches.
//!
//! Used by garbage collection, verify and stats. The memory is one bit for each block of the store and the
//! children of the nodes at hand; nodes are read, leaves only looked up.

use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::node::Node;
use crate::observer::{Observer, Stage};
use crate::state::blocks::BlockRow;
use crate::store::Store;
use std::collections::HashMap;
use tidemark_base::{BlockId, BlockKind};

/// How many blocks are looked up at once.
const LOOKUP_BATCH: usize = 8192;
/// How many nodes are read at once.
const NODE_BATCH: usize = 256;

/// The blocks found in one pack.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackMarks {
    bits: Vec<u64>,
    /// How many.
    pub(crate) records: u32,
    /// Their records' lengths, headers included, in bytes.
    pub(crate) bytes: u64,
}

impl PackMarks {
    /// Whether the record with this number was found.
    pub(crate) fn contains(&self, seq: u32) -> bool {
        self.bits.get(seq as usize / 64).is_some_and(|word| word >> (seq % 64) & 1 == 1)
    }

    /// Adds a record; whether it is new.
    fn insert(&mut self, row: &BlockRow) -> bool {
        let word = row.seq as usize / 64;
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let Some(bits) = self.bits.get_mut(word) else { return false };
        let bit = 1 << (row.seq % 64);
        if *bits & bit != 0 {
            return false;
        }
        *bits |= bit;
        self.records += 1;
        self.bytes += u64::from(row.record_len());
        true
    }
}

/// All blocks found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) packs: HashMap<PackId, PackMarks>,
    pub(crate) blocks: u64,
    /// Plain bytes of the blocks found.
    pub(crate) plain_bytes: u64,
    /// Stored bytes of the blocks found, headers included.
    pub(crate) stored_bytes: u64,
}

impl Marks {
    fn insert(&mut self, row: &BlockRow) -> bool {
        let new = self.packs.entry(row.place.pack).or_default().insert(row);
        if new {
            self.blocks += 1;
            self.plain_bytes += u64::from(row.plain_len);
            self.stored_bytes += u64::from(row.record_len());
        }
        new
    }
}

/// What to do about a block that is reached but missing, or a node that cannot be read.
pub(crate) type OnLoss<'a> = dyn FnMut(BlockId, Error) -> Result<()> + 'a;

/// Finds everything that `roots` reach. `on_loss` decides whether a loss ends the walk; where it doesn't,
/// what lies below the lost block is not found.
pub(crate) fn reach(
    store: &Store,
    roots: &[BlockId],
    observer: &dyn Observer,
    on_loss: &mut OnLoss<'_>,
) -> Result<Marks> {
    let mut marks = Marks::default();
    let mut todo: Vec<BlockId> = roots.to_vec();
    let mut nodes: Vec<(BlockId, BlockRow)> = Vec::new();
    while !todo.is_empty() || !nodes.is_empty() {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let mut batch = todo.split_off(todo.len().saturating_sub(LOOKUP_BATCH));
        // Neighbours in the index are read together.
        batch.sort_unstable();
        batch.dedup();
        for (id, row) in batch.iter().zip(locate(store, &batch)?) {
            match row {
                None => on_loss(*id, Error::Missing { id: *id })?,
                Some(row) => {
                    if marks.insert(&row) && row.kind == BlockKind::Node {
                        nodes.push((*id, row));
                    }
                }
            }
        }
        while todo.len() < LOOKUP_BATCH && !nodes.is_empty() {
            let batch = nodes.split_off(nodes.len().saturating_sub(NODE_BATCH));
            expand(store, &batch, &mut todo, on_loss)?;
        }
        observer.progress(Stage::Mark, marks.blocks, None);
        observer.pace(0, store.others(None)?);
    }
    Ok(marks)
}

/// Looks up a sorted batch on all threads, each with a stretch of the index to itself.
fn locate(store: &Store, batch: &[BlockId]) -> Result<Vec<Option<BlockRow>>> {
    use rayon::prelude::*;
    let part = batch.len().div_ceil(rayon::current_num_threads()).max(256);
    let rows: Vec<Vec<_>> = batch.par_chunks(part).map(|part| store.locate(part)).collect::<Result<_>>()?;
    Ok(rows.into_iter().flatten().collect())
}

fn expand(
    store: &Store,
    nodes: &[(BlockId, BlockRow)],
    todo: &mut Vec<BlockId>,
    on_loss: &mut OnLoss<'_>,
) -> Result<()> {
    use rayon::prelude::*;
    let blocks: Vec<_> = nodes.par_iter().map(|(id, row)| store.fetch(*id, Some(*row), 4)).collect();
    for ((id, row), block) in nodes.iter().zip(blocks) {
        match block {
            Ok(block) => match Node::decode(block.bytes()) {
                Ok(node) => todo.extend(node.children()),
                Err(e) => {
                    on_loss(*id, Error::Damaged { id: *id, place: row.place, problem: e.to_string() })?;
                }
            },
            Err(e) => on_loss(*id, e)?,
        }
    }
    Ok(())
}
