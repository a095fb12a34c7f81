//! A pack: a header that says whose it is, and records one after the other.
//!
//! Sessions write packs, repair and garbage collection scan them. A scan never gives up at damage: it looks
//! for the next record whose header checks out, so that one bad byte costs one block.

#![warn(clippy::indexing_slicing)]

use crate::checksum::{checksum, strip};
use crate::error::{Error, Place, Result};
use crate::ids::PackId;
use crate::record::{self, HEADER_LEN, HEADER_LEN_U32, Header};
use crate::superblock::reserved;
use tidemark_base::StoreId;
use tidemark_base::codec::{Put, Reader};
use tidemark_base::limits::{MAX_BLOCK_BYTES, PACK_TARGET_BYTES};

const MAGIC: [u8; 8] = *b"TIDEPACK";
const VERSION: u32 = 1;
/// Length of a pack's header, in bytes: where its first record begins.
pub(crate) const PACK_HEADER_LEN: u32 = 48;

/// The longest pack, in bytes: one record, the largest, may carry it over the length at which it is complete.
pub(crate) const MAX_PACK_BYTES: u64 = PACK_TARGET_BYTES - 1 + (HEADER_LEN + MAX_BLOCK_BYTES) as u64;
/// Most records in a pack: nothing but empty blocks.
pub(crate) const MAX_PACK_RECORDS: u64 = PACK_TARGET_BYTES / HEADER_LEN as u64;

/// The first bytes of a pack.
pub(crate) fn encode_header(store: StoreId, id: PackId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PACK_HEADER_LEN as usize);
    bytes.extend_from_slice(&MAGIC);
    bytes.put_u32(VERSION);
    bytes.put_u32(0);
    bytes.extend_from_slice(store.as_bytes());
    bytes.put_u64(id.0);
    let sum = checksum(&bytes);
    bytes.put_u64(sum);
    bytes
}

/// Checks that a pack is of this store, of this format, and the one its name says.
pub(crate) fn check_header(bytes: &[u8], store: StoreId, id: PackId) -> Result<()> {
    let place = format!("pack {id}");
    let bad = |problem: &str| Error::BadRow { place: place.clone(), problem: problem.into() };
    let header = bytes.get(..PACK_HEADER_LEN as usize).ok_or_else(|| bad("shorter than its header"))?;
    let mut reader = Reader::new(header);
    if reader.array("magic").ok() != Some(MAGIC) || strip(header).is_none() {
        return Err(bad("its header is damaged"));
    }
    let version = reader.u32("version").map_err(|e| bad(&e.to_string()))?;
    if version != VERSION {
        return Err(Error::NewerFormat { path: place.into(), found: version, supported: VERSION });
    }
    let fields = (|| {
        reserved(&mut reader)?;
        Ok::<_, tidemark_base::codec::CodecError>((reader.array("store")?, reader.u64("id")?))
    })();
    let (found, number) = fields.map_err(|e| bad(&e.to_string()))?;
    let found = StoreId::from_bytes(found);
    if found != store {
        return Err(Error::Foreign { path: place.into(), found, expected: store });
    }
    if number != id.0 {
        return Err(bad("it is another pack under this name"));
    }
    Ok(())
}

/// One thing found by a scan.
#[derive(Clone, Debug)]
pub(crate) enum Scanned {
    /// A record whose header is sound; its payload has not been looked at.
    Record { place: Place, header: Header },
    /// A stretch that is no record.
    Damage { offset: u32, len_bytes: u32, problem: String },
}

/// Reads a pack's bytes: `None` beyond its end.
pub(crate) type ReadAt<'a> = dyn Fn(u32, u32) -> Result<Option<Vec<u8>>> + 'a;

/// Walks over the records of a pack up to `len_bytes`.
pub(crate) fn scan(
    id: PackId,
    len_bytes: u64,
    read: &ReadAt<'_>,
    mut each: impl FnMut(Scanned) -> Result<()>,
) -> Result<()> {
    let end = u32::try_from(len_bytes).unwrap_or(u32::MAX);
    let mut offset = PACK_HEADER_LEN;
    while offset < end {
        match read_header(offset, end, read)? {
            Ok(header) => {
                let next = offset + HEADER_LEN_U32 + header.stored_len;
                each(Scanned::Record { place: Place { pack: id, offset }, header })?;
                offset = next;
            }
            Err(problem) => {
                let next = find_header(offset + 1, end, read)?;
                each(Scanned::Damage { offset, len_bytes: next - offset, problem })?;
                offset = next;
            }
        }
    }
    Ok(())
}

/// A sound header at `offset` whose record ends at or before `end`, or why there is none.
fn read_header(offset: u32, end: u32, read: &ReadAt<'_>) -> Result<Result<Header, String>> {
    let left = end - offset;
    if left < HEADER_LEN_U32 {
        return Ok(Err(format!("{left} bytes are too few for a record")));
    }
    let Some(bytes) = read(offset, HEADER_LEN_U32)? else {
        return Ok(Err("the pack ends early".into()));
    };
    Ok(match Header::decode(&bytes) {
        Ok(header) if header.record_len() <= u64::from(left) => Ok(header),
        Ok(_) => Err("the pack ends within the record".into()),
        Err(e) => Err(e.to_string()),
    })
}

/// The next offset from `from` on at which a sound header stands, or `end`.
fn find_header(from: u32, end: u32, read: &ReadAt<'_>) -> Result<u32> {
    const WINDOW: u32 = 1 << 20;
    let magic = record::MAGIC.to_le_bytes();
    let mut start = from;
    while start < end {
        // Windows overlap by three bytes, so that a magic across their border is seen.
        let len = WINDOW.min(end - start);
        let Some(bytes) = read(start, len)? else { return Ok(end) };
        for (window, at) in bytes.windows(magic.len()).zip(start..) {
            if window == magic && read_header(at, end, read)?.is_ok() {
                return Ok(at);
            }
        }
        if len < WINDOW {
            break;
        }
        start += WINDOW - 3;
    }
    Ok(end)
}
