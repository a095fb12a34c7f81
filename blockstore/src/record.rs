//! A block as it is stored: a 64-byte header that describes and checks itself, and the payload.
//!
//! Written by sessions, read by `get`, verify, rewrite and repair. A record can be understood without any
//! index: that is what repair stands on. Layout in `docs/format.md`. The header's checksum covers the
//! payload's, so that a quick check needs no decompression; the block's name is checked by [`crate::codec`].

#![warn(clippy::indexing_slicing)]

use crate::checksum::checksum;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::limits::MAX_BLOCK_BYTES;
use tidemark_base::{BlockId, BlockKind};

/// Length of a record's header, in bytes.
pub const HEADER_LEN: usize = 64;
/// The same, for arithmetic with offsets in packs.
pub(crate) const HEADER_LEN_U32: u32 = 64;

/// First bytes of every record: `TMBK`.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"TMBK");

/// How a payload is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// The plain bytes.
    Raw = 0,
    /// One zstd frame that states its content size.
    Zstd = 1,
}

/// What a record's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Leaf or node.
    pub kind: BlockKind,
    /// How the payload is encoded.
    pub codec: Codec,
    /// Length of the plain bytes.
    pub plain_len: u32,
    /// Length of the payload.
    pub stored_len: u32,
    /// The block's name.
    pub id: BlockId,
    /// XXH3-64 of the payload.
    pub payload_sum: u64,
}

impl Header {
    /// Length of the whole record, header included, in bytes.
    #[must_use]
    pub fn record_len(&self) -> u64 {
        HEADER_LEN as u64 + u64::from(self.stored_len)
    }

    /// The 64 bytes on disk.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.put_u32(MAGIC);
        bytes.put_u8(self.kind.to_byte());
        bytes.put_u8(self.codec as u8);
        bytes.put_u16(0);
        bytes.put_u32(self.plain_len);
        bytes.put_u32(self.stored_len);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.put_u64(self.payload_sum);
        bytes.put_u64(checksum(&bytes));
        bytes.try_into().expect("the fields above are 64 bytes")
    }

    /// Reads and checks a header.
    ///
    /// # Errors
    /// Wrong magic, checksum, kind, codec, reserved bytes, or lengths over [`MAX_BLOCK_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let whole: [u8; HEADER_LEN] = reader.clone().array("record header")?;
        let unknown =
            |what, value: u64, offset| CodecError { what, offset, problem: CodecProblem::Unknown { value } };
        let magic = reader.u32("record magic")?;
        if magic != MAGIC {
            return Err(unknown("record magic", u64::from(magic), 0));
        }
        if crate::checksum::strip(&whole).is_none() {
            return Err(unknown("record header checksum", 0, HEADER_LEN - 8));
        }
        let kind = reader.u8("block kind")?;
        let kind = BlockKind::from_byte(kind).ok_or_else(|| unknown("block kind", u64::from(kind), 4))?;
        let codec = match reader.u8("block codec")? {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            other => return Err(unknown("block codec", u64::from(other), 5)),
        };
        let reserved = reader.u16("reserved")?;
        if reserved != 0 {
            return Err(unknown("reserved", u64::from(reserved), 6));
        }
        let plain_len = reader.len_u32("plain length", MAX_BLOCK_BYTES)?;
        let stored_len = reader.len_u32("stored length", plain_len)?;
        let id = BlockId::from_bytes(reader.array("block id")?);
        let payload_sum = reader.u64("payload checksum")?;
        if codec == Codec::Raw && stored_len != plain_len {
            return Err(unknown("stored length", stored_len as u64, 12));
        }
        let narrow = |len: usize| u32::try_from(len).expect("checked against MAX_BLOCK_BYTES");
        Ok(Self {
            kind,
            codec,
            plain_len: narrow(plain_len),
            stored_len: narrow(stored_len),
            id,
            payload_sum,
        })
    }
}

/// A block in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The header.
    pub header: Header,
    /// The payload, `header.stored_len` bytes.
    pub payload: Vec<u8>,
}

impl Record {
    /// Reads a record from bytes that hold exactly one, and checks both checksums.
    ///
    /// # Errors
    /// As [`Header::decode`]; a payload of the wrong length or checksum.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let header = Header::decode(bytes)?;
        let payload = bytes.get(HEADER_LEN..).unwrap_or_default();
        header.check_payload(payload)?;
        Ok(Self { header, payload: payload.to_vec() })
    }
}

impl Header {
    /// Checks length and checksum of the payload that belongs to this header.
    ///
    /// # Errors
    /// A payload of the wrong length or checksum.
    pub fn check_payload(&self, payload: &[u8]) -> Result<(), CodecError> {
        if payload.len() != self.stored_len as usize {
            let problem = CodecProblem::Truncated { needed: self.stored_len as usize, left: payload.len() };
            return Err(CodecError { what: "payload", offset: HEADER_LEN, problem });
        }
        let found = checksum(payload);
        if found != self.payload_sum {
            let problem = CodecProblem::Unknown { value: found };
            return Err(CodecError { what: "payload checksum", offset: HEADER_LEN, problem });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        Header {
            kind: BlockKind::Leaf,
            codec: Codec::Zstd,
            plain_len: 1000,
            stored_len: 300,
            id: BlockId::of(BlockKind::Leaf, b"sample"),
            payload_sum: 42,
        }
    }

    #[test]
    fn a_header_round_trips() {
        assert_eq!(Header::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_found() {
        let good = sample().encode();
        for bit in 0..HEADER_LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn impossible_lengths_are_refused_even_with_a_right_checksum() {
        let over = u32::try_from(MAX_BLOCK_BYTES + 1).unwrap();
        for bad in [
            Header { plain_len: over, ..sample() },
            Header { stored_len: 1001, ..sample() },
            Header { codec: Codec::Raw, ..sample() },
        ] {
            assert!(Header::decode(&bad.encode()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_short_header_is_an_error() {
        for len in 0..HEADER_LEN {
            assert!(Header::decode(&sample().encode()[..len]).is_err());
        }
    }
}
