//! Plain bytes to stored bytes and back: naming, compressing, checking.
//!
//! Pure functions called on many threads at once. Compression contexts are kept per thread: a fresh one per
//! block costs up to 45 % of the throughput (design part 4). Every decoding checks the block's name.

use crate::buffers;
use crate::checksum::checksum;
use crate::error::{Error, Place, Result};
use crate::record::{Codec, Header, Record};
use std::cell::RefCell;
use std::io::Cursor;
use tidemark_base::limits::MAX_BLOCK_BYTES;
use tidemark_base::{BlockId, BlockKind};
use zstd::bulk::{Compressor, Decompressor};

/// The compression level of blocks; 3 is zstd's default and the level all measurements are made with.
pub(crate) const LEVEL: i32 = 3;
/// The level of what is written quickly.
const QUICK_LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A block in its plain form.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// The kind's byte, then the bytes: what the name is the hash of, so that it can be checked in place.
    framed: Vec<u8>,
    kind: BlockKind,
}

impl Block {
    /// Leaf or node.
    #[must_use]
    pub const fn kind(&self) -> BlockKind {
        self.kind
    }

    /// The bytes; for a node, as [`crate::encode_node`] writes them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.framed.get(1..).unwrap_or_default()
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("kind", &self.kind).field("len", &self.bytes().len()).finish()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        buffers::give(std::mem::take(&mut self.framed));
    }
}

/// A block of somebody else's bytes, to be put.
#[derive(Clone, Copy, Debug)]
pub struct BlockRef<'a> {
    /// Leaf or node.
    pub kind: BlockKind,
    /// The bytes; for a node, as [`crate::encode_node`] writes them.
    pub bytes: &'a [u8],
}

impl<'a> BlockRef<'a> {
    /// A leaf of these bytes.
    #[must_use]
    pub const fn leaf(bytes: &'a [u8]) -> Self {
        Self { kind: BlockKind::Leaf, bytes }
    }

    /// A node of these bytes.
    #[must_use]
    pub const fn node(bytes: &'a [u8]) -> Self {
        Self { kind: BlockKind::Node, bytes }
    }

    /// The block's name.
    #[must_use]
    pub fn id(&self) -> BlockId {
        BlockId::of(self.kind, self.bytes)
    }

    /// Checks size and, for a node, its list of children.
    pub(crate) fn check(&self) -> Result<()> {
        if self.bytes.len() > MAX_BLOCK_BYTES {
            return Err(Error::TooLarge { len: self.bytes.len(), limit: MAX_BLOCK_BYTES });
        }
        if self.kind == BlockKind::Node {
            crate::node::Node::decode(self.bytes).map_err(Error::BadNode)?;
        }
        Ok(())
    }
}

/// What is spent on storing a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// It is compressed, as long as that makes it smaller.
    Compress,
    /// The same in about half the time, and some percent larger.
    CompressQuickly,
}

/// Compresses a block whose name is already known and whose size was checked.
pub(crate) fn encode(id: BlockId, block: BlockRef<'_>, effort: Effort) -> Record {
    let narrow = |len: usize| u32::try_from(len).expect("blocks are checked against MAX_BLOCK_BYTES");
    let compressed = match effort {
        Effort::Compress => compress(block.bytes, LEVEL),
        Effort::CompressQuickly => compress(block.bytes, QUICK_LEVEL),
    };
    let (codec, payload) = match compressed {
        Some(payload) => (Codec::Zstd, payload),
        None => (Codec::Raw, block.bytes.to_vec()),
    };
    let header = Header {
        kind: block.kind,
        codec,
        plain_len: narrow(block.bytes.len()),
        stored_len: narrow(payload.len()),
        id,
        payload_sum: checksum(&payload),
    };
    Record { header, payload }
}

/// One zstd frame, or nothing if that would not be smaller.
fn compress(plain: &[u8], level: i32) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor =
            slot.get_or_insert_with(|| Compressor::new(level).expect("a zstd context can be allocated"));
        compressor.set_compression_level(level).ok()?;
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            scratch.reserve(zstd::zstd_safe::compress_bound(plain.len()));
            let len = compressor.compress_to_buffer(plain, scratch).ok()?;
            (len < plain.len()).then(|| scratch.to_vec())
        })
    })
}

/// The block that a payload holds; or why it does not give the block it should.
pub(crate) fn decode_payload(header: &Header, payload: &[u8]) -> Result<Block, String> {
    let plain_len = header.plain_len as usize;
    let mut block = Block { framed: buffers::take(1 + plain_len), kind: header.kind };
    block.framed.push(header.kind.to_byte());
    match header.codec {
        Codec::Raw => block.framed.extend_from_slice(payload),
        Codec::Zstd => DECOMPRESSOR.with_borrow_mut(|slot| {
            let decompressor =
                slot.get_or_insert_with(|| Decompressor::new().expect("a zstd context can be allocated"));
            // The buffer's capacity bounds what a hostile frame can make us write.
            let mut behind_kind = Cursor::new(&mut block.framed);
            behind_kind.set_position(1);
            match decompressor.decompress_to_buffer(payload, &mut behind_kind) {
                Ok(_) => Ok(()),
                Err(e) => Err(format!("does not decompress: {e}")),
            }
        })?,
    }
    if block.bytes().len() != plain_len {
        return Err(format!("{} bytes where its header says {plain_len}", block.bytes().len()));
    }
    if BlockId::of_framed(&block.framed) != header.id {
        return Err("its bytes do not have its name".into());
    }
    Ok(block)
}

/// Reads the record of block `id` from bytes that should hold exactly it, and checks everything.
pub(crate) fn decode(id: BlockId, place: Place, record: &[u8]) -> Result<Block> {
    let damaged = |problem: String| Error::Damaged { id, place, problem };
    let header = Header::decode(record).map_err(|e| damaged(e.to_string()))?;
    if header.id != id {
        return Err(damaged(format!("another block ({}) stands there", header.id)));
    }
    let payload = record.get(crate::record::HEADER_LEN..).unwrap_or_default();
    if payload.len() != header.stored_len as usize {
        return Err(damaged(format!(
            "the index says {} bytes, the header {}",
            payload.len(),
            header.stored_len
        )));
    }
    if checksum(payload) != header.payload_sum {
        return Err(damaged("the payload's checksum is wrong".into()));
    }
    decode_payload(&header, payload).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PackId;
    use proptest::prelude::*;

    const PLACE: Place = Place { pack: PackId(1), offset: 48 };

    fn stored(block: BlockRef<'_>) -> Vec<u8> {
        let record = encode(block.id(), block, Effort::Compress);
        [&record.header.encode()[..], &record.payload].concat()
    }

    #[test]
    fn what_does_not_compress_is_stored_raw() {
        let noise: Vec<u8> = (0..64u32).flat_map(|n| checksum(&n.to_le_bytes()).to_le_bytes()).collect();
        let record = encode(BlockRef::leaf(&noise).id(), BlockRef::leaf(&noise), Effort::Compress);
        assert_eq!(record.header.codec, Codec::Raw);
        let zeros = BlockRef::leaf(&[0; 512]);
        assert_eq!(encode(zeros.id(), zeros, Effort::Compress).header.codec, Codec::Zstd);
    }

    #[test]
    fn an_empty_block_round_trips() {
        let block = BlockRef::leaf(b"");
        let decoded = decode(block.id(), PLACE, &stored(block)).unwrap();
        assert_eq!(decoded.bytes(), b"");
    }

    #[test]
    fn a_frame_that_would_grow_beyond_its_header_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; 1 << 20], 3).unwrap();
        let header = Header {
            kind: BlockKind::Leaf,
            codec: Codec::Zstd,
            plain_len: 1000,
            stored_len: u32::try_from(bomb.len()).unwrap(),
            id: BlockRef::leaf(&[0; 1000]).id(),
            payload_sum: checksum(&bomb),
        };
        assert!(decode_payload(&header, &bomb).is_err());
    }

    proptest! {
        #[test]
        fn blocks_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..5000), repeat in 1usize..4) {
            let bytes = bytes.repeat(repeat);
            let block = BlockRef::leaf(&bytes);
            let decoded = decode(block.id(), PLACE, &stored(block));
            let decoded = decoded.unwrap();
            prop_assert_eq!(decoded.bytes(), bytes);
        }

        #[test]
        fn every_flip_is_found(bytes in proptest::collection::vec(any::<u8>(), 1..300), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let block = BlockRef::leaf(&bytes);
            let mut record = stored(block);
            let at = at.index(record.len());
            record[at] ^= 1 << bit;
            prop_assert!(decode(block.id(), PLACE, &record).is_err());
        }
    }
}
