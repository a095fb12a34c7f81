//! A store that cannot be read: for what is shown of damage.

use std::sync::Arc;
use tidemark_blockstore::{
    Backend, MemoryBackend, OwnerId, PackId, PackWriter, Result, Scratch, Superblock, TxnBody,
};

/// A store of which no block reads as it was written.
pub(crate) struct Unreadable(pub(crate) Arc<MemoryBackend>);

impl Backend for Unreadable {
    fn scratch(&self) -> Result<Scratch> {
        self.0.scratch()
    }

    fn superblock(&self) -> &Superblock {
        self.0.superblock()
    }

    fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.0.read(body)
    }

    fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.0.write(body)
    }

    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        self.0.create_pack(id)
    }

    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        let read = self.0.read_pack(id, offset, len)?;
        Ok(read.map(|bytes| bytes.into_iter().map(|byte| !byte).collect()))
    }

    fn remove_pack(&self, id: PackId) -> Result<()> {
        self.0.remove_pack(id)
    }

    fn list_packs(&self) -> Result<Vec<(PackId, u64)>> {
        self.0.list_packs()
    }

    fn owner(&self) -> OwnerId {
        self.0.owner()
    }

    fn owner_alive(&self, owner: OwnerId) -> Result<bool> {
        self.0.owner_alive(owner)
    }

    fn lock_collection(&self) -> Result<Box<dyn Send>> {
        self.0.lock_collection()
    }
}
