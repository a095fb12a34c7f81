//! What can go wrong with a head, and what the caller should do about it.

use crate::divergence::{ShownId, only_id_of};
use crate::dump::DumpError;
use crate::dump::plan::PlanError;
use crate::key::KeyError;
use crate::run::RunError;
use tidemark_base::bson::Doc;
use tidemark_base::codec::CodecError;
use tidemark_base::{BlockId, CollectionUuid, ErrorKind, OpTime, Timestamp};
use tidemark_oplog::EntryError;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::names::NameError;
use tidemark_oplog::store::StoreError;
use tidemark_oplog::store::initial_sync::SyncStoreError;

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
    /// A document of a collection is not sound BSON.
    #[error(
        "a document of {namespace}{} is broken: {problem}",
        id.as_ref().map(|id| format!(" with {id}")).unwrap_or_default()
    )]
    BrokenDocument {
        /// The collection, escaped.
        namespace: String,
        /// Its `_id` as extended JSON, escaped, as far as it has a sound one.
        id: Option<String>,
        /// What is wrong with it.
        #[source]
        problem: CodecError,
    },
    /// Two collections of a copy have one UUID or one name.
    #[error(
        "{namespace} and {other} have the same {what}: a copy has each collection once; remove one of the two"
    )]
    Taken {
        /// What they share.
        what: &'static str,
        /// The one, escaped.
        namespace: String,
        /// The other, escaped.
        other: String,
    },
    /// A collection is over what a catalog holds.
    #[error("{namespace} cannot be kept: {problem}; leave it out")]
    Unstorable {
        /// The collection, escaped.
        namespace: String,
        /// What is too large.
        #[source]
        problem: CodecError,
    },
    /// A head is to be built of an initial sync that has not copied everything.
    #[error("initial sync {sync} has not copied collection {uuid} to its end: wait for it")]
    UnfinishedSync {
        /// The sync.
        sync: u32,
        /// The collection.
        uuid: CollectionUuid,
    },
    /// What an initial sync has copied cannot be read.
    #[error(transparent)]
    Sync(#[from] SyncStoreError),
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
    #[error("head '{name}' exists: choose another name")]
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
    /// There is no such restore.
    #[error("restore '{id}' is not prepared, or is kept no more: ask for it again")]
    NoRestore {
        /// Its id.
        id: String,
    },
    /// A name that cannot be part of a ref's.
    #[error(
        "'{name}' cannot be the name of a {what}: 1 to 120 letters, digits, '.', '_' or '-', and no dot first"
    )]
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
    /// The slice store failed, or does not hold the entries that are needed.
    #[error(transparent)]
    Oplog(#[from] StoreError),
    /// A point in time after all that is known.
    #[error(
        "nothing is known of {asked}: the oplog ends at {last}; choose an earlier time, or apply more of it"
    )]
    TooLate {
        /// The point in time.
        asked: Timestamp,
        /// The last entry that is there.
        last: OpTime,
    },
    /// A point in time before everything that is kept.
    #[error(
        "{asked} cannot be restored: the oldest state that is kept is that of {oldest}; choose a later time"
    )]
    TooEarly {
        /// The point in time.
        asked: Timestamp,
        /// The oldest one that can be restored.
        oldest: OpTime,
    },
    /// A point in time between states that are kept, without the entries that lead there.
    #[error(
        "{asked} cannot be restored: no entries are kept after {after}, though a later state is, of {until}; \
         choose one of the two"
    )]
    NoEntries {
        /// The point in time.
        asked: Timestamp,
        /// The last moment before it that can be restored.
        after: Timestamp,
        /// A later state that can.
        until: OpTime,
    },
    /// A snapshot is of a branch that the head went back from.
    #[error(
        "head '{name}' went back to before snapshot {id}, which is of a branch that was left: it can be exported, \
         but the head cannot follow it; import it as another head"
    )]
    DeadBranch {
        /// The head's ref.
        name: String,
        /// The snapshot's number.
        id: u64,
    },
    /// A head moves faster than it can be opened.
    #[error("head '{name}' moved on while it was being opened: try again")]
    Moving {
        /// The head's ref.
        name: String,
    },
    /// A position is given to a state that has one.
    #[error("the state stands at {at} already: it cannot be said to stand at {asked}; leave that out")]
    HasPosition {
        /// Where it stands.
        at: OpTime,
        /// Where it was said to stand.
        asked: Timestamp,
    },
    /// An error before left the state half changed.
    #[error("the state in memory is not used on after an error: open the head again")]
    Broken,
}

/// A collection for messages.
pub(crate) fn shown(collection: &Collection) -> String {
    format!("{}.{}", collection.database.escape_debug(), collection.name.escape_debug())
}

impl HeadError {
    /// A document that is not sound; `namespace` is escaped.
    pub(crate) fn broken_document(namespace: String, document: Doc<'_>, problem: CodecError) -> Self {
        let id = only_id_of(document.as_bytes()).map(|id| ShownId(&id).to_string());
        Self::BrokenDocument { namespace, id, problem }
    }

    /// The same of bytes that need not be one at all.
    pub(crate) fn broken_bytes(namespace: String, document: &[u8], problem: CodecError) -> Self {
        Self::BrokenDocument {
            namespace,
            id: only_id_of(document).map(|id| ShownId(&id).to_string()),
            problem,
        }
    }

    pub(crate) fn unstorable(collection: &Collection, problem: CodecError) -> Self {
        Self::Unstorable { namespace: shown(collection), problem }
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Entry(error) => error.kind(),
            Self::Dump(error) => error.kind(),
            Self::Plan(error) => error.kind(),
            Self::Oplog(error) => error.kind(),
            Self::Sync(error) => error.kind(),
            Self::Name(_) | Self::Taken { .. } | Self::Unstorable { .. } => ErrorKind::Invalid,
            Self::BrokenDocument { .. } => ErrorKind::Corrupt,
            Self::NoCollection { .. } => ErrorKind::NotFound,
            Self::Document { problem, .. } => problem.kind(),
            Self::BadRoot { .. } | Self::BadRecord { .. } | Self::BadRef { .. } => ErrorKind::Corrupt,
            Self::NoHead { .. } | Self::NoSnapshot { .. } | Self::NoRestore { .. } => ErrorKind::NotFound,
            Self::TooLate { .. } | Self::TooEarly { .. } | Self::NoEntries { .. } => ErrorKind::NotFound,
            Self::HeadExists { .. }
            | Self::Fork { .. }
            | Self::HasPosition { .. }
            | Self::DeadBranch { .. } => ErrorKind::Conflict,
            Self::BadName { .. } | Self::NeedsResync { .. } | Self::Order { .. } => ErrorKind::Invalid,
            Self::Fenced { .. } => ErrorKind::Fenced,
            Self::Fuzzy { .. } | Self::Broken | Self::UnfinishedSync { .. } | Self::Moving { .. } => {
                ErrorKind::Retry
            }
        }
    }
}
