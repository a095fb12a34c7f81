//! What can go wrong with stored slices.

use super::refs::{ChainNumber, Tip};
use crate::chain::{Judgement, Problem};
use crate::initial_sync::BatchError;
use crate::slice::SliceError;
use tidemark_base::codec::CodecError;
use tidemark_base::{ErrorKind, Timestamp};
use tidemark_blockstore::Error;

/// Why the slice store could not do as it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nobody has begun a chain here.
    #[error("no oplog is kept under '{prefix}' yet: an initial sync begins one")]
    NoChain {
        /// The prefix.
        prefix: String,
    },
    /// A chain is to be begun where there is another one.
    #[error("an oplog is kept here already, {0}: go on from its tip, or begin a new chain behind it")]
    OtherChain(Box<Tip>),
    /// A slice does not follow the tip, and is not there already. Nothing was stored.
    #[error("the slice cannot be appended: {why}; go on from the tip, {tip}")]
    Refused {
        /// How it stands to the chain: a gap, an overlap or a fork.
        why: Judgement,
        /// Where the chain ends.
        tip: Box<Tip>,
    },
    /// The slice given is not sound.
    #[error(transparent)]
    Given(Box<SliceError>),
    /// A slice that was sound when it was appended no longer is.
    #[error("oplog slice '{name}' is damaged: {source}; what its chain holds after it needs a resync")]
    Slice {
        /// The name of its ref.
        name: String,
        /// What is wrong.
        source: Box<SliceError>,
    },
    /// A slice's ref says something else than the slice.
    #[error("oplog slice '{name}' is not the one that its ref describes; run `tidemark store verify`")]
    NotItsHeader {
        /// The name of its ref.
        name: String,
    },
    /// A ref cannot be understood.
    #[error("ref '{name}' is damaged: {problem}; run `tidemark store verify`")]
    Ref {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: RefProblem,
    },
    /// Slices that should follow each other do not.
    #[error("{chain} of the oplog is broken: {problem}; run `tidemark store verify`")]
    Broken {
        /// Which chain.
        chain: ChainNumber,
        /// Where, the slices being counted from the first that was asked for.
        problem: Problem,
    },
    /// The chain does not hold all that was asked for.
    #[error("{chain} of the oplog does not hold all entries after {from} up to {to}: {why}")]
    NotCovered {
        /// Which chain.
        chain: ChainNumber,
        /// Entries after this,
        from: Timestamp,
        /// up to this, were asked for.
        to: Timestamp,
        /// What it holds instead.
        why: String,
    },
    /// Others were faster, again and again.
    #[error("the oplog under '{prefix}' is being changed by several at once; try again")]
    Contended {
        /// The prefix.
        prefix: String,
    },
    /// The blockstore failed.
    #[error(transparent)]
    Blocks(Box<Error>),
}

/// What is wrong with a ref.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefProblem {
    /// Its value does not decode.
    #[error(transparent)]
    Value(#[from] CodecError),
    /// Its value is not the header of a slice.
    #[error(transparent)]
    Header(#[from] SliceError),
    /// Its value is not the header of a sync slice.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Something else.
    #[error("{0}")]
    Other(&'static str),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Blocks(Box::new(error))
    }
}

impl StoreError {
    pub(super) fn stored_slice(name: String, source: SliceError) -> Self {
        Self::Slice { name, source: Box::new(source) }
    }

    pub(super) fn given(error: SliceError) -> Self {
        Self::Given(Box::new(error))
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoChain { .. } | Self::NotCovered { .. } => ErrorKind::NotFound,
            Self::OtherChain(_) | Self::Refused { .. } => ErrorKind::Conflict,
            Self::Given(error) => error.kind(),
            Self::Slice { .. } | Self::NotItsHeader { .. } | Self::Ref { .. } | Self::Broken { .. } => {
                ErrorKind::Corrupt
            }
            Self::Contended { .. } => ErrorKind::Retry,
            Self::Blocks(error) => error.kind(),
        }
    }
}
