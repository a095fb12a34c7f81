//! Stores that fail for a while: a full disk, one that reads what nobody wrote, a database that somebody has locked.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tidemark_blockstore::{
    Backend, Error, OwnerId, PackId, PackWriter, Result, Scratch, Superblock, TxnBody,
};
use tidemark_metadata::{Change, Collection, Document, MemoryStore, Query, Version};

/// A blockstore whose disk is full while this says so.
pub(crate) struct FullDisk {
    pub(crate) inner: Arc<dyn Backend>,
    pub(crate) is_full: Arc<AtomicBool>,
}

fn require_room(is_full: &AtomicBool) -> Result<()> {
    if is_full.load(Ordering::SeqCst) {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        return Err(Error::Full { action: "writing", path: PathBuf::from("packs"), source });
    }
    Ok(())
}

impl Backend for FullDisk {
    fn scratch(&self) -> Result<Scratch> {
        require_room(&self.is_full)?;
        self.inner.scratch()
    }

    fn superblock(&self) -> &Superblock {
        self.inner.superblock()
    }

    fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.inner.read(body)
    }

    fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        require_room(&self.is_full)?;
        self.inner.write(body)
    }

    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        require_room(&self.is_full)?;
        let (inner, is_full) = (self.inner.create_pack(id)?, Arc::clone(&self.is_full));
        Ok(Box::new(FullPack { inner, is_full }))
    }

    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        self.inner.read_pack(id, offset, len)
    }

    fn remove_pack(&self, id: PackId) -> Result<()> {
        self.inner.remove_pack(id)
    }

    fn list_packs(&self) -> Result<Vec<(PackId, u64)>> {
        self.inner.list_packs()
    }

    fn owner(&self) -> OwnerId {
        self.inner.owner()
    }

    fn owner_alive(&self, owner: OwnerId) -> Result<bool> {
        self.inner.owner_alive(owner)
    }

    fn lock_collection(&self) -> Result<Box<dyn Send>> {
        self.inner.lock_collection()
    }
}

/// A blockstore of which no block reads as it was written while this says so.
pub(crate) struct Unreadable {
    pub(crate) inner: Arc<dyn Backend>,
    pub(crate) is_unreadable: Arc<AtomicBool>,
}

impl Backend for Unreadable {
    fn scratch(&self) -> Result<Scratch> {
        self.inner.scratch()
    }

    fn superblock(&self) -> &Superblock {
        self.inner.superblock()
    }

    fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.inner.read(body)
    }

    fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.inner.write(body)
    }

    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        self.inner.create_pack(id)
    }

    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        let mut read = self.inner.read_pack(id, offset, len)?;
        if self.is_unreadable.load(Ordering::SeqCst) {
            read.iter_mut().flatten().for_each(|byte| *byte = !*byte);
        }
        Ok(read)
    }

    fn remove_pack(&self, id: PackId) -> Result<()> {
        self.inner.remove_pack(id)
    }

    fn list_packs(&self) -> Result<Vec<(PackId, u64)>> {
        self.inner.list_packs()
    }

    fn owner(&self) -> OwnerId {
        self.inner.owner()
    }

    fn owner_alive(&self, owner: OwnerId) -> Result<bool> {
        self.inner.owner_alive(owner)
    }

    fn lock_collection(&self) -> Result<Box<dyn Send>> {
        self.inner.lock_collection()
    }
}

struct FullPack {
    inner: Box<dyn PackWriter>,
    is_full: Arc<AtomicBool>,
}

impl PackWriter for FullPack {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        require_room(&self.is_full)?;
        self.inner.append(bytes)
    }

    fn sync(&mut self) -> Result<()> {
        require_room(&self.is_full)?;
        self.inner.sync()
    }
}

/// Metadata that somebody else has locked while this says so.
pub(crate) struct Locked {
    pub(crate) inner: MemoryStore,
    pub(crate) is_locked: Arc<AtomicBool>,
}

impl Locked {
    fn require_access(&self) -> tidemark_metadata::Result<()> {
        if self.is_locked.load(Ordering::SeqCst) {
            return Err(tidemark_metadata::Error::Busy { what: "the metadata" });
        }
        Ok(())
    }
}

impl tidemark_metadata::Store for Locked {
    fn get(&self, collection: Collection, id: &str) -> tidemark_metadata::Result<Option<Document>> {
        self.require_access()?;
        self.inner.get(collection, id)
    }

    fn scan(&self, collection: Collection, query: Query<'_>) -> tidemark_metadata::Result<Vec<Document>> {
        self.require_access()?;
        self.inner.scan(collection, query)
    }

    fn apply(&self, changes: &[Change]) -> tidemark_metadata::Result<Version> {
        self.require_access()?;
        self.inner.apply(changes)
    }
}

/// Metadata that no event can be noted in while this says so.
pub(crate) struct Mute {
    pub(crate) inner: MemoryStore,
    pub(crate) is_mute: Arc<AtomicBool>,
    /// How often that was tried in vain.
    pub(crate) refused: Arc<AtomicU64>,
}

impl tidemark_metadata::Store for Mute {
    fn get(&self, collection: Collection, id: &str) -> tidemark_metadata::Result<Option<Document>> {
        self.inner.get(collection, id)
    }

    fn scan(&self, collection: Collection, query: Query<'_>) -> tidemark_metadata::Result<Vec<Document>> {
        self.inner.scan(collection, query)
    }

    fn apply(&self, changes: &[Change]) -> tidemark_metadata::Result<Version> {
        let is_event = changes.iter().any(|it| it.collection == Collection::Event);
        if is_event && self.is_mute.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(tidemark_metadata::Error::Busy { what: "the metadata" });
        }
        self.inner.apply(changes)
    }
}
