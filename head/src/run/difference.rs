//! How much of a run another one does not have.
//!
//! Asked when a snapshot is taken. Runs are cut by their contents, so two that hold much the same share blocks on
//! every level: what is shared is not gone into, and leaves are not read. Only index nodes are.

#![warn(clippy::indexing_slicing)]

use super::error::{Problem, Result};
use super::form::Form;
use super::index;
use super::record::{Run, RunKind};
use super::source::Source;
use std::collections::BTreeMap;
use tidemark_base::codec::Reader;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{Block, Node};

/// How many nodes are read together.
const READ_TOGETHER: usize = 256;

/// Bytes of items of `run` in leaves that `other` does not have.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn bytes_not_in(source: &dyn Source, run: &Run, other: &Run) -> Result<u64> {
    let (mut ours, mut theirs) = (Subtrees::of(source, run)?, Subtrees::of(source, other)?);
    loop {
        while ours.level > theirs.level {
            ours = ours.below(source, run.kind)?;
        }
        while theirs.level > ours.level {
            theirs = theirs.below(source, other.kind)?;
        }
        ours.bytes.retain(|id, _| theirs.bytes.remove(id).is_none());
        if ours.level == 0 || ours.bytes.is_empty() || theirs.bytes.is_empty() {
            return Ok(ours.bytes.values().fold(0, |sum, bytes| sum.saturating_add(*bytes)));
        }
        (ours, theirs) = (ours.below(source, run.kind)?, theirs.below(source, other.kind)?);
    }
}

/// Blocks of one level, 0 for leaves, with the bytes of items below each.
struct Subtrees {
    level: u8,
    bytes: BTreeMap<BlockId, u64>,
}

impl Subtrees {
    fn of(source: &dyn Source, run: &Run) -> Result<Self> {
        let level = index_of(run.kind, &super::source::read_one(source, run.top)?, run.top)?;
        let level = level.map_or(0, |index| index.level);
        Ok(Self { level, bytes: [(run.top, run.plain_bytes)].into() })
    }

    fn below(self, source: &dyn Source, kind: RunKind) -> Result<Self> {
        let mut below = Self { level: self.level.saturating_sub(1), bytes: BTreeMap::new() };
        let ids: Vec<BlockId> = self.bytes.into_keys().collect();
        for ids in ids.chunks(READ_TOGETHER) {
            for (id, block) in ids.iter().zip(source.read(ids)) {
                let index = index_of(kind, &block?, *id)?;
                let found = index.as_ref().map_or(0, |index| index.level);
                let index = index.filter(|_| found == self.level);
                let index = index.ok_or(Problem::Level { found, expected: self.level }.of(*id))?;
                let children = index.children.into_iter();
                below.bytes.extend(children.map(|child| (child.id, child.amount.plain_bytes)));
            }
        }
        Ok(below)
    }
}

/// The index node that a block is; none if it is a leaf, or a large item in place of one.
pub(super) fn index_of(kind: RunKind, block: &Block, id: BlockId) -> Result<Option<index::Index>> {
    if block.kind() != BlockKind::Node {
        return Ok(None);
    }
    let read = || {
        let node = Node::decode(block.bytes())?;
        match Form::read(kind, &mut Reader::new(node.body))? {
            Form::Index => Ok(Some(index::decode(kind, node)?)),
            _ => Ok(None),
        }
    };
    read().map_err(|problem: Problem| problem.of(id))
}
