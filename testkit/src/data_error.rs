//! What can be wrong with packed or loaded test data: one error for captures, corpus, dump samples, dump folders.
//!
//! Returned by the loaders ([`crate::captures`], [`crate::corpus`], [`crate::dumps`], [`crate::dump_dir`]) and
//! by loading a model from a state. Cloneable, since a loader keeps its result for the life of the process.

use tidemark_base::codec::CodecError;
use tidemark_base::{CollectionUuid, ErrorKind};

/// Why test data could not be loaded; every variant names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// There is nothing of this name.
    #[error("there is no {what} named '{name}'; there are: {known}")]
    UnknownName {
        /// What was asked for: a capture, a sample.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A packed archive is damaged or too large.
    #[error("testkit/data/{archive}: {problem}; pack it again as testkit/data/README.md says")]
    Archive {
        /// File name of the archive.
        archive: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that something refers to is not there.
    #[error("{path} is missing, but {referred_by} refers to it")]
    MissingFile {
        /// The missing file.
        path: String,
        /// What refers to it.
        referred_by: String,
    },
    /// A JSON file does not parse, or lacks what it should hold.
    #[error("{path}: {problem}")]
    Json {
        /// The file.
        path: String,
        /// The parser's words.
        problem: String,
    },
    /// Bytes that should be BSON are not.
    #[error("{path}: {source}")]
    Bson {
        /// The file or collection.
        path: String,
        /// Where and how it is broken.
        source: CodecError,
    },
    /// The parts of the data contradict each other, or break a rule of their format.
    #[error("{path}: {problem}")]
    Inconsistent {
        /// The file or collection.
        path: String,
        /// The contradiction.
        problem: String,
    },
    /// A collection must have a uuid of its own to be in a model.
    #[error("{namespace} cannot be in a model: {problem}")]
    Uuid {
        /// The collection.
        namespace: String,
        /// No uuid, or one that is taken.
        problem: String,
        /// The uuid, if there is one.
        uuid: Option<CollectionUuid>,
    },
    /// Reading or writing files failed.
    #[error("{path}: {problem}")]
    Io {
        /// The file or folder.
        path: String,
        /// The operating system's words.
        problem: String,
    },
}

impl DataError {
    /// What the caller should do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownName { .. } => ErrorKind::NotFound,
            Self::Io { .. } => ErrorKind::Retry,
            Self::Uuid { .. } => ErrorKind::Invalid,
            _ => ErrorKind::Corrupt,
        }
    }

    /// An [`Self::Io`] about `path`.
    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), problem: error.to_string() }
    }
}
