//! What can go wrong with a head, and what the caller should do about it.

use crate::dump::DumpError;
use crate::dump::plan::PlanError;
use crate::key::KeyError;
use crate::run::RunError;
use tidemark_base::codec::CodecError;
use tidemark_base::{BlockId, CollectionUuid, ErrorKind, OpTime, Timestamp};
use tidemark_oplog::EntryError;
use tidemark_oplog::names::NameError;

/// The result of operations on heads.
pub type Result<T, E = HeadError> = std::result::Result<T, E>;

/// Why something could not be done with a head.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The blockstore failed, or a block is missing or not what was written.
    #[error(transparent)]
    Store(#[from] tidemark_blockstore::Error),
    /// A run could not be written or read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An oplog entry is broken, or does what is not known.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Bytes that were to be applied are not a BSON document with a key.
    #[error("{what} cannot be taken in: {problem}")]
    Document {
        /// Which document.
        what: String,
        /// What is wrong with it.
        #[source]
        problem: KeyError,
    },
    /// Documents came of a collection that is not there.
    #[error("there is no collection {uuid} to put documents into")]
    NoCollection {
        /// The collection.
        uuid: CollectionUuid,
    },
    /// A name that no MongoDB server accepts.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A dump could not be read or written.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// What is to be dumped contradicts itself.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A block is what was written, but it is no root.
    #[error("block {block} is no root: {problem}; run `tidemark store verify` to see what it hurts")]
    BadRoot {
        /// The block.
        block: BlockId,
        /// What is wrong with it.
        #[source]
        problem: CodecError,
    },
    /// An item of a catalog is no record of a collection.
    #[error("the catalog's record of {key} is damaged: {problem}; run `tidemark store verify`")]
    BadRecord {
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        problem: CodecError,
    },
    /// A ref's value is damaged.
    #[error("ref '{name}' is damaged: {problem}; run `tidemark store verify`")]
    BadRef {
        /// The ref.
        name: String,
        /// What is wrong with it.
        #[source]
        problem: CodecError,
    },
    /// There is no such head.
    #[error("there is no head '{name}': create it with an import first")]
    NoHead {
        /// Its ref.
        name: String,
    },
    /// The head is there already.
    #[error("head '{name}' exists: choose another name, or delete it first")]
    HeadExists {
        /// Its ref.
        name: String,
    },
    /// There is no such snapshot.
    #[error("there is no snapshot {id} of '{name}': list them with `tidemark snapshot list`")]
    NoSnapshot {
        /// The head's ref.
        name: String,
        /// The snapshot.
        id: u64,
    },
    /// A name that cannot be part of a ref's.
    #[error("'{name}' cannot be the name of a {what}: 1 to 120 letters, digits, '.', '_' or '-'")]
    BadName {
        /// Of what.
        what: &'static str,
        /// The name, escaped.
        name: String,
    },
    /// Somebody else has taken the head over.
    #[error("head '{name}' was taken over by somebody else (epoch {found} after {ours}): stop working on it")]
    Fenced {
        /// The head's ref.
        name: String,
        /// The epoch of this holder.
        ours: u64,
        /// The epoch found, 0 if the head is gone.
        found: u64,
    },
    /// An entry stands where another one was applied before: the histories differ.
    #[error(
        "the oplog has {found} where {expected} was applied: its history is another one; go back to an earlier root or resync"
    )]
    Fork {
        /// What was applied.
        expected: OpTime,
        /// What came.
        found: OpTime,
    },
    /// Entries do not come in order.
    #[error("oplog entry at {found} came after the one at {previous}: entries must come in their order")]
    Order {
        /// The entry before.
        previous: Timestamp,
        /// The entry that does not follow it.
        found: OpTime,
    },
    /// An entry changes data in a way that cannot be followed.
    #[error("oplog entry at {at} on {namespace} cannot be followed: {why}; the replica set must be resynced")]
    NeedsResync {
        /// The entry.
        at: OpTime,
        /// What it is about, escaped.
        namespace: String,
        /// Why.
        why: &'static str,
    },
    /// The state is not consistent before this time.
    #[error(
        "the state at {at} is not consistent: the copy it stands on is only consistent from {until} on; apply more oplog first"
    )]
    Fuzzy {
        /// Where the state stands.
        at: OpTime,
        /// From where on it is consistent.
        until: Timestamp,
    },
    /// An error before left the state half changed.
    #[error("the state in memory is not used on after an error: open the head again")]
    Broken,
}

impl HeadError {
    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Entry(error) => error.kind(),
            Self::Dump(error) => error.kind(),
            Self::Plan(error) => error.kind(),
            Self::Name(_) => ErrorKind::Invalid,
            Self::NoCollection { .. } => ErrorKind::NotFound,
            Self::Document { problem, .. } => problem.kind(),
            Self::BadRoot { .. } | Self::BadRecord { .. } | Self::BadRef { .. } => ErrorKind::Corrupt,
            Self::NoHead { .. } | Self::NoSnapshot { .. } => ErrorKind::NotFound,
            Self::HeadExists { .. } | Self::Fork { .. } => ErrorKind::Conflict,
            Self::BadName { .. } | Self::NeedsResync { .. } | Self::Order { .. } => ErrorKind::Invalid,
            Self::Fenced { .. } => ErrorKind::Fenced,
            Self::Fuzzy { .. } | Self::Broken => ErrorKind::Retry,
        }
    }
}
