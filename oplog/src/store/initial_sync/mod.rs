//! What an initial sync has copied, in a blockstore: batches kept by refs, and how far each collection is.
//!
//! Used by the front-end, which begins syncs and keeps what agents send, and by the daemon, which builds a head of
//! it. A sync has a number; one that is begun later has a higher one, and only the last one takes anything. Each
//! collection has its *progress*: the scan that is under way and the batch that is expected next. A batch and the
//! progress behind it change in one publish, by compare-and-set: that publish is the acknowledgement, so batches
//! make one sequence without gaps, however often they are sent. Names and values: `docs/format.md`; order of
//! writes: `docs/ordering.md`.
//!
//! Deliberately not here: who may send (the front-end's), and what copies and oplog together mean (the head's).

mod append;
mod begin;
mod description;
mod error;
mod progress;
mod refs;

pub use append::Kept;
pub use description::decode as read_description;
pub use error::SyncStoreError;
pub use progress::{Progress, Resume};
pub use refs::{StoredBatch, SyncState};

use crate::catalog::Collection;
use crate::initial_sync::{BatchReader, Documents};
use refs::Names;
use tidemark_base::CollectionUuid;
use tidemark_blockstore::Store;

/// The result of the sync store's operations.
type Result<T, E = SyncStoreError> = std::result::Result<T, E>;

/// How often an operation that lost a race is tried again: each loss is another's success.
const ATTEMPTS: usize = 16;

/// The initial syncs of one head, in one blockstore.
#[derive(Clone, Debug)]
pub struct SyncStore {
    store: Store,
    names: Names,
}

impl SyncStore {
    /// The syncs under a prefix, for instance `g/<group>/h/<head>`; there need not be any yet.
    #[must_use]
    pub fn new(store: &Store, prefix: &str) -> Self {
        Self { store: store.clone(), names: Names::new(prefix) }
    }

    /// The last sync, if one was ever begun.
    ///
    /// # Errors
    /// [`SyncStoreError::Ref`] if its ref is damaged; failures of the store.
    pub fn state(&self) -> Result<Option<SyncState>> {
        Ok(self.versioned_state()?.map(|(state, _)| state))
    }

    /// The collections of a sync, by UUID: how far each is, and what it is.
    ///
    /// # Errors
    /// [`SyncStoreError::Ref`], [`SyncStoreError::Description`] for damage; failures of the store.
    pub fn collections(&self, sync: u32) -> Result<Vec<(CollectionUuid, Progress, Collection)>> {
        let found = self.list_progress(sync)?;
        let read = found.into_iter().map(|(uuid, kept)| {
            let described = self.described(uuid, &kept)?;
            Ok((uuid, kept.progress, described))
        });
        read.collect()
    }

    /// One collection of a sync, if it is part of it: how far it is, and what it is.
    ///
    /// # Errors
    /// As [`Self::collections`].
    pub fn collection(&self, sync: u32, uuid: CollectionUuid) -> Result<Option<(Progress, Collection)>> {
        let Some(kept) = self.progress_of(sync, uuid)? else { return Ok(None) };
        let described = self.described(uuid, &kept)?;
        Ok(Some((kept.progress, described)))
    }

    fn described(&self, uuid: CollectionUuid, kept: &progress::Kept) -> Result<Collection> {
        let block = self.store.get_one(kept.description)?;
        description::decode(block.bytes()).map_err(|problem| SyncStoreError::Description { uuid, problem })
    }

    /// The batches of a collection, in the order in which their documents count: the last copy wins.
    ///
    /// # Errors
    /// [`SyncStoreError::Ref`] for damage; failures of the store.
    pub fn batches(&self, sync: u32, collection: CollectionUuid) -> Result<Vec<StoredBatch>> {
        self.list_batches(sync, collection)
    }

    /// Reads a batch into `plain`, whose contents are replaced, and checks all of it.
    ///
    /// # Errors
    /// [`SyncStoreError::Stored`] if what is stored is not the batch that was kept; failures of the store.
    pub fn read<'p>(&self, stored: &StoredBatch, plain: &'p mut Vec<u8>) -> Result<Documents<'p>> {
        let block = self.store.get_one(stored.block)?;
        let reader = BatchReader::open(block.bytes()).map_err(SyncStoreError::stored)?;
        if reader.header() != &stored.header {
            return Err(SyncStoreError::NotItsHeader { id: stored.header.id });
        }
        reader.decode(plain).map_err(SyncStoreError::stored)
    }
}
