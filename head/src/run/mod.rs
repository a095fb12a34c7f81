//! Runs: immutable sorted sequences of items in the blockstore, named by their top block.
//!
//! Everything a head keeps is in runs: documents (base runs), what operations did to them (patch runs), and the
//! catalog. Written by [`RunWriter`], read by [`RunReader`] and [`RunCursor`]; what is kept of one is a
//! [`Run`]. Leaves are cut by the keys, so that runs which differ little share nearly all their blocks. The
//! bytes are laid down in `docs/format.md`, "Runs". Knows of documents only where their keys are, and of
//! patches only where a document begins in one; how they combine is [`crate::stack`]'s.

pub(crate) mod base;
mod batch;
mod cache;
mod cursor;
mod cut;
mod difference;
mod error;
mod form;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod held;
mod index;
mod large;
mod leaf;
mod levels;
mod open_leaf;
mod outline;
mod path;
mod places;
mod putting;
mod range;
mod reader;
mod record;
mod separator;
mod source;
mod splice;
mod steps;
pub(crate) mod varint;
mod writer;

pub use cache::Cache;
pub(crate) use cursor::Stretch;
pub use cursor::{Entry, RunCursor};
pub(crate) use difference::bytes_not_in;
pub use error::{Problem, Result, RunError};
pub(crate) use outline::{Outline, Part as OutlinePart, ends, items};
pub use range::KeyRange;
pub use reader::{Item, RunReader};
pub use record::{Run, RunKind};
pub use source::{Cached, Source};
pub(crate) use splice::splice;
pub(crate) use steps::{Step, Steps};
pub use writer::RunWriter;

#[cfg(test)]
mod tests;
