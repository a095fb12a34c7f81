//! The nodes above the leaves, built from below while the leaves come.
//!
//! Each level collects children until the hash of a separator ends a node. A finished node waits until the
//! next one has two children, so that no node but the top of nothing has fewer. Holds one or two open nodes
//! for each level, however long the run.

#![warn(clippy::indexing_slicing)]

use super::batch::Batch;
use super::cut::KeyCutter;
use super::error::Result;
use super::index::{self, Amount, Child};
use super::record::RunKind;
use tidemark_blockstore::Superblock;

/// Fewest children of a node.
const MIN_CHILDREN: usize = 2;

/// One level of nodes.
#[derive(Debug, Default)]
struct Level {
    /// A finished node, not yet handed up.
    held: Vec<Child>,
    /// The node that is being filled.
    open: Vec<Child>,
    /// Its length so far, in bytes.
    open_bytes: usize,
}

/// All levels; the first is that of the nodes right above the leaves.
#[derive(Debug)]
pub(super) struct Levels {
    kind: RunKind,
    superblock: Superblock,
    levels: Vec<Level>,
}

impl Levels {
    pub(super) const fn new(kind: RunKind, superblock: Superblock) -> Self {
        Self { kind, superblock, levels: Vec::new() }
    }

    /// Adds a leaf, or a large item.
    pub(super) fn add(&mut self, child: Child, batch: &mut Batch) -> Result<()> {
        self.carry(0, child, batch)
    }

    /// Adds a child to a level, and to those above the nodes that are thereby finished.
    fn carry(&mut self, mut number: usize, mut child: Child, batch: &mut Batch) -> Result<()> {
        while let Some(node) = self.add_at(number, child) {
            child = self.finish_node(number, &node, batch)?;
            number += 1;
        }
        Ok(())
    }

    /// Adds a child to a level. Returns the children of the node that is thereby known to be finished.
    fn add_at(&mut self, number: usize, child: Child) -> Option<Vec<Child>> {
        while self.levels.len() <= number {
            self.levels.push(Level::default());
        }
        let cutter = KeyCutter::nodes(&self.superblock, level_byte(number));
        let level = self.levels.get_mut(number)?;
        let child_bytes = child.encoded_bytes();
        let mut finished = None;
        if level.open.len() >= MIN_CHILDREN && level.open_bytes + child_bytes > cutter.max_bytes() {
            finished = level.close();
        }
        level.open_bytes += child_bytes;
        let ends = level.open.len() + 1 >= MIN_CHILDREN
            && cutter.ends(&child.separator, child_bytes, level.open_bytes);
        level.open.push(child);
        // A node of one child cannot have been closed just before: then there would be two in `open`.
        if ends { level.close() } else { finished }
    }

    /// Adds a child of a level, from 0, with all that lies below it, as another run of the kind has it: a node of
    /// at least two children, unless it is of level 0. Whether it could: all nodes below that level must have just
    /// ended. If not, a part of the same child can be added in its place, at once.
    pub(super) fn try_link(&mut self, number: usize, child: Child, batch: &mut Batch) -> Result<bool> {
        for below in 0..number {
            let Some(level) = self.levels.get_mut(below) else { break };
            if !level.open.is_empty() {
                return Ok(false);
            }
            // Two children or more follow on this level, whatever part is added: the node is finished.
            let held = std::mem::take(&mut level.held);
            if !held.is_empty() {
                let finished = self.finish_node(below, &held, batch)?;
                self.carry(below + 1, finished, batch)?;
            }
        }
        self.carry(number, child, batch)?;
        Ok(true)
    }

    /// Makes a node of its children, and a child for the level above of it.
    fn finish_node(&self, number: usize, children: &[Child], batch: &mut Batch) -> Result<Child> {
        let plain = index::encode(self.kind, level_byte(number), children)?;
        let amount = children.iter().try_fold(Amount::default(), |sum, child| sum.plus(child.amount));
        let amount = amount.expect("the writer counts in 64 bits as well");
        let separator = children.first().map(|child| child.separator.clone()).unwrap_or_default();
        Ok(Child { id: batch.node(plain), separator, amount })
    }

    /// Ends all levels. Returns the top, or nothing if nothing was added.
    pub(super) fn finish(&mut self, batch: &mut Batch) -> Result<Option<Child>> {
        let mut number = 0;
        while number < self.levels.len() {
            let is_highest = number + 1 == self.levels.len();
            let Some(level) = self.levels.get_mut(number) else { break };
            let (mut held, mut open) = (std::mem::take(&mut level.held), std::mem::take(&mut level.open));
            if open.len() < MIN_CHILDREN {
                held.append(&mut open);
            }
            if is_highest && open.is_empty() && held.len() < MIN_CHILDREN {
                return Ok(held.pop());
            }
            for node in [held, open].iter().filter(|node| !node.is_empty()) {
                let child = self.finish_node(number, node, batch)?;
                self.carry(number + 1, child, batch)?;
            }
            number += 1;
        }
        Ok(None)
    }
}

impl Level {
    /// Closes the open node. Returns the one that was held, which is finished now.
    fn close(&mut self) -> Option<Vec<Child>> {
        self.open_bytes = 0;
        let finished = std::mem::replace(&mut self.held, std::mem::take(&mut self.open));
        (!finished.is_empty()).then_some(finished)
    }
}

/// The number of a level as nodes and salts have it, from 1.
fn level_byte(number: usize) -> u8 {
    // Each level has at most half as many children as the one below: 64 are enough for every run.
    u8::try_from(number + 1).expect("a run has at most 64 levels")
}
