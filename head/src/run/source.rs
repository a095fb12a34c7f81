//! Where blocks are read from: a store, or a session, which also sees what it has put but not synced; either of
//! them with a memory of what was read ([`Cached`]).

use super::cache::Cache;
use tidemark_base::BlockId;
use tidemark_blockstore::{Block, Session, Store};

/// Something that has blocks.
pub trait Source: Sync {
    /// Reads blocks, in parallel, in the order asked for; each is checked against its name.
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>>;

    /// The same on this thread alone: for one of many that are at work anyway, which then neither wait for each
    /// other nor take up each other's work in the middle of their own.
    fn read_here(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.read(ids)
    }

    /// What holds blocks that were read, if this source has it.
    fn cache(&self) -> Option<&Cache> {
        None
    }
}

impl Source for Store {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.get(ids)
    }

    fn read_here(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.get_here(ids)
    }
}

impl Source for Session {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.get(ids)
    }

    fn read_here(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.get_here(ids)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        (**self).read(ids)
    }

    fn read_here(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        (**self).read_here(ids)
    }

    fn cache(&self) -> Option<&Cache> {
        (**self).cache()
    }
}

/// A source that holds what is read one by one: index nodes, and leaves in which something was looked up. For who
/// asks for many single documents, from any number of threads.
#[derive(Debug)]
pub struct Cached<S> {
    source: S,
    cache: Cache,
}

impl<S: Source> Cached<S> {
    /// The source with an empty cache, which comes to hold about `most_bytes` at most.
    #[must_use]
    pub fn new(source: S, most_bytes: usize) -> Self {
        Self { source, cache: Cache::new(most_bytes) }
    }
}

impl<S: Source> Source for Cached<S> {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.source.read(ids)
    }

    fn read_here(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        self.source.read_here(ids)
    }

    fn cache(&self) -> Option<&Cache> {
        Some(&self.cache)
    }
}

/// Reads one block.
pub(super) fn read_one(source: &dyn Source, id: BlockId) -> tidemark_blockstore::Result<Block> {
    source.read_here(&[id]).pop().unwrap_or(Err(tidemark_blockstore::Error::Missing { id }))
}
