//! Patches: what the oplog did to one document, composed without reading the document.
//!
//! Patch runs hold one patch for each key; the delta makes them ([`Patch::of`]), compaction composes those of
//! runs that lie on each other, and reading folds them into base documents, all by a [`Folder`]. What can be
//! settled without the document is settled at once: inserted bytes swallow the updates behind them, a delete
//! swallows all. Updates of what is not known wait in a list. However operations are grouped into patches, the
//! document in the end is the one that they make one by one; the composition table stands in
//! `docs/format.md`. No keys, no optimes, no blocks: whoever holds a patch knows where it stands.
//!
//! A strict operation that does not fit is a [`Misfit`], and is reported as soon as it is certain: against
//! operations in the same patch when that is made, against what lies below (that is what [`Expects`] is for)
//! when it is folded.

#![warn(clippy::indexing_slicing)]

mod codec;
mod compose;
mod fold;
mod misfit;
mod of;
mod updates;

use std::borrow::Cow;

pub(crate) use codec::only_appends;
pub use fold::{Folder, Outcome};
pub use misfit::Misfit;
pub(crate) use of::encode_of;
pub use updates::{Fit, Pending, Updates};

/// What happened to one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch<'a> {
    /// [`Expects::Absent`] never stands with [`Then::Updates`].
    expects: Expects,
    then: Then<'a>,
}

/// What the strict operations in a patch say about what lies below. Updates that wait are not among them:
/// each of those says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expects {
    /// Nothing.
    Any,
    /// There is no document: one was inserted.
    Absent,
    /// There is a document: that many operations, at least one, changed or deleted it.
    Present {
        /// How many.
        operations: u32,
    },
}

/// What comes of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then<'a> {
    /// These bytes: one BSON document by length and terminator.
    Document(Cow<'a, [u8]>),
    /// It is gone. Stays even if it was inserted in the same patch, since that does not say that it was new.
    Gone,
    /// The document below, if there is one, updated.
    Updates(Updates<'a>),
}

/// How much of a patch waits for the document below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Updates in the list.
    pub updates: u32,
    /// Their bytes.
    pub bytes: usize,
}

impl Waiting {
    /// Most that waits in one patch of a run. Of a document that is changed over and over, more is folded when
    /// runs are written: so what a stack of a few dozen runs says of one document fits into memory, and is
    /// folded in a bearable time. It counts for writers; a reader takes what it finds.
    pub const MOST: Self = Self { updates: 1024, bytes: 1 << 20 };

    /// Whether either is more than it may be.
    #[must_use]
    pub const fn is_over(self, most: Self) -> bool {
        self.updates > most.updates || self.bytes > most.bytes
    }
}

impl<'a> Patch<'a> {
    /// The patch that changes nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { expects: Expects::Any, then: Then::Updates(Updates::none()) }
    }

    /// Whether it changes and says nothing, and so need not be kept.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.expects == Expects::Any && matches!(&self.then, Then::Updates(updates) if updates.is_empty())
    }

    /// What it says about what lies below.
    #[must_use]
    pub const fn expects(&self) -> Expects {
        self.expects
    }

    /// What comes of the document.
    #[must_use]
    pub const fn then(&self) -> &Then<'a> {
        &self.then
    }

    /// How much of it waits for the document below: who flushes or compacts decides by it when to fold.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        match &self.then {
            Then::Document(_) | Then::Gone => Waiting::default(),
            Then::Updates(updates) => Waiting { updates: updates.len(), bytes: updates.as_bytes().len() },
        }
    }

    /// The same, borrowing its bytes.
    pub(crate) fn borrowed(&self) -> Patch<'_> {
        let then = match &self.then {
            Then::Document(bytes) => Then::Document(Cow::Borrowed(bytes)),
            Then::Gone => Then::Gone,
            Then::Updates(updates) => Then::Updates(updates.borrowed()),
        };
        Patch { expects: self.expects, then }
    }

    /// How much memory its own bytes take, with what they were given and do not use.
    pub(crate) fn held_bytes(&self) -> usize {
        match &self.then {
            Then::Document(Cow::Owned(bytes)) => bytes.capacity(),
            Then::Document(Cow::Borrowed(_)) | Then::Gone => 0,
            Then::Updates(updates) => updates.held_bytes(),
        }
    }

    /// The same, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Patch<'static> {
        let then = match self.then {
            Then::Document(bytes) => Then::Document(Cow::Owned(bytes.into_owned())),
            Then::Gone => Then::Gone,
            Then::Updates(updates) => Then::Updates(updates.into_owned()),
        };
        Patch { expects: self.expects, then }
    }
}

impl Expects {
    /// What `operations` say that changed or deleted a document: perhaps none.
    const fn present(operations: u32) -> Self {
        match operations {
            0 => Self::Any,
            operations => Self::Present { operations },
        }
    }

    /// How many operations say that there is a document.
    const fn operations(self) -> u32 {
        match self {
            Self::Any | Self::Absent => 0,
            Self::Present { operations } => operations,
        }
    }
}

#[cfg(test)]
mod tests;
