//! Cutting the oplog into slices.
//!
//! Used by the agent, one writer for each tailed oplog. It takes entries in their order, refuses those that
//! break it, and says when the slice is long enough; it never cuts by itself, since only the agent knows how
//! long an entry may wait. Pure: bytes in, bytes out.

#![warn(clippy::indexing_slicing)]

use super::error::SliceError;
use super::header::{HEADER_LEN, Header, follows};
use super::link::{Digest, Link};
use super::optime::optime;
use crate::payload::{Packer, narrow};
use tidemark_base::OpTime;
use tidemark_base::bson::Doc;
use tidemark_base::limits::{MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};
use xxhash_rust::xxh3::xxh3_64;

/// A slice with this many bytes of entries is worth finishing: long enough that its overhead is nothing,
/// short enough to be checked, stored and applied in a fraction of a second.
pub const TARGET_BYTES: usize = 8 << 20;

/// A finished slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Its header.
    pub header: Header,
    /// All its bytes, the header's first.
    pub bytes: Vec<u8>,
}

/// Collects entries and makes slices of them, one after the other.
pub struct SliceWriter {
    previous: Link,
    first: Option<OpTime>,
    last: OpTime,
    entries: u32,
    plain: Vec<u8>,
    packer: Packer,
}

impl std::fmt::Debug for SliceWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SliceWriter")
            .field("previous", &self.previous)
            .field("last", &self.last)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl SliceWriter {
    /// A writer whose first slice follows `after`: the tip of the chain, as the server told it.
    #[must_use]
    pub fn new(after: Link) -> Self {
        Self {
            previous: after,
            first: None,
            last: after.at,
            entries: 0,
            plain: Vec::new(),
            packer: Packer::new(),
        }
    }

    /// Drops what was collected and goes on after `after`: when the server's tip is another than thought.
    pub fn reset(&mut self, after: Link) {
        self.previous = after;
        self.first = None;
        self.last = after.at;
        self.entries = 0;
        self.plain.clear();
    }

    /// The last entry taken, or what the writer began after.
    #[must_use]
    pub const fn last(&self) -> OpTime {
        self.last
    }

    /// Whether nothing was collected.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether the slice is long enough to be finished.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.plain.len() >= TARGET_BYTES || self.entries as usize >= MAX_SLICE_ENTRIES
    }

    /// Whether the slice has room for this entry. A new slice has room for any.
    #[must_use]
    pub const fn would_fit(&self, entry: Doc<'_>) -> bool {
        self.plain.len() + entry.as_bytes().len() <= MAX_SLICE_PLAIN_BYTES
            && (self.entries as usize) < MAX_SLICE_ENTRIES
    }

    /// Takes the next entry. After an error the writer is as before.
    ///
    /// # Errors
    /// [`SliceError::Full`] if there is no room, [`SliceError::Entry`] if the entry is broken or has no
    /// position, [`SliceError::Order`] if it does not come after the last.
    pub fn push(&mut self, entry: Doc<'_>) -> Result<(), SliceError> {
        if !self.would_fit(entry) {
            return Err(SliceError::Full);
        }
        let index = self.entries as usize;
        let at = optime(entry).map_err(|source| SliceError::Entry { index, source: Box::new(source) })?;
        if !follows(at, self.last) {
            return Err(SliceError::Order { index, at, after: self.last });
        }
        self.plain.extend_from_slice(entry.as_bytes());
        self.first.get_or_insert(at);
        self.last = at;
        self.entries += 1;
        Ok(())
    }

    /// Makes a slice of what was collected; the next one follows it. `None` if there is nothing.
    pub fn finish(&mut self) -> Option<Slice> {
        let first = self.first?;
        let (codec, payload) = self.packer.pack(&self.plain);
        let mut header = Header {
            previous: self.previous,
            first,
            last: self.last,
            entries: self.entries,
            plain_len: narrow(self.plain.len()),
            digest: Digest::NONE,
            codec,
            payload_len: narrow(payload.len()),
            payload_sum: xxh3_64(payload),
        };
        header.digest = header.digest_of(&self.plain);
        let mut bytes = Vec::with_capacity(HEADER_LEN + payload.len());
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(payload);
        self.reset(header.end());
        Some(Slice { header, bytes })
    }
}
