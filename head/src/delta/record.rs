//! A patch with its key as bytes in an arena.
//!
//! Eight bytes say how long the parts are; the key, the head and the payload of the patch follow, as in an item of
//! a run. What is too long for an arena lies beside it, and its record has only its number. Written and read by
//! the shard alone, in memory: no bytes from outside come here.

use super::arena::MAX_RECORD_BYTES;
use crate::patch::Patch;
use tidemark_base::codec::Reader;

/// Length of what stands before the key, in bytes.
pub(super) const LENGTHS_BYTES: usize = 8;

/// A record, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Record<'a> {
    /// It is all here.
    Small { key: &'a [u8], head: &'a [u8], payload: &'a [u8] },
    /// It lies beside the arena, with this number.
    Large { number: u32 },
}

/// The lengths of a record's parts, as bytes; none if it must lie beside the arena.
pub(super) fn lengths(key: &[u8], head: &[u8], payload: &[u8]) -> Option<[u8; LENGTHS_BYTES]> {
    lengths_of(key.len(), head.len(), payload.len())
}

/// The same for parts of these lengths.
pub(super) fn lengths_of(key: usize, head: usize, payload: usize) -> Option<[u8; LENGTHS_BYTES]> {
    if LENGTHS_BYTES + key + head + payload > MAX_RECORD_BYTES {
        return None;
    }
    let short = |len: usize| u16::try_from(len).ok().map(u16::to_le_bytes);
    let ([a, b], [c, d], [e, f]) = (short(key)?, short(head)?, short(payload)?);
    Some([a, b, c, d, e, f, 0, 0])
}

/// The record that stands for one beside the arena.
pub(super) const fn of_large(number: u32) -> [u8; LENGTHS_BYTES] {
    let [a, b, c, d] = number.to_le_bytes();
    [a, b, c, d, 0, 0, 1, 0]
}

impl<'a> Record<'a> {
    /// Reads the record at the beginning of these bytes.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        Self::try_read(bytes).expect("records are read where they were written")
    }

    #[inline]
    fn try_read(bytes: &'a [u8]) -> Option<Self> {
        let ([a, b, c, d, e, f, is_large, _], parts) = bytes.split_first_chunk::<LENGTHS_BYTES>()?;
        if *is_large != 0 {
            return Some(Self::Large { number: u32::from_le_bytes([*a, *b, *c, *d]) });
        }
        let len = |low: &u8, high: &u8| usize::from(u16::from_le_bytes([*low, *high]));
        let (key, parts) = parts.split_at_checked(len(a, b))?;
        let (head, parts) = parts.split_at_checked(len(c, d))?;
        Some(Self::Small { key, head, payload: parts.get(..len(e, f))? })
    }

    /// Key and patch, if it is all here.
    pub(super) fn small(self) -> Option<(&'a [u8], Patch<'a>)> {
        match self {
            Self::Small { key, head, payload } => Some((key, patch(head, payload))),
            Self::Large { .. } => None,
        }
    }

    /// How long it is, in bytes.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Small { key, head, payload } => LENGTHS_BYTES + key.len() + head.len() + payload.len(),
            Self::Large { .. } => LENGTHS_BYTES,
        }
    }
}

/// The patch of a small record.
pub(super) fn patch<'a>(head: &[u8], payload: &'a [u8]) -> Patch<'a> {
    Patch::decode(&mut Reader::new(head), payload).expect("it was encoded from a patch")
}
