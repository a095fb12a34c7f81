//! What can be wrong with a sync slice, or with what is to become one.

use super::header::BatchId;
use tidemark_base::ErrorKind;
use tidemark_base::codec::CodecError;
use tidemark_base::limits::{MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};

/// Why a sync slice cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Something else.
    #[error("not a sync slice: it does not begin as one")]
    NotABatch,
    /// Written by a newer version.
    #[error("sync slice format version {found} is not known, only up to {supported}: use a newer Tidemark")]
    NewerFormat {
        /// Version found.
        found: u32,
        /// Newest version known here.
        supported: u32,
    },
    /// The header is cut short, over a limit, or holds a value without a meaning.
    #[error("header of a sync slice: {0}")]
    Header(#[from] CodecError),
    /// The header is not as it was written.
    #[error("the sync slice's header is damaged: its checksum is wrong")]
    HeaderSum,
    /// The header cannot be true.
    #[error("the sync slice's header contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The payload is cut short, or something follows it.
    #[error("{id}: the payload has {found} bytes where its header says {expected}")]
    PayloadLength {
        /// Which batch.
        id: BatchId,
        /// Length by the header.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// The payload is not as it was written.
    #[error("{id} is damaged: {problem}")]
    Payload {
        /// Which batch.
        id: BatchId,
        /// How it shows.
        problem: &'static str,
    },
    /// A document is not sound.
    #[error(
        "{id}: document {index} is broken: {problem}; repair it in the source, or exclude its collection"
    )]
    Document {
        /// Which batch.
        id: BatchId,
        /// Its number in the batch, from 0.
        index: usize,
        /// What is wrong with it.
        problem: CodecError,
    },
    /// No room for another document.
    #[error(
        "a sync slice holds at most {MAX_SLICE_PLAIN_BYTES} bytes and {MAX_SLICE_ENTRIES} documents: finish it \
         first"
    )]
    Full,
}

impl BatchError {
    /// What the caller should do: bytes that are damaged or hostile stay so.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotABatch | Self::NewerFormat { .. } | Self::Full => ErrorKind::Invalid,
            _ => ErrorKind::Corrupt,
        }
    }
}
