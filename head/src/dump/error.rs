//! What can go wrong with a dump, being written or read.

use super::extjson::WriteError;
use super::metadata::MetadataError;
use std::io;
use std::path::Path;
use tidemark_base::ErrorKind;
use tidemark_base::codec::CodecError;
use tidemark_oplog::names::NameError;

/// Why a dump could not be written or read; every variant names the place.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// Reading or writing failed.
    #[error("{place}: cannot {what}: {source}")]
    Io {
        /// The file, folder or stream.
        place: String,
        /// What was tried.
        what: &'static str,
        /// The operating system's words.
        source: io::Error,
    },
    /// A dump goes into a folder of its own.
    #[error("{place} is not empty: name another folder, or say that files may be added to it")]
    NotEmpty {
        /// The folder.
        place: String,
    },
    /// What was read is not what it should be.
    #[error("{place}: at byte {offset}: {problem}")]
    Broken {
        /// The file or stream.
        place: String,
        /// Where, in bytes from its start; unpacked, if it is gzipped.
        offset: u64,
        /// What is wrong there.
        problem: Problem,
    },
    /// The metadata of a collection cannot be understood.
    #[error("{place}: {source}")]
    Metadata {
        /// The file, or the archive and the collection.
        place: String,
        /// What is wrong with it.
        source: MetadataError,
    },
    /// A name that no server accepts.
    #[error("{place}: {source}")]
    Name {
        /// The file, or the archive.
        place: String,
        /// What is wrong with the name.
        source: NameError,
    },
    /// Files stand where no dump has them, or contradict each other.
    #[error("{place}: {problem}")]
    Layout {
        /// The file or folder.
        place: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Metadata cannot be said as JSON.
    #[error("the metadata of {namespace} cannot be written: {source}; leave it out of the dump")]
    Unsayable {
        /// The collection.
        namespace: String,
        /// What cannot be said.
        source: WriteError,
    },
    /// Something is too large for the format.
    #[error("{namespace}: {what} of {bytes} bytes is over the limit of {limit}; {advice}")]
    TooLarge {
        /// The collection.
        namespace: String,
        /// What it is.
        what: &'static str,
        /// Its size, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
        /// What to do.
        advice: &'static str,
    },
    /// Documents to be written are not documents.
    #[error("{namespace}: what is to be written is not whole documents: {source}")]
    Documents {
        /// The collection.
        namespace: String,
        /// What is wrong with them.
        source: CodecError,
    },
    /// A writer was not called as it must be, which is our own mistake.
    #[error("writing a dump: {what}")]
    Misuse {
        /// What was wrong.
        what: String,
    },
}

/// What is wrong with what was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It ends too early.
    #[error("it ends too early: the dump was not finished, or was cut when it was copied")]
    Truncated,
    /// It is not gzip, or damaged.
    #[error("it cannot be unpacked: {words}; the file is damaged, or no gzip file")]
    Gzip {
        /// The unpacker's words.
        words: String,
    },
    /// A document is broken.
    #[error("no document: {0}; the file is damaged")]
    Document(CodecError),
    /// It is no archive of mongodump.
    #[error("it does not begin as an archive of mongodump does")]
    NoArchive,
    /// An archive of another version.
    #[error("archives of version '{version}' are not known, only 0.1")]
    ArchiveVersion {
        /// The version, escaped and cut.
        version: String,
    },
    /// A header lacks a field.
    #[error("the {header} has no field '{field}' of the right type; the archive is damaged")]
    Field {
        /// Which header.
        header: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// Marks and headers do not follow each other as they should.
    #[error("there should be {wanted}; the archive is damaged")]
    Expected {
        /// What should be there.
        wanted: &'static str,
    },
    /// Documents of a collection that the archive's contents do not list.
    #[error("documents of {namespace}, which the archive does not list")]
    Unlisted {
        /// The collection.
        namespace: String,
    },
    /// Documents of a view.
    #[error("documents of {namespace}, which is a view")]
    ViewWithDocuments {
        /// The view.
        namespace: String,
    },
    /// More documents of a collection whose end was seen.
    #[error("more of {namespace}, whose end has been read; the archive is damaged")]
    Reopened {
        /// The collection.
        namespace: String,
    },
    /// The documents are not those that were written.
    #[error(
        "the documents of {namespace} have the checksum {counted:016x}, the archive says {stated:016x}; it is \
         damaged"
    )]
    Checksum {
        /// The collection.
        namespace: String,
        /// What the archive says.
        stated: u64,
        /// What the documents have.
        counted: u64,
    },
    /// The end of a collection is missing.
    #[error(
        "the archive ends before {namespace} does: the dump was not finished, or was cut when it was copied"
    )]
    Unfinished {
        /// The collection.
        namespace: String,
    },
    /// A collection twice.
    #[error("{namespace} stands here a second time")]
    Twice {
        /// The collection.
        namespace: String,
    },
    /// More than a dump may hold.
    #[error("{what} over the limit of {limit}")]
    TooMany {
        /// What.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
}

impl DumpError {
    /// What the caller should do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => ErrorKind::Invalid,
                _ => ErrorKind::Retry,
            },
            Self::Broken { .. } | Self::Metadata { .. } | Self::Name { .. } => ErrorKind::Corrupt,
            Self::NotEmpty { .. } | Self::Layout { .. } | Self::TooLarge { .. } => ErrorKind::Invalid,
            Self::Unsayable { source, .. } => source.kind(),
            Self::Documents { .. } | Self::Misuse { .. } => ErrorKind::Internal,
        }
    }

    pub(super) fn io(place: &str, what: &'static str, source: io::Error) -> Self {
        Self::Io { place: place.to_owned(), what, source }
    }

    pub(super) fn layout(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Layout { place: place.into(), problem: problem.into() }
    }
}

/// A path for messages: control characters escaped.
pub(super) fn shown_path(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}
