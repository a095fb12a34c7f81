//! The one error type of the blockstore: what was wrong, where, and what to do about it.
//!
//! Every function of the crate returns it; [`Error::kind`] tells the caller how to react.

use crate::ids::{PackId, SessionId};
use std::io;
use std::path::PathBuf;
use tidemark_base::codec::CodecError;
use tidemark_base::{BlockId, ErrorKind, StoreId};

/// The result of blockstore operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a blockstore.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk or the quota is full.
    #[error(
        "no space left while {action} {}: free space or let garbage collection run, then try again; \
         nothing that was acknowledged is lost", path.display()
    )]
    Full {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refuses access.
    #[error("no permission for {action} {}: check owner and mode of the store's folder and that it is not mounted read-only", path.display())]
    Denied {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Any other failure of the operating system.
    #[error("{action} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The index database failed.
    #[error("the index database failed while {action}: {source}{}", advice(source))]
    Database {
        /// What was being done.
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The folder holds no store.
    #[error("{} is not a Tidemark store ({why}); create one with `tidemark store init`, or name the right folder", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        why: String,
    },
    /// A store is to be made where something already is.
    #[error("{} is not empty: a new store needs an empty or missing folder", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The store was written by a newer version of Tidemark.
    #[error("{} has format version {found}, this version reads up to {supported}: use a newer Tidemark", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version known here.
        supported: u32,
    },
    /// A file belongs to another store.
    #[error("{} belongs to store {found}, not to this store {expected}: move it out of the folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The store it says it belongs to.
        found: StoreId,
        /// The store it lies in.
        expected: StoreId,
    },
    /// The store is in use in a way that excludes the request.
    #[error("{} is in use by another process: {what}", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// What is excluded.
        what: &'static str,
    },
    /// A collection is already running.
    #[error("a garbage collection of this store is already running; wait for it to end")]
    CollectionRunning,
    /// The stop was asked for by the caller.
    #[error("stopped on request")]
    Cancelled,
    /// The bytes of a block are not what was written.
    #[error("block {id} in {place} is damaged: {problem}; run `tidemark store verify` to see what it hurts")]
    Damaged {
        /// The block.
        id: BlockId,
        /// Where it was read.
        place: Place,
        /// What is wrong with it.
        problem: String,
    },
    /// A block that should be there is not in the index.
    #[error("block {id} is not in the store")]
    Missing {
        /// The block.
        id: BlockId,
    },
    /// A row of the index or a file of the store cannot be understood.
    #[error("{place} is damaged: {problem}; run `tidemark store repair`")]
    BadRow {
        /// Which row or file.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A block is over the limit.
    #[error("a block of {len} bytes is over the limit of {limit}: cut it before it is put")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// Bytes put as a node do not start with a valid list of children.
    #[error("not a node: {0}")]
    BadNode(#[source] CodecError),
    /// The session is no longer known: it was closed, or found dead and expired.
    #[error(
        "session {id} has expired: what it put is no longer protected; open a new session and put it again"
    )]
    SessionGone {
        /// The session.
        id: SessionId,
    },
    /// A ref is not what the caller expected.
    #[error("ref '{name}' changed: expected {expected}, found {found}")]
    RefConflict {
        /// The ref.
        name: String,
        /// What the caller expected.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The named ref does not exist.
    #[error("ref '{name}' does not exist")]
    NoSuchRef {
        /// The ref.
        name: String,
    },
    /// An earlier failure while writing left the session without a trustworthy pack.
    #[error(
        "session {id} failed while writing earlier: open a new session and put again what was not synced"
    )]
    SessionBroken {
        /// The session.
        id: SessionId,
    },
    /// A request breaks a rule of the interface.
    #[error("{what}")]
    Invalid {
        /// Which rule, and what to do.
        what: String,
    },
    /// An injected failure (only the fault wrapper makes these).
    #[error("injected failure at call {call}")]
    Injected {
        /// The number of the call.
        call: u64,
    },
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The pack.
    pub pack: PackId,
    /// Offset of the record's header in the pack, in bytes.
    pub offset: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pack {} at {}", self.pack, self.offset)
    }
}

impl Error {
    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Full { .. }
            | Self::Busy { .. }
            | Self::CollectionRunning
            | Self::Cancelled
            | Self::Injected { .. } => ErrorKind::Retry,
            Self::Io { .. } | Self::Denied { .. } => ErrorKind::Retry,
            Self::Database { source, .. } => database_kind(source),
            Self::NotAStore { .. }
            | Self::NotEmpty { .. }
            | Self::NewerFormat { .. }
            | Self::TooLarge { .. }
            | Self::BadNode(_)
            | Self::Invalid { .. } => ErrorKind::Invalid,
            Self::Foreign { .. } | Self::Damaged { .. } | Self::BadRow { .. } => ErrorKind::Corrupt,
            Self::Missing { .. } | Self::NoSuchRef { .. } => ErrorKind::NotFound,
            Self::SessionGone { .. } | Self::SessionBroken { .. } => ErrorKind::Fenced,
            Self::RefConflict { .. } => ErrorKind::Conflict,
        }
    }

    /// Sorts a failure of the operating system into its kind.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { action, path, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { action, path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// Whether the disk is full, whoever noticed it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Database { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            _ => false,
        }
    }
}

/// What to do about a failure of the index database, if there is something.
fn advice(source: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode as Code;
    match source.sqlite_error_code() {
        Some(Code::DiskFull) => {
            "; free space or let garbage collection run, then try again; nothing that was acknowledged is lost"
        }
        Some(Code::ReadOnly | Code::PermissionDenied | Code::CannotOpen) => {
            "; check owner and mode of the store's folder and its files, and that it is not mounted read-only"
        }
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => "; another process has it, try again",
        _ => "",
    }
}

fn database_kind(source: &rusqlite::Error) -> ErrorKind {
    use rusqlite::ErrorCode as Code;
    match source.sqlite_error_code() {
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => ErrorKind::Corrupt,
        Some(
            Code::DatabaseBusy
            | Code::DatabaseLocked
            | Code::DiskFull
            | Code::SystemIoFailure
            | Code::CannotOpen
            | Code::PermissionDenied
            | Code::ReadOnly,
        ) => ErrorKind::Retry,
        _ => ErrorKind::Internal,
    }
}
