//! Slices: stretches of consecutive oplog entries, compressed, checksummed, and chained by their digests.
//!
//! The agent cuts the oplog into slices with a [`SliceWriter`]; the front-end checks them and hands them to
//! the slice store; `head` reads them back with a [`SliceReader`] and applies the entries. A slice names the
//! position and the digest of the one before it, so that two slices either follow each other exactly or show
//! why not ([`crate::chain`]). Layout: `docs/format.md`. Of an entry only its position is looked at here:
//! what it means is [`crate::entry`]'s concern.

mod error;
mod header;
mod link;
mod optime;
mod reader;
mod writer;

pub use error::SliceError;
pub use header::{HEADER_LEN, Header};
pub use link::{Digest, Link};
pub use optime::optime;
pub use reader::{Entries, SliceReader};
pub use writer::{Slice, SliceWriter, TARGET_BYTES};

#[cfg(test)]
mod tests;
