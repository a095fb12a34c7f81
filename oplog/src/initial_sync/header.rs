//! The header of a sync slice: which it is, and how it is stored.
//!
//! A header that decodes is sound in itself: its checksum is right and its lengths are within the limits.
//! Whether it fits its payload is the reader's concern.

#![warn(clippy::indexing_slicing)]

use super::error::BatchError;
use crate::payload::{Codec, narrow, reserved};
use std::fmt;
use tidemark_base::CollectionUuid;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::limits::{MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};
use xxhash_rust::xxh3::xxh3_64;

/// Length of a header, in bytes.
pub const HEADER_LEN: usize = 112;
/// How much of it the digest is of: all fields that say which the batch is and what it holds.
const LEADING_LEN: usize = 48;
const MAGIC: [u8; 8] = *b"TIDESYNC";
const VERSION: u32 = 1;

/// Which batch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId {
    /// The sync, by its number in the store, from 1.
    pub sync: u32,
    /// The collection.
    pub collection: CollectionUuid,
    /// Which scan of the collection, from 1: a scan that had to be begun again is the next.
    pub scan: u32,
    /// Which batch of the scan, from 0.
    pub number: u32,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sync, collection, scan, number } = self;
        write!(f, "batch {number} of scan {scan} of collection {collection} in sync {sync}")
    }
}

/// The header of a sync slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Which it is.
    pub id: BatchId,
    /// How many documents it holds; at least one.
    pub documents: u32,
    /// Their length, in bytes.
    pub plain_len: u32,
    /// BLAKE3-256 of what it is and of the documents, whatever way they are stored.
    pub digest: [u8; 32],
    pub(super) codec: Codec,
    pub(super) payload_len: u32,
    pub(super) payload_sum: u64,
}

impl BatchHeader {
    /// The digest that the batch must have if these are its documents.
    pub(super) fn digest_of(&self, plain: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.leading_fields());
        // By themselves first: at offset 0 BLAKE3 is at its fastest.
        hasher.update(blake3::hash(plain).as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn leading_fields(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        let BatchId { sync, collection, scan, number } = self.id;
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        out.put_u32(sync);
        out.extend_from_slice(collection.as_bytes());
        for field in [scan, number, self.documents, self.plain_len] {
            out.put_u32(field);
        }
        debug_assert_eq!(out.len(), LEADING_LEN);
        out
    }

    /// The bytes of the header.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.leading_fields();
        out.extend_from_slice(&[self.codec.to_byte(), 0, 0, 0]);
        out.put_u32(self.payload_len);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&self.digest);
        out.put_u64(self.payload_sum);
        out.put_u64(xxh3_64(&out));
        out
    }

    /// Reads exactly one header.
    ///
    /// # Errors
    /// If it is cut short, not of a sync slice, of a newer version, damaged, or cannot be true.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        let (header, rest) = Self::split(bytes)?;
        match rest.len() {
            0 => Ok(header),
            extra => Err(BatchError::Header(CodecError {
                what: "header of a sync slice",
                offset: HEADER_LEN,
                problem: CodecProblem::Trailing { extra },
            })),
        }
    }

    /// Reads the header at the front, and says what follows it.
    pub(super) fn split(bytes: &[u8]) -> Result<(Self, &[u8]), BatchError> {
        let mut reader = Reader::new(bytes);
        if reader.array("magic of a sync slice")? != MAGIC {
            return Err(BatchError::NotABatch);
        }
        // Before the checksum: another version may have it elsewhere.
        let version = reader.u32("version of a sync slice")?;
        if version != VERSION {
            return Err(BatchError::NewerFormat { found: version, supported: VERSION });
        }
        let mut whole = Reader::new(bytes);
        let summed = whole.bytes("header of a sync slice", HEADER_LEN - 8)?;
        if whole.u64("checksum of a sync slice's header")? != xxh3_64(summed) {
            return Err(BatchError::HeaderSum);
        }
        let header = Self::fields(&mut reader)?;
        header.check()?;
        Ok((header, whole.rest()))
    }

    fn fields(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let sync = reader.u32("number of the sync")?;
        let collection = CollectionUuid::from_bytes(reader.array("UUID of the collection")?);
        let id = BatchId {
            sync,
            collection,
            scan: reader.u32("scan")?,
            number: reader.u32("number of the batch")?,
        };
        let documents = narrow(reader.len_u32("number of documents", MAX_SLICE_ENTRIES)?);
        let plain_len = narrow(reader.len_u32("length of the documents", MAX_SLICE_PLAIN_BYTES)?);
        let codec = Codec::read(reader)?;
        reserved(reader, &[0; 3])?;
        let payload_len = narrow(reader.len_u32("length of the payload", MAX_SLICE_PLAIN_BYTES)?);
        reserved(reader, &[0; 8])?;
        let digest = reader.array("digest")?;
        let payload_sum = reader.u64("checksum of the payload")?;
        Ok(Self { id, documents, plain_len, digest, codec, payload_len, payload_sum })
    }

    /// What must hold between the fields.
    const fn check(&self) -> Result<(), BatchError> {
        if self.documents == 0 || self.plain_len == 0 {
            return Err(BatchError::Contradiction("it holds no documents"));
        }
        if self.id.sync == 0 || self.id.scan == 0 {
            return Err(BatchError::Contradiction("syncs and scans are counted from 1"));
        }
        if !self.codec.fits(self.payload_len, self.plain_len) {
            return Err(BatchError::Contradiction("its lengths do not fit its codec"));
        }
        Ok(())
    }
}
