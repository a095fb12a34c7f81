//! Dumps in the formats of mongodump: directories and archives, plain or gzipped, written and read.
//!
//! Called by export and import, which know heads; here are only formats. [`plan`] says which collections make
//! up a dump and under which names; a [`Sink`] writes them, a [`Source`] reads them, both with one shape for
//! directories and archives. Documents pass through as slices of whole documents and are never looked into.
//!
//! What holds: the same parts and documents give the same bytes. Input is hostile: names are checked, lengths
//! bounded, checksums verified, symlinks never followed, and what is wrong is an error that names the place.
//! Deliberately not here: writing an oplog (an export is one state, so nothing has to be replayed on it), and
//! making files durable: who needs that syncs the folder.
//!
//! Where the format comes from: MongoDB's documentation of mongodump, its tools' published source, and what
//! mongodump and mongorestore 100.8.0 were seen to do.

#![warn(clippy::indexing_slicing)]

pub mod extjson;
pub mod limits;
pub mod metadata;
pub mod names;
pub mod plan;

mod archive;
mod error;
mod folder;
mod part;
mod prelude;
mod read;
mod sum;
mod write;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use archive::checksum;
pub use error::{DumpError, Problem};
pub use part::{Kind, Namespace, Part, Versions};
pub use read::{ArchiveReader, DirectoryReader, Item, Source};
pub use sum::Sum;
pub use write::{ArchiveWriter, Compression, DirectoryWriter, Sink, Target, Walked};
