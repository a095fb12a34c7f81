//! Leaves and pieces that wait to be put together, and what becomes of them once their names are known.
//!
//! The writer fills it and empties it every few MiB, so that compression runs in parallel and memory stays
//! bounded. Nodes wait here too: their names are computed when they are made, since the node above needs them.

#![warn(clippy::indexing_slicing)]

use super::error::Result;
use super::index::{Amount, Child};
use super::large::{Large, Lengths};
use super::leaf;
use super::record::RunKind;
use std::ops::Range;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{BlockRef, Session};

/// What stands in the buffer.
#[derive(Debug)]
enum Waiting {
    /// A whole leaf.
    Leaf { plain: Range<usize>, separator: Vec<u8>, amount: Amount },
    /// A piece of the large item that follows.
    Piece { plain: Range<usize> },
    /// A large item whose pieces stand before it. `children` are its own.
    Large {
        lengths: Lengths,
        inline: Range<usize>,
        children: Vec<BlockId>,
        separator: Vec<u8>,
        amount: Amount,
    },
}

/// Blocks of a run of one kind that wait to be put.
#[derive(Debug)]
pub(super) struct Batch {
    kind: RunKind,
    buffer: Vec<u8>,
    waiting: Vec<Waiting>,
    nodes: Vec<Vec<u8>>,
}

impl Batch {
    pub(super) const fn new(kind: RunKind) -> Self {
        Self { kind, buffer: Vec::new(), waiting: Vec::new(), nodes: Vec::new() }
    }

    /// How much waits, in bytes.
    pub(super) const fn len_bytes(&self) -> usize {
        self.buffer.len()
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len()
    }

    /// Adds a leaf.
    pub(super) fn leaf(&mut self, plain: &[u8], separator: Vec<u8>, amount: Amount) {
        let plain = self.append(plain);
        self.waiting.push(Waiting::Leaf { plain, separator, amount });
    }

    /// Adds a piece of a large item.
    pub(super) fn piece(&mut self, plain: &[u8]) {
        let plain = self.append(plain);
        self.waiting.push(Waiting::Piece { plain });
    }

    /// Adds a large item whose pieces were just added.
    pub(super) fn large(
        &mut self,
        large: Large<'_>,
        children: &[BlockId],
        separator: Vec<u8>,
        amount: Amount,
    ) {
        let inline = self.append(large.inline);
        let Large { own_children: _, lengths, inline: _ } = large;
        self.waiting.push(Waiting::Large { lengths, inline, children: children.to_vec(), separator, amount });
    }

    /// Adds a node above the leaves. Returns its name.
    pub(super) fn node(&mut self, plain: Vec<u8>) -> BlockId {
        let id = BlockId::of(BlockKind::Node, &plain);
        self.nodes.push(plain);
        id
    }

    /// How many nodes wait.
    pub(super) const fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes that wait, for whoever puts them.
    pub(super) fn take_nodes(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.nodes)
    }

    /// Puts everything, and hands the children of the lowest nodes on, in order.
    pub(super) fn put(&mut self, session: &Session) -> Result<Vec<Child>> {
        self.put_nodes(session)?;
        let kind = leaf::block_kind(self.kind);
        let part = |range: &Range<usize>| self.buffer.get(range.clone()).unwrap_or_default();
        let (mut leaves, mut parts) = (Vec::new(), Vec::new());
        for waiting in &self.waiting {
            match waiting {
                Waiting::Leaf { plain, .. } => leaves.push(BlockRef { kind, bytes: part(plain) }),
                Waiting::Piece { plain } => parts.push(BlockRef::leaf(part(plain))),
                Waiting::Large { .. } => {}
            }
        }
        let leaves = match self.kind {
            RunKind::Base | RunKind::Catalog => session.put(&leaves)?,
            // What is in patches is in other leaves once it is folded; pieces of large documents stay as they are.
            RunKind::Patch => session.put_quickly(&leaves)?,
        };
        let [mut leaves, mut piece_ids] = [leaves, session.put(&parts)?].map(Vec::into_iter);
        let named = "put names every block it is given";
        let mut found = Vec::new();
        let mut pieces = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Leaf { separator, amount, .. } => {
                    found.push(Child { id: leaves.next().expect(named), separator, amount });
                }
                Waiting::Piece { .. } => pieces.push(piece_ids.next().expect(named)),
                Waiting::Large { lengths, inline, mut children, separator, amount } => {
                    let inline = self.buffer.get(inline).unwrap_or_default();
                    let large = Large { own_children: children.len(), lengths, inline };
                    children.append(&mut pieces);
                    let plain = large.encode(self.kind, &children)?;
                    found.push(Child { id: self.node(plain), separator, amount });
                }
            }
        }
        self.buffer.clear();
        Ok(found)
    }

    /// Puts the nodes that wait. What is below them was put before.
    pub(super) fn put_nodes(&mut self, session: &Session) -> Result<()> {
        let nodes: Vec<BlockRef<'_>> = self.nodes.iter().map(|plain| BlockRef::node(plain)).collect();
        session.put(&nodes)?;
        self.nodes.clear();
        Ok(())
    }
}
