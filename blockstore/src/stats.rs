//! Sizes: what users see, what is left after deduplication, what lies on the disk.

use crate::error::{Error, Result};
use crate::node::Node;
use crate::observer::Observer;
use crate::state::packs::{self, PackState};
use crate::store::Store;
use crate::walk;
use std::collections::HashMap;
use tidemark_base::{BlockId, BlockKind};

/// Sizes of a store, in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Plain bytes that all refs reach, a block counted each time it is reached: what users think they have.
    pub logical_bytes: u64,
    /// Plain bytes that refs reach, each block counted once.
    pub unique_bytes: u64,
    /// Stored bytes of the same, record headers included.
    pub stored_bytes: u64,
    /// Bytes of all packs: the above and garbage.
    pub pack_bytes: u64,
    /// Blocks that refs reach.
    pub blocks: u64,
    /// Packs.
    pub packs: u64,
    /// Each ref on its own, by name.
    pub refs: Vec<RefStats>,
}

/// Sizes of what one ref reaches, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefStats {
    /// The ref.
    pub name: String,
    /// Plain bytes, a block counted each time it is reached.
    pub logical_bytes: u64,
}

/// A block to visit; on the way back up, with its own size and children.
type Visit = (BlockId, Option<(u64, Vec<BlockId>)>);

impl Stats {
    /// How many times smaller deduplication makes the data; 1 for an empty store.
    #[must_use]
    pub fn dedup_ratio(&self) -> f64 {
        ratio(self.logical_bytes, self.unique_bytes)
    }

    /// How many times smaller compression makes it; 1 for an empty store.
    #[must_use]
    pub fn compression_ratio(&self) -> f64 {
        ratio(self.unique_bytes, self.stored_bytes)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(whole: u64, part: u64) -> f64 {
    if part == 0 { 1.0 } else { whole as f64 / part as f64 }
}

impl Store {
    /// Measures the store. Reads all nodes, no leaves.
    ///
    /// # Errors
    /// [`Error::Missing`] or [`Error::Damaged`] if something that a ref reaches cannot be followed;
    /// [`Error::Cancelled`]; failures of the backend.
    pub fn stats(&self, observer: &dyn Observer) -> Result<Stats> {
        let mut stats = Stats::default();
        self.backend.read(&mut |txn| {
            let packs = packs::all(txn)?;
            let present = packs.iter().filter(|(_, pack)| pack.state != PackState::Deleting);
            (stats.packs, stats.pack_bytes) =
                present.fold((0, 0), |(count, bytes), (_, pack)| (count + 1, bytes + pack.len_bytes));
            Ok(())
        })?;
        let refs = self.list_refs("")?;
        let roots: Vec<BlockId> = refs.iter().flat_map(|(_, found)| found.roots.clone()).collect();
        let marks = walk::reach(self, &roots, observer, &mut |_, error| Err(error))?;
        (stats.blocks, stats.unique_bytes, stats.stored_bytes) =
            (marks.blocks, marks.plain_bytes, marks.stored_bytes);
        let mut sizes = HashMap::new();
        for (name, found) in refs {
            let logical_bytes = self.logical_bytes(&found.roots, &mut sizes, observer)?;
            stats.logical_bytes = stats.logical_bytes.saturating_add(logical_bytes);
            stats.refs.push(RefStats { name, logical_bytes });
        }
        Ok(stats)
    }

    /// The plain bytes below roots, with repetition. `sizes` keeps the sums of nodes already seen.
    fn logical_bytes(
        &self,
        roots: &[BlockId],
        sizes: &mut HashMap<BlockId, u64>,
        observer: &dyn Observer,
    ) -> Result<u64> {
        // Depth first: a node waits on the stack with its own size until its child nodes have theirs.
        let mut stack: Vec<Visit> = roots.iter().map(|id| (*id, None)).collect();
        while let Some((id, known)) = stack.pop() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            match known {
                Some((own, child_nodes)) => {
                    let below = child_nodes.iter().filter_map(|child| sizes.get(child).copied());
                    let sum = below.fold(own, u64::saturating_add);
                    sizes.insert(id, sum);
                }
                None if sizes.contains_key(&id) => {}
                None => self.open_block(id, sizes, &mut stack)?,
            }
        }
        let sizes = roots.iter().filter_map(|root| sizes.get(root).copied());
        Ok(sizes.fold(0, u64::saturating_add))
    }

    /// Reads a node and puts on the stack what it needs, its leaves' sizes added to its own; a leaf's size,
    /// of one that is a root, is noted at once.
    fn open_block(
        &self,
        id: BlockId,
        sizes: &mut HashMap<BlockId, u64>,
        stack: &mut Vec<Visit>,
    ) -> Result<()> {
        let row = self.locate(&[id])?.pop().flatten().ok_or(Error::Missing { id })?;
        let mut own = u64::from(row.plain_len);
        if row.kind == BlockKind::Leaf {
            sizes.insert(id, own);
            return Ok(());
        }
        let block = self.fetch(id, Some(row), 4)?;
        let node = Node::decode(block.bytes()).map_err(|e| Error::Damaged {
            id,
            place: row.place,
            problem: e.to_string(),
        })?;
        let children: Vec<BlockId> = node.children().collect();
        let mut child_nodes = Vec::new();
        for (child, row) in children.iter().zip(self.locate(&children)?) {
            let row = row.ok_or(Error::Missing { id: *child })?;
            match row.kind {
                BlockKind::Leaf => own = own.saturating_add(u64::from(row.plain_len)),
                BlockKind::Node => child_nodes.push(*child),
            }
        }
        let unknown: Vec<_> = child_nodes
            .iter()
            .filter(|child| !sizes.contains_key(*child))
            .map(|child| (*child, None))
            .collect();
        stack.push((id, Some((own, child_nodes))));
        stack.extend(unknown);
        Ok(())
    }
}
