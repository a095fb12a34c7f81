//! Stacks: a base run, patch runs above it, and perhaps patches in memory above those, read as one.
//!
//! Everything that reads documents goes through a [`MergeCursor`]: exports, lookups, compaction. It composes
//! patches of one document from old to new and folds them into the base document, and tells what did not fit.
//! Who goes through all documents has it done part by part on all threads (`scan`).
//! A [`PatchCursor`] composes patch runs alone, without reading the base, so that runs can be merged with each
//! other. Nothing here knows of collections or roots: the catalog says which runs make a stack.

mod bounded;
mod documents;
mod fold;
mod get;
mod nearest;
mod parts;
mod patches;
mod scan;

pub(crate) use bounded::bounded;
pub use documents::MergeCursor;
pub(crate) use documents::Next;
pub(crate) use fold::{cut_out, merge_patches_above, merge_ranges_into_base};
pub use fold::{merge_into_base, merge_patches};
pub use get::get;
pub use patches::PatchCursor;
pub(crate) use scan::{Batch, scan};

use crate::patch::{Misfit, Patch};
use crate::run::Run;

/// Patches in memory, by ascending key.
pub type Top<'a> = &'a [(&'a [u8], &'a Patch<'a>)];

/// Which runs lie on each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack<'a> {
    /// The documents at the bottom.
    pub base: Option<&'a Run>,
    /// What was done to them, oldest first.
    pub patches: &'a [Run],
    /// What was done after that and is in memory still.
    pub top: Top<'a>,
}

/// Is told what did not fit: the key of the document, and what.
pub type Report<'r> = &'r mut dyn FnMut(&[u8], Misfit);

#[cfg(test)]
mod tests;
