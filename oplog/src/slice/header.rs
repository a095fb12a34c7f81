//! The header of a slice: where it stands in the log, what it follows, and how it is stored.
//!
//! Written by the writer and read by everything that has to do with slices; the slice store keeps a copy in
//! the slice's ref, so that chains are judged without reading blocks. A header that decodes is sound in
//! itself: its checksum is right, its lengths are within the limits, its positions in order. Whether it fits
//! its payload is the reader's concern.

#![warn(clippy::indexing_slicing)]

use super::error::SliceError;
use super::link::{Digest, Link};
use crate::payload::{Codec, narrow, reserved};
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::limits::{MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};
use tidemark_base::{OpTime, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

/// Length of a header, in bytes.
pub const HEADER_LEN: usize = 160;
/// How much of it the digest is of: all fields that say what the slice holds and follows.
const LEADING_LEN: usize = 100;
const MAGIC: [u8; 8] = *b"TIDESLIC";
const VERSION: u32 = 1;

/// The header of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it follows.
    pub previous: Link,
    /// Its first entry.
    pub first: OpTime,
    /// Its last entry.
    pub last: OpTime,
    /// How many entries it holds; at least one.
    pub entries: u32,
    /// Their length, in bytes.
    pub plain_len: u32,
    /// Its digest.
    pub digest: Digest,
    pub(super) codec: Codec,
    pub(super) payload_len: u32,
    pub(super) payload_sum: u64,
}

impl Header {
    /// What the next slice follows.
    #[must_use]
    pub const fn end(&self) -> Link {
        Link { at: self.last, digest: self.digest }
    }

    /// The digest that the slice must have if these are its entries.
    pub(super) fn digest_of(&self, plain: &[u8]) -> Digest {
        Digest::of(&self.leading_fields(), plain)
    }

    fn leading_fields(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        out.put_u32(self.entries);
        for position in [self.previous.at, self.first, self.last] {
            out.put_u64(position.ts.to_u64());
            out.put_i64(position.term);
        }
        out.extend_from_slice(&self.previous.digest.0);
        out.put_u32(self.plain_len);
        debug_assert_eq!(out.len(), LEADING_LEN);
        out
    }

    /// The bytes of the header.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.leading_fields();
        out.extend_from_slice(&[self.codec.to_byte(), 0, 0, 0]);
        out.put_u32(self.payload_len);
        out.put_u32(0);
        out.extend_from_slice(&self.digest.0);
        out.put_u64(self.payload_sum);
        out.put_u64(xxh3_64(&out));
        out
    }

    /// Reads exactly one header.
    ///
    /// # Errors
    /// If it is cut short, not of a slice, of a newer version, damaged, or cannot be true.
    pub fn decode(bytes: &[u8]) -> Result<Self, SliceError> {
        let (header, rest) = Self::split(bytes)?;
        match rest.len() {
            0 => Ok(header),
            extra => Err(SliceError::Header(CodecError {
                what: "slice header",
                offset: HEADER_LEN,
                problem: CodecProblem::Trailing { extra },
            })),
        }
    }

    /// Reads the header at the front, and says what follows it.
    pub(super) fn split(bytes: &[u8]) -> Result<(Self, &[u8]), SliceError> {
        let mut reader = Reader::new(bytes);
        if reader.array("slice magic")? != MAGIC {
            return Err(SliceError::NotASlice);
        }
        // Before the checksum: another version may have it elsewhere.
        let version = reader.u32("slice version")?;
        if version != VERSION {
            return Err(SliceError::NewerFormat { found: version, supported: VERSION });
        }
        let mut whole = Reader::new(bytes);
        let summed = whole.bytes("slice header", HEADER_LEN - 8)?;
        if whole.u64("slice header checksum")? != xxh3_64(summed) {
            return Err(SliceError::HeaderSum);
        }
        let header = Self::fields(&mut reader)?;
        header.check()?;
        Ok((header, whole.rest()))
    }

    fn fields(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let entries = narrow(reader.len_u32("number of entries", MAX_SLICE_ENTRIES)?);
        let (previous, first, last) = (position(reader)?, position(reader)?, position(reader)?);
        let previous = Link { at: previous, digest: Digest(reader.array("digest before")?) };
        let plain_len = narrow(reader.len_u32("length of the entries", MAX_SLICE_PLAIN_BYTES)?);
        let codec = Codec::read(reader)?;
        reserved(reader, &[0; 3])?;
        let payload_len = narrow(reader.len_u32("length of the payload", MAX_SLICE_PLAIN_BYTES)?);
        reserved(reader, &[0; 4])?;
        let digest = Digest(reader.array("digest")?);
        let payload_sum = reader.u64("checksum of the payload")?;
        Ok(Self { previous, first, last, entries, plain_len, digest, codec, payload_len, payload_sum })
    }

    /// What must hold between the fields.
    fn check(&self) -> Result<(), SliceError> {
        let wrong = |what| Err(SliceError::Contradiction(what));
        if self.entries == 0 || self.plain_len == 0 {
            return wrong("it holds no entries");
        }
        if !follows(self.first, self.previous.at) {
            return wrong("its first entry does not come after the one before it");
        }
        if self.entries == 1 && self.first != self.last {
            return wrong("one entry stands at two positions");
        }
        if self.entries > 1 && !follows(self.last, self.first) {
            return wrong("its last entry does not come after its first");
        }
        if !self.codec.fits(self.payload_len, self.plain_len) {
            return wrong("its lengths do not fit its codec");
        }
        Ok(())
    }
}

/// Whether an entry at `at` can come after one at `before` in one history: timestamps grow strictly, terms
/// never fall.
pub(crate) fn follows(at: OpTime, before: OpTime) -> bool {
    at.ts > before.ts && at.term >= before.term
}

fn position(reader: &mut Reader<'_>) -> Result<OpTime, CodecError> {
    Ok(OpTime { ts: Timestamp::from_u64(reader.u64("timestamp")?), term: reader.i64("term")? })
}
