//! Reading slices that come from outside: from an agent, or back from a store.
//!
//! [`SliceReader::open`] checks everything that can be checked without decompressing; [`SliceReader::decode`]
//! the rest. What decodes is whole: the digest is right, the entries stand in order where the header says,
//! and each can be told apart. Their contents are not looked at. Nothing is allocated by a length that is
//! not within the limits and under a right checksum, and never more than one slice may hold.

#![warn(clippy::indexing_slicing)]

use super::error::SliceError;
use super::header::{Header, follows};
use super::optime::optime;
use crate::EntryError;
use crate::payload::unpack;
use tidemark_base::OpTime;
use tidemark_base::bson::{Doc, split};
use xxhash_rust::xxh3::xxh3_64;

/// A slice whose header and payload are as they were written, not decompressed yet.
#[derive(Clone, Copy, Debug)]
pub struct SliceReader<'a> {
    header: Header,
    payload: &'a [u8],
}

impl<'a> SliceReader<'a> {
    /// Opens bytes that must be exactly one slice.
    ///
    /// # Errors
    /// If the header is damaged, of a newer version or cannot be true, or the payload is not the one it was
    /// written with.
    pub fn open(bytes: &'a [u8]) -> Result<Self, SliceError> {
        let (header, payload) = Header::split(bytes)?;
        let Header { first, last, .. } = header;
        let expected = header.payload_len as usize;
        if payload.len() != expected {
            return Err(SliceError::PayloadLength { first, last, expected, found: payload.len() });
        }
        if xxh3_64(payload) != header.payload_sum {
            return Err(SliceError::Payload { first, last, problem: "the payload's checksum is wrong" });
        }
        Ok(Self { header, payload })
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Decompresses into `plain`, whose contents are replaced, and checks everything. After an error `plain`
    /// is empty.
    ///
    /// # Errors
    /// If it does not decompress to exactly what the header says, the digest is wrong, or an entry is broken
    /// or out of order.
    pub fn decode<'p>(&self, plain: &'p mut Vec<u8>) -> Result<Entries<'p>, SliceError> {
        self.decode_with(plain, |_| {})?;
        Ok(Entries { plain, len: self.header.entries as usize })
    }

    /// The same, and notes where each entry ends in `ends`, whose contents are replaced: whoever goes through the
    /// entries later need not wait for the length of one to find the next.
    ///
    /// # Errors
    /// As [`Self::decode`]; then `ends` is empty, too.
    pub fn decode_split(&self, plain: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<(), SliceError> {
        ends.clear();
        self.decode_with(plain, |end| ends.push(end)).inspect_err(|_| ends.clear())
    }

    fn decode_with(&self, plain: &mut Vec<u8>, ends: impl FnMut(usize)) -> Result<(), SliceError> {
        plain.clear();
        self.fill(plain).and_then(|()| self.check(plain, ends)).inspect_err(|_| plain.clear())
    }

    fn damaged(&self, problem: &'static str) -> SliceError {
        SliceError::Payload { first: self.header.first, last: self.header.last, problem }
    }

    fn fill(&self, plain: &mut Vec<u8>) -> Result<(), SliceError> {
        let len = self.header.plain_len as usize;
        unpack(self.header.codec, self.payload, len, plain).map_err(|problem| self.damaged(problem))
    }

    /// Compares what came out with the header.
    fn check(&self, plain: &[u8], mut ends: impl FnMut(usize)) -> Result<(), SliceError> {
        if self.header.digest_of(plain) != self.header.digest {
            return Err(self.damaged("its digest is wrong"));
        }
        let mut before = self.header.previous.at;
        let (mut count, mut end) = (0, 0);
        for entry in split(plain) {
            let broken = |source: EntryError| SliceError::Entry { index: count, source: Box::new(source) };
            let entry = entry.map_err(|error| broken(EntryError::at(OpTime::NULL, error)))?;
            let at = optime(entry).map_err(broken)?;
            if !follows(at, before) {
                return Err(SliceError::Order { index: count, at, after: before });
            }
            if count == 0 && at != self.header.first {
                return Err(self.damaged("its first entry is not where its header says"));
            }
            end += entry.as_bytes().len();
            ends(end);
            before = at;
            count += 1;
        }
        if count != self.header.entries as usize {
            return Err(self.damaged("it does not hold as many entries as its header says"));
        }
        if before != self.header.last {
            return Err(self.damaged("its last entry is not where its header says"));
        }
        Ok(())
    }
}

/// The entries of a slice that was decoded, borrowed from the buffer it was decoded into.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'p> {
    plain: &'p [u8],
    len: usize,
}

impl<'p> Entries<'p> {
    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Never: a slice holds at least one entry.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// All of them, one behind the other.
    #[must_use]
    pub const fn as_bytes(self) -> &'p [u8] {
        self.plain
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Doc<'p>> {
        split(self.plain).map(|entry| entry.expect("decoding has split the same bytes"))
    }
}
