//! What an initial sync has copied as the initial state: batches of the sync store go into an import.
//!
//! Batches are read in the order in which they count, scan by scan, so that of several copies of a document the last
//! one stays. What the copies lack, or have too much, because the source changed meanwhile, the oplog makes good: it
//! is applied tolerantly up to the entry that the sync ended at.

use super::{Copied, Import};
use crate::error::{HeadError, Result};
use tidemark_base::bson::Doc;
use tidemark_oplog::store::initial_sync::{SyncState, SyncStore};

/// Takes in what the import's filter keeps of a sync that has ended.
///
/// # Errors
/// [`HeadError::UnfinishedSync`] if it has not ended; [`HeadError::Taken`] and [`HeadError::Unstorable`] for what no
/// server has; damage of what is kept; failures of the store.
pub fn of_sync(import: &mut Import, syncs: &SyncStore, sync: &SyncState) -> Result<Copied> {
    of_sync_and_tell(import, syncs, sync, &mut |_| Ok(()))
}

/// The same, and tells after each batch how far it is; an error ends it.
///
/// # Errors
/// As [`of_sync`]; what `told` returns.
pub fn of_sync_and_tell(
    import: &mut Import,
    syncs: &SyncStore,
    sync: &SyncState,
    told: &mut dyn FnMut(&Copied) -> Result<()>,
) -> Result<Copied> {
    let mut copied = Copied::default();
    let mut plain = Vec::new();
    for (uuid, progress, collection) in syncs.collections(sync.number)? {
        if !import.filter.keeps_collection(&collection.database, &collection.name) {
            continue;
        }
        if sync.until.is_none() || !progress.is_done {
            return Err(HeadError::UnfinishedSync { sync: sync.number, uuid });
        }
        import.collection(uuid, collection)?;
        copied.collections += 1;
        for stored in syncs.batches(sync.number, uuid)? {
            let documents: Vec<Doc<'_>> = syncs.read(&stored, &mut plain)?.iter().collect();
            copied.documents += u64::from(stored.header.documents);
            copied.bytes += u64::from(stored.header.plain_len);
            import.documents(uuid, &documents)?;
            told(&copied)?;
        }
    }
    Ok(copied)
}
