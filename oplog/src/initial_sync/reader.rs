//! Reading sync slices that come from outside: from an agent, or back from a store.
//!
//! [`BatchReader::open`] checks everything that can be checked without decompressing; [`BatchReader::decode`]
//! the rest. What decodes is whole: the digest is right, there are as many documents as the header says, and
//! each is sound BSON to the bottom, so that nobody learns only from a build that a copy cannot be used.

#![warn(clippy::indexing_slicing)]

use super::error::BatchError;
use super::header::BatchHeader;
use crate::payload::unpack;
use tidemark_base::bson::{self, Doc, split};
use xxhash_rust::xxh3::xxh3_64;

/// A sync slice whose header and payload are as they were written, not decompressed yet.
#[derive(Clone, Copy, Debug)]
pub struct BatchReader<'a> {
    header: BatchHeader,
    payload: &'a [u8],
}

impl<'a> BatchReader<'a> {
    /// Opens bytes that must be exactly one sync slice.
    ///
    /// # Errors
    /// If the header is damaged, of a newer version or cannot be true, or the payload is not the one it was
    /// written with.
    pub fn open(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let (header, payload) = BatchHeader::split(bytes)?;
        let (id, expected) = (header.id, header.payload_len as usize);
        if payload.len() != expected {
            return Err(BatchError::PayloadLength { id, expected, found: payload.len() });
        }
        if xxh3_64(payload) != header.payload_sum {
            return Err(BatchError::Payload { id, problem: "the payload's checksum is wrong" });
        }
        Ok(Self { header, payload })
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Decompresses into `plain`, whose contents are replaced, and checks everything. After an error `plain`
    /// is empty.
    ///
    /// # Errors
    /// If it does not decompress to exactly what the header says, the digest is wrong, or a document is broken.
    pub fn decode<'p>(&self, plain: &'p mut Vec<u8>) -> Result<Documents<'p>, BatchError> {
        plain.clear();
        if let Err(error) = self.fill(plain) {
            plain.clear();
            return Err(error);
        }
        Ok(Documents { plain })
    }

    fn fill(&self, plain: &mut Vec<u8>) -> Result<(), BatchError> {
        let BatchHeader { id, codec, plain_len, documents, .. } = self.header;
        let damaged = |problem| BatchError::Payload { id, problem };
        unpack(codec, self.payload, plain_len as usize, plain).map_err(damaged)?;
        if self.header.digest_of(plain) != self.header.digest {
            return Err(damaged("its digest is wrong"));
        }
        let mut count = 0;
        for document in split(plain) {
            let checked = document.and_then(bson::check);
            checked.map_err(|problem| BatchError::Document { id, index: count, problem })?;
            count += 1;
        }
        if count != documents as usize {
            return Err(damaged("it does not hold as many documents as its header says"));
        }
        Ok(())
    }
}

/// The documents of a sync slice that was decoded, borrowed from the buffer it was decoded into.
#[derive(Clone, Copy, Debug)]
pub struct Documents<'p> {
    plain: &'p [u8],
}

impl<'p> Documents<'p> {
    /// All of them, one behind the other.
    #[must_use]
    pub const fn as_bytes(self) -> &'p [u8] {
        self.plain
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Doc<'p>> {
        split(self.plain).map(|document| document.expect("decoding has split the same bytes"))
    }
}
