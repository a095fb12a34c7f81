//! What can go wrong with a daemon's work, and what is to be done about it.

use std::io;
use tidemark_base::ErrorKind;
use tidemark_head::HeadError;
use tidemark_oplog::names::NameError;
use tidemark_oplog::store::StoreError;
use tidemark_oplog::store::initial_sync::SyncStoreError;

/// The result of a daemon's work.
pub type Result<T, E = DaemonError> = std::result::Result<T, E>;

/// Why a piece of work could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The head, or what it stands on.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The blockstore.
    #[error(transparent)]
    Store(#[from] tidemark_blockstore::Error),
    /// The oplog's store.
    #[error(transparent)]
    Oplog(#[from] StoreError),
    /// What an initial sync has copied.
    #[error(transparent)]
    Sync(#[from] SyncStoreError),
    /// The metadata.
    #[error(transparent)]
    Metadata(#[from] tidemark_metadata::Error),
    /// A namespace that no server has.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A job is about something that its kind is not about.
    #[error("job '{job}' does not say what it is about: remove it, it was not queued by this program")]
    BadSubject {
        /// The job.
        job: String,
    },
    /// A namespace was asked for that the state does not have.
    #[error("there is no {namespace} at {at}: choose what was there then, or another time")]
    NotThere {
        /// The namespace, escaped.
        namespace: String,
        /// The moment.
        at: tidemark_base::OpTime,
    },
    /// The operating system gives no thread.
    #[error("a thread cannot be started: {0}; let the process have more of them")]
    Thread(#[from] io::Error),
    /// A thread has panicked.
    #[error(
        "the work ended by a panic: this is a bug, please report it with what the log says before this line"
    )]
    Panicked,
}

impl DaemonError {
    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Head(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Oplog(error) => error.kind(),
            Self::Sync(error) => error.kind(),
            Self::Metadata(error) => error.kind(),
            Self::Name(_) | Self::BadSubject { .. } => ErrorKind::Invalid,
            Self::NotThere { .. } => ErrorKind::NotFound,
            Self::Thread(_) => ErrorKind::Retry,
            Self::Panicked => ErrorKind::Internal,
        }
    }
}
