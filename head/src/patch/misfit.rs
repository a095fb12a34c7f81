//! What did not fit: the difference between what an operation says and what it met.

use crate::key::KeyError;
use tidemark_oplog::update::UpdateError;

/// An operation that did not fit. The head is no longer what its source is; what was done instead is said
/// with each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A strict insert met a document, which it then replaced, as on a secondary. Of updates before that say
    /// there is a document, and of what lies below, one or the other makes it certain.
    #[error("a document was inserted where there was one already")]
    Exists,
    /// Strict updates or deletes met no document; nothing was done.
    #[error("{operations} operations found no document to change or delete")]
    Missing {
        /// How many.
        operations: u32,
    },
    /// An update, strict or not, could not be applied. The document stayed as it was.
    #[error("an update could not be applied: {0}")]
    Update(#[from] UpdateError),
    /// Parts of a strict update had no place in the document. The others were applied, as on a secondary.
    #[error("only parts of an update had a place in the document")]
    Parts,
    /// An update, strict or not, would have given the document another `_id`. It stayed as it was.
    #[error("an update would have given the document another _id")]
    OtherId,
    /// An update, strict or not, would have given the document an `_id` that cannot be. It stayed as it was.
    #[error("an update would have broken the _id: {0}")]
    BadId(#[from] KeyError),
}

impl Misfit {
    /// Whether it shows only as long as the update is tried: of a document that was replaced or deleted since,
    /// nothing tells of it. All others stay in what a patch expects.
    #[must_use]
    pub const fn leaves_no_trace(&self) -> bool {
        match self {
            Self::Exists | Self::Missing { .. } => false,
            Self::Update(_) | Self::Parts | Self::OtherId | Self::BadId(_) => true,
        }
    }

    /// How many operations did not fit.
    #[must_use]
    pub const fn operations(&self) -> u32 {
        match self {
            Self::Missing { operations } => *operations,
            Self::Exists | Self::Update(_) | Self::Parts | Self::OtherId | Self::BadId(_) => 1,
        }
    }
}
