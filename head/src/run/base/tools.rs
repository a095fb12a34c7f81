//! What all who work on one build share.

use super::buffer::Meter;
use super::item::LargeItem;
use crate::run::cut::KeyCutter;
use crate::run::error::Result;
use crate::run::large::{Large, Lengths};
use crate::run::record::RunKind;
use std::sync::Arc;
use tidemark_blockstore::{BlockRef, Cutter, Session};

/// Pieces of a large document are put in portions of about so much, in bytes.
const PORTION_BYTES: usize = 4 << 20;

/// The session that is written to, how leaves are cut, and the count of the memory that is used.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) session: Session,
    pub(crate) meter: Arc<Meter>,
    pub(super) leaves: KeyCutter,
    values: Cutter,
    /// Documents over this length are large items.
    pub(super) max_leaf_item_bytes: usize,
}

impl Tools {
    pub(crate) fn new(session: Session) -> Self {
        let superblock = session.store().superblock();
        let (leaves, values) = (KeyCutter::leaves(superblock), superblock.cutter());
        let max_leaf_item_bytes = superblock.cut_sizes.max_bytes as usize / 2;
        Self { session, meter: Arc::default(), leaves, values, max_leaf_item_bytes }
    }

    /// Puts a document that no leaf takes, cut by its contents.
    pub(super) fn put_large(&self, document: &[u8]) -> Result<LargeItem> {
        let pieces: Vec<BlockRef<'_>> = self.values.cut(document).map(BlockRef::leaf).collect();
        let mut children = Vec::with_capacity(pieces.len());
        for some in pieces.chunks((PORTION_BYTES / self.max_leaf_item_bytes).max(1)) {
            children.extend(self.session.put(some)?);
        }
        let lengths = Lengths { key: 0, head: 0, contents: document.len() };
        let large = Large { own_children: 0, lengths, inline: &[] };
        let plain = large.encode(RunKind::Base, &children)?;
        let mut id = self.session.put(&[BlockRef::node(&plain)])?;
        let id = id.pop().expect("put names every block it is given");
        Ok(LargeItem { id, plain_bytes: large.plain_bytes() })
    }
}
