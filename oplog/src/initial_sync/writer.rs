//! Making sync slices of the documents of a scan.
//!
//! Used by the agent, one writer for each scan of a collection. It never ends a batch by itself, since only the
//! agent knows where it may go on from. Pure: bytes in, bytes out.

#![warn(clippy::indexing_slicing)]

use super::error::BatchError;
use super::header::{BatchHeader, BatchId, HEADER_LEN};
use crate::payload::{Packer, narrow};
use tidemark_base::bson::Doc;
use tidemark_base::limits::{MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};
use xxhash_rust::xxh3::xxh3_64;

/// A finished sync slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its header.
    pub header: BatchHeader,
    /// All its bytes, the header's first.
    pub bytes: Vec<u8>,
}

/// Collects documents of one scan, and makes batches of them.
pub struct BatchWriter {
    /// What the batch will be that is being filled.
    next: BatchId,
    documents: u32,
    plain: Vec<u8>,
    packer: Packer,
}

impl std::fmt::Debug for BatchWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchWriter")
            .field("next", &self.next)
            .field("documents", &self.documents)
            .finish_non_exhaustive()
    }
}

impl BatchWriter {
    /// A writer whose first batch is `next`: what the store expects, as the server told it.
    #[must_use]
    pub fn new(next: BatchId) -> Self {
        Self { next, documents: 0, plain: Vec::new(), packer: Packer::new() }
    }

    /// What the batch will be that is being filled.
    #[must_use]
    pub const fn next(&self) -> BatchId {
        self.next
    }

    /// Length of the documents that wait, in bytes.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.plain.len()
    }

    /// Whether no documents wait.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.documents == 0
    }

    /// Takes a document. After an error the writer is as before. A new batch has room for any document.
    ///
    /// # Errors
    /// [`BatchError::Full`] if there is no room.
    pub fn push(&mut self, document: Doc<'_>) -> Result<(), BatchError> {
        let bytes = document.as_bytes();
        let fits = self.plain.len() + bytes.len() <= MAX_SLICE_PLAIN_BYTES;
        if !fits || self.documents as usize >= MAX_SLICE_ENTRIES {
            return Err(BatchError::Full);
        }
        self.plain.extend_from_slice(bytes);
        self.documents += 1;
        Ok(())
    }

    /// Makes a batch of what was collected. `None` if there is nothing.
    pub fn finish(&mut self) -> Option<Batch> {
        if self.is_empty() {
            return None;
        }
        let (codec, payload) = self.packer.pack(&self.plain);
        let mut header = BatchHeader {
            id: self.next,
            documents: self.documents,
            plain_len: narrow(self.plain.len()),
            digest: [0; 32],
            codec,
            payload_len: narrow(payload.len()),
            payload_sum: xxh3_64(payload),
        };
        header.digest = header.digest_of(&self.plain);
        let mut bytes = Vec::with_capacity(HEADER_LEN + payload.len());
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(payload);
        self.plain.clear();
        self.documents = 0;
        self.next.number =
            self.next.number.checked_add(1).expect("no scan has four thousand million batches");
        Some(Batch { header, bytes })
    }
}
