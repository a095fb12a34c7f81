//! Where blocks are read from: a store, or a session, which also sees what it has put but not synced.

use tidemark_base::BlockId;
use tidemark_blockstore::{Block, Session, Store};

/// Something that has blocks.
pub trait Source: Sync {
    /// Reads blocks, in parallel, in the order asked for; each is checked against its name.
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>>;
}

impl Source for Store {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.get(ids)
    }
}

impl Source for Session {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.get(ids)
    }
}

/// Reads one block.
pub(super) fn read_one(source: &dyn Source, id: BlockId) -> tidemark_blockstore::Result<Block> {
    source.read(&[id]).pop().unwrap_or(Err(tidemark_blockstore::Error::Missing { id }))
}
