//! What can go wrong with what an initial sync has copied.

use super::refs::SyncState;
use crate::initial_sync::{BatchError, BatchId};
use crate::store::{RefProblem, StoreError};
use tidemark_base::codec::CodecError;
use tidemark_base::{CollectionUuid, ErrorKind};
use tidemark_blockstore::Error;

/// Why the sync store could not do as it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncStoreError {
    /// Nobody has begun a sync here.
    #[error("no initial sync was begun under '{prefix}'")]
    NoSync {
        /// The prefix.
        prefix: String,
    },
    /// What is asked for is of a sync that is not under way.
    #[error("sync {asked} is not under way: the last one is {found}")]
    OtherSync {
        /// The sync that was asked for.
        asked: u32,
        /// The last one.
        found: SyncState,
    },
    /// The collection was not described.
    #[error("collection {uuid} is not part of sync {sync}: describe it first")]
    NoCollection {
        /// The sync.
        sync: u32,
        /// The collection.
        uuid: CollectionUuid,
    },
    /// A batch is not the one that is expected, and not there already. Nothing was stored.
    #[error("{id} cannot be kept: {expected} is expected next; go on from there")]
    Refused {
        /// The batch that came.
        id: BatchId,
        /// The one that is expected.
        expected: BatchId,
    },
    /// A batch came for a collection that is copied.
    #[error("{id} cannot be kept: the scan of its collection has ended before it")]
    Ended {
        /// The batch that came.
        id: BatchId,
    },
    /// The sync is to end, and a collection is not copied yet.
    #[error("sync {sync} cannot end: collection {uuid} is not copied to its end")]
    NotDone {
        /// The sync.
        sync: u32,
        /// The first such collection.
        uuid: CollectionUuid,
    },
    /// What was sent is not sound.
    #[error(transparent)]
    Given(BatchError),
    /// A collection cannot be described so.
    #[error("collection {uuid} cannot be described so: {problem}")]
    BadDescription {
        /// Its UUID.
        uuid: CollectionUuid,
        /// What is wrong.
        problem: CodecError,
    },
    /// A point to go on from is too long.
    #[error("the resume point of collection {uuid} has {len} bytes, more than {limit}")]
    LongResume {
        /// The collection.
        uuid: CollectionUuid,
        /// Its length, in bytes.
        len: usize,
        /// What is kept at most.
        limit: usize,
    },
    /// A batch that was sound when it was kept no longer is.
    #[error("{0}; the initial sync must be begun again")]
    Stored(BatchError),
    /// A batch's ref says something else than the batch.
    #[error("{id} is not the one that its ref describes; the initial sync must be begun again")]
    NotItsHeader {
        /// Which batch.
        id: BatchId,
    },
    /// What is kept of a collection's description is damaged.
    #[error(
        "the description of collection {uuid} is damaged: {problem}; the initial sync must be begun again"
    )]
    Description {
        /// The collection.
        uuid: CollectionUuid,
        /// What is wrong.
        problem: CodecError,
    },
    /// A ref cannot be understood.
    #[error("ref '{name}' is damaged: {problem}; run `tidemark store verify`")]
    Ref {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: RefProblem,
    },
    /// The oplog that goes with it cannot be begun.
    #[error(transparent)]
    Log(Box<StoreError>),
    /// Others were faster, again and again.
    #[error("the initial sync under '{prefix}' is being changed by several at once; try again")]
    Contended {
        /// The prefix.
        prefix: String,
    },
    /// The blockstore failed.
    #[error(transparent)]
    Blocks(Box<Error>),
}

impl From<Error> for SyncStoreError {
    fn from(error: Error) -> Self {
        Self::Blocks(Box::new(error))
    }
}

impl From<StoreError> for SyncStoreError {
    fn from(error: StoreError) -> Self {
        Self::Log(Box::new(error))
    }
}

impl SyncStoreError {
    pub(super) const fn stored(error: BatchError) -> Self {
        Self::Stored(error)
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSync { .. } | Self::NoCollection { .. } => ErrorKind::NotFound,
            Self::OtherSync { .. } | Self::Refused { .. } | Self::Ended { .. } | Self::NotDone { .. } => {
                ErrorKind::Conflict
            }
            Self::Given(error) => error.kind(),
            Self::BadDescription { .. } | Self::LongResume { .. } => ErrorKind::Invalid,
            Self::Stored(_) | Self::NotItsHeader { .. } | Self::Description { .. } | Self::Ref { .. } => {
                ErrorKind::Corrupt
            }
            Self::Contended { .. } => ErrorKind::Retry,
            Self::Log(error) => error.kind(),
            Self::Blocks(error) => error.kind(),
        }
    }
}
