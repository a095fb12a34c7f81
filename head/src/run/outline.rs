//! Where in a run how much lies: its parts, as its index nodes tell.
//!
//! Read for planning a compaction. Of patches the first and the last leaf are read, for where they begin and end,
//! and all of a run of a few leaves, whose items may lie far apart; else no leaves.

#![warn(clippy::indexing_slicing)]

use super::difference::index_of;
use super::error::{Problem, Result};
use super::index::{Amount, Child, Index};
use super::range::KeyRange;
use super::reader::RunReader;
use super::record::{Run, RunKind};
use super::source::{Source, read_one};
use crate::patch::{Expects, Then};
use tidemark_base::BlockId;

/// How many nodes are read together.
const READ_TOGETHER: usize = 256;

/// A part of a run: all that lies below one of its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// What separates it from what comes before: no key in it is smaller. Empty at the beginning of the run.
    pub(crate) from: Vec<u8>,
    /// How many items it has.
    pub(crate) items: u64,
    /// Their length as they stand in leaves, in bytes.
    pub(crate) plain_bytes: u64,
    /// Of patches, how many leave no document.
    pub(crate) gone: u64,
    /// Of patches, the length of those that insert a document where none was, in bytes.
    pub(crate) fresh_bytes: u64,
    block: BlockId,
}

impl Part {
    fn new(from: Vec<u8>, block: BlockId, amount: Amount) -> Self {
        let Amount { items, plain_bytes, gone, fresh_bytes } = amount;
        Self { from, items, plain_bytes, gone, fresh_bytes, block }
    }

    /// One of no run, for tests of who looks at the figures alone.
    #[cfg(test)]
    pub(crate) fn made_up(from: Vec<u8>, items: u64, plain_bytes: u64, gone: u64, fresh_bytes: u64) -> Self {
        let amount = Amount { items, plain_bytes, gone, fresh_bytes };
        Self::new(from, BlockId::of(tidemark_base::BlockKind::Leaf, b"none"), amount)
    }
}

/// The parts of a run, by key.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) kind: RunKind,
    pub(crate) parts: Vec<Part>,
    /// Of the blocks of the parts; 0 if they are leaves or large items.
    level: u8,
}

impl Outline {
    /// At least `at_least` parts of about one length, if the run has as many leaves; else its leaves.
    ///
    /// # Errors
    /// Damage, and failures of the store.
    pub(crate) fn read(source: &dyn Source, run: &Run, at_least: usize) -> Result<Self> {
        let top = index_of(run.kind, &read_one(source, run.top)?, run.top)?;
        let level = top.map_or(0, |index| index.level);
        let parts = vec![Part::new(Vec::new(), run.top, run.amount())];
        let mut outline = Self { kind: run.kind, parts, level };
        while outline.parts.len() < at_least && outline.level > 0 {
            outline = outline.below(source)?;
        }
        Ok(outline)
    }

    /// The same, one level lower.
    fn below(&self, source: &dyn Source) -> Result<Self> {
        let mut parts = Vec::new();
        for some in self.parts.chunks(READ_TOGETHER) {
            let ids: Vec<BlockId> = some.iter().map(|part| part.block).collect();
            for (part, block) in some.iter().zip(source.read(&ids)) {
                let index = require_index(self.kind, self.level, part.block, &block?)?;
                let said = Amount::of(part.items, part.plain_bytes);
                said.check(index.amount).map_err(|problem| problem.of(part.block))?;
                for (i, Child { id, separator, amount }) in index.children.into_iter().enumerate() {
                    let from = if i == 0 { part.from.clone() } else { separator };
                    parts.push(Part::new(from, id, amount));
                }
            }
        }
        Ok(Self { kind: self.kind, parts, level: self.level.saturating_sub(1) })
    }

    /// Some of its leaves and large items, from all over it: from so many of its parts one row of neighbours each.
    /// With the length of what is in them, in bytes.
    ///
    /// # Errors
    /// Damage, and failures of the store.
    pub(crate) fn sample(&self, source: &dyn Source, rows: usize) -> Result<Vec<(BlockId, u64)>> {
        let apart = self.parts.len().div_ceil(rows.max(1)).max(1);
        let parts = self.parts.iter().skip(apart / 2).step_by(apart);
        let mut some = Self { kind: self.kind, parts: parts.cloned().collect(), level: self.level };
        while some.level > 0 {
            let is_lowest = some.level == 1;
            some = some.below(source)?;
            if !is_lowest {
                let apart = some.parts.len().div_ceil(rows.max(1)).max(1);
                some.parts = some.parts.into_iter().step_by(apart).collect();
            }
        }
        Ok(some.parts.into_iter().map(|part| (part.block, part.plain_bytes)).collect())
    }
}

/// The index node that must stand there.
pub(super) fn require_index(
    kind: RunKind,
    level: u8,
    id: BlockId,
    block: &tidemark_blockstore::Block,
) -> Result<Index> {
    let index = index_of(kind, block, id)?;
    let found = index.as_ref().map_or(0, |index| index.level);
    index.filter(|_| found == level).ok_or_else(|| Problem::Level { found, expected: level }.of(id))
}

/// The items of a run of patches, each as a part.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn items(source: &dyn Source, run: &Run) -> Result<Vec<Part>> {
    let mut cursor = RunReader::open(source, run).cursor(KeyRange::ALL);
    let mut found = Vec::new();
    while let Some(entry) = cursor.next()? {
        let patch = entry.patch()?;
        let plain_bytes = entry.key.len().saturating_add(entry.bytes.len()) as u64;
        let (gone, fresh_bytes) = match (patch.expects(), patch.then()) {
            (_, Then::Gone) => (1, 0),
            (Expects::Absent, Then::Document(_)) => (0, plain_bytes),
            (_, Then::Document(_) | Then::Updates(_)) => (0, 0),
        };
        let amount = Amount { items: 1, plain_bytes, gone, fresh_bytes };
        found.push(Part::new(entry.key.to_vec(), run.top, amount));
    }
    Ok(found)
}

/// The first key of a run, and the last.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn ends(source: &dyn Source, run: &Run) -> Result<(Vec<u8>, Vec<u8>)> {
    let reader = RunReader::open(source, run);
    let first = reader.cursor(KeyRange::ALL).next()?.map(|entry| entry.key.to_vec()).unwrap_or_default();
    let (mut id, mut low) = (run.top, Vec::new());
    while let Some(index) = index_of(run.kind, &read_one(source, id)?, id)? {
        let Some(Child { id: last, separator, .. }) = index.children.into_iter().next_back() else { break };
        (id, low) = (last, separator);
    }
    let mut items = reader.cursor(KeyRange { from: Some(low), before: None });
    let mut last = Vec::new();
    while let Some(entry) = items.next()? {
        last.clear();
        last.extend_from_slice(entry.key);
    }
    Ok((first, last))
}
