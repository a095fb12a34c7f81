//! What can go wrong with runs: errors of who writes them, and damage of what was read.

use super::record::RunKind;
use crate::key::KeyError;
use tidemark_base::codec::CodecError;
use tidemark_base::{BlockId, ErrorKind};

/// The result of operations on runs.
pub type Result<T, E = RunError> = std::result::Result<T, E>;

/// Why a run could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The blockstore failed, or a block is missing or not what was written.
    #[error(transparent)]
    Store(#[from] tidemark_blockstore::Error),
    /// A block is what was written, but it is no sound part of a run.
    #[error(
        "block {block} is no sound part of a run: {problem}; run `tidemark store verify` to see what it hurts"
    )]
    Damaged {
        /// The block.
        block: BlockId,
        /// What is wrong with it.
        problem: Problem,
    },
    /// Documents that an import put aside came back as they were written, and make no sense.
    #[error("documents that were put aside are not in the form they were in: {0}; import again")]
    PutAside(Problem),
    /// Items came out of order, or one key came twice.
    #[error("items of a run must come with ascending keys: {} came after {}", shown(key), shown(previous))]
    Order {
        /// The key before.
        previous: Vec<u8>,
        /// The key that does not follow it.
        key: Vec<u8>,
    },
    /// An item of a base run is not one BSON document.
    #[error("an item of a base run must be one document: {0}")]
    NotADocument(#[source] CodecError),
    /// A patch run was given what is no patch, another run a patch, or a run other than a catalog an item with
    /// blocks below it.
    #[error("this is no item for a run of kind {kind:?}")]
    WrongKind {
        /// The kind of the run.
        kind: RunKind,
    },
    /// An item is over a limit.
    #[error("{what} of an item is {len}, over the limit of {limit}")]
    TooLarge {
        /// What of it.
        what: &'static str,
        /// How much it is.
        len: usize,
        /// The limit.
        limit: usize,
    },
}

/// What is wrong with a block of a run. The block's name is right: so it was written, by us or by somebody who
/// means harm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A document in it has no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It is something else than what must stand in its place.
    #[error("it must be {0}")]
    Form(&'static str),
    /// Its level is not one below that of the node above.
    #[error("its level is {found} where {expected} must stand")]
    Level {
        /// The level it says.
        found: u8,
        /// The level it must have.
        expected: u8,
    },
    /// Its keys do not ascend.
    #[error("its keys do not ascend")]
    Order,
    /// A document does not have the `_id` of the key that it stands under.
    #[error("a document in it stands under the key of another _id")]
    OtherId,
    /// One of its keys does not belong where the node above puts it.
    #[error("it has a key outside of the range that the node above gives it")]
    Range,
    /// It holds more or less than the node above, or it itself, says.
    #[error("{what}: {said} are said, {found} are there")]
    Count {
        /// What is counted.
        what: &'static str,
        /// What is said of it.
        said: u64,
        /// What is there.
        found: u64,
    },
}

impl Problem {
    /// The same as an error about a block.
    pub(super) const fn of(self, block: BlockId) -> RunError {
        RunError::Damaged { block, problem: self }
    }
}

impl RunError {
    /// Whether it only says that something else failed before.
    pub(crate) const fn is_consequence(&self) -> bool {
        matches!(self, Self::Store(tidemark_blockstore::Error::SessionBroken { .. }))
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Damaged { .. } | Self::PutAside(_) => ErrorKind::Corrupt,
            Self::Order { .. } | Self::WrongKind { .. } => ErrorKind::Internal,
            Self::NotADocument(_) | Self::TooLarge { .. } => ErrorKind::Invalid,
        }
    }
}

/// A key as it can stand in a message.
fn shown(key: &[u8]) -> String {
    const LONGEST: usize = 40;
    let hex: String = key.iter().take(LONGEST).map(|byte| format!("{byte:02x}")).collect();
    if key.len() > LONGEST { format!("{hex}… ({} bytes)", key.len()) } else { format!("'{hex}'") }
}
