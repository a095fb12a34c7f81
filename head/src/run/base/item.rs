//! Items of a base in the making: where they lie, or what was put of them.

use super::sorted::Sorted;
use std::sync::Arc;
use tidemark_base::BlockId;

/// A document that is too large for a leaf and was put: the node above its pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LargeItem {
    pub(crate) id: BlockId,
    /// What nodes count of it, in bytes.
    pub(crate) plain_bytes: u64,
}

/// One item of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    pub(crate) batch: Arc<Sorted>,
    /// Its number there.
    pub(crate) number: usize,
}

impl Picked {
    pub(crate) fn key(&self) -> &[u8] {
        self.batch.key(self.number)
    }
}
