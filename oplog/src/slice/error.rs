//! What can be wrong with a slice, or with what is to become one.

use crate::EntryError;
use tidemark_base::codec::CodecError;
use tidemark_base::limits::{MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};
use tidemark_base::{ErrorKind, OpTime};

/// Why a slice cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SliceError {
    /// Something else.
    #[error("not an oplog slice: it does not begin as one")]
    NotASlice,
    /// Written by a newer version.
    #[error("slice format version {found} is not known, only up to {supported}: use a newer Tidemark")]
    NewerFormat {
        /// Version found.
        found: u32,
        /// Newest version known here.
        supported: u32,
    },
    /// The header is cut short, over a limit, or holds a value without a meaning.
    #[error("slice header: {0}")]
    Header(#[from] CodecError),
    /// The header is not as it was written.
    #[error("the slice's header is damaged: its checksum is wrong")]
    HeaderSum,
    /// The header cannot be true.
    #[error("the slice's header contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The payload is cut short, or something follows it.
    #[error("slice of {first} to {last}: the payload has {found} bytes where its header says {expected}")]
    PayloadLength {
        /// First entry.
        first: OpTime,
        /// Last entry.
        last: OpTime,
        /// Length by the header.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// The payload is not as it was written.
    #[error("slice of {first} to {last} is damaged: {problem}")]
    Payload {
        /// First entry.
        first: OpTime,
        /// Last entry.
        last: OpTime,
        /// How it shows.
        problem: &'static str,
    },
    /// An entry is broken or has no position.
    #[error("entry {index} of the slice: {source}")]
    Entry {
        /// Its number in the slice, from 0.
        index: usize,
        /// What is wrong with it.
        source: Box<EntryError>,
    },
    /// Entries are not in the order of one history.
    #[error("entry {index} of the slice, at {at}, does not come after {after}")]
    Order {
        /// Its number in the slice, from 0.
        index: usize,
        /// Where it stands.
        at: OpTime,
        /// What it was put behind.
        after: OpTime,
    },
    /// No room for another entry.
    #[error(
        "a slice holds at most {MAX_SLICE_PLAIN_BYTES} bytes and {MAX_SLICE_ENTRIES} entries: finish it first"
    )]
    Full,
}

impl SliceError {
    /// What the caller should do: bytes that are damaged or hostile stay so.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotASlice | Self::NewerFormat { .. } | Self::Order { .. } | Self::Full => {
                ErrorKind::Invalid
            }
            _ => ErrorKind::Corrupt,
        }
    }
}
