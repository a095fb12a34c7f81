//! Sync slices: batches of documents that an initial sync copies, compressed and checksummed.
//!
//! The agent fills them with a [`BatchWriter`]; the front-end checks them and keeps them in the sync store; the
//! daemon reads them back with a [`BatchReader`] when it builds the head. A batch says of which sync, which
//! collection and which scan of it it is, and its number there, so that one that is sent twice, late or to the
//! wrong place is known. Of several copies of a document that of the last scan counts, within a scan that of
//! the last batch. Layout: `docs/format.md`. What a document means is not looked at here.

mod error;
mod header;
mod reader;
mod writer;

pub use error::BatchError;
pub use header::{BatchHeader, BatchId, HEADER_LEN};
pub use reader::{BatchReader, Documents};
pub use writer::{Batch, BatchWriter};

#[cfg(test)]
mod tests;
