//! Until when the newest snapshot stands for the head: since it was taken nothing came but no-ops.
//!
//! Noted by the head that would have taken another ([`crate::head::Head::snapshot_if_changed`]), read by whoever shows
//! how old a backup is, and by retention. A note of another snapshot than the newest says nothing any more.

#![warn(clippy::indexing_slicing)]

use crate::counter::counter;
use crate::error::{HeadError, Result};
use crate::head::HeadName;
use crate::root::{optime, put_optime};
use tidemark_base::OpTime;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_blockstore::{Expect, NewRef, RefChange, Store};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"TIDECOVR";
const VERSION: u32 = 1;

/// The snapshot that stands for the head, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The snapshot's number.
    pub snapshot: u64,
    /// The last entry of which it is still the state.
    pub until: OpTime,
}

/// What was noted, if anything was.
///
/// # Errors
/// [`HeadError::BadRef`]; failures of the store.
pub fn covered(store: &Store, name: &HeadName) -> Result<Option<Covered>> {
    let full = name.covered();
    let Some(found) = store.get_ref(&full)? else { return Ok(None) };
    let decoded = Covered::decode(&found.value);
    decoded.map(Some).map_err(|problem| HeadError::BadRef { name: full, problem })
}

/// The change that notes it, for a publish with that of the head.
pub(crate) fn covering(store: &Store, name: &HeadName, covered: Covered) -> Result<RefChange> {
    let found = store.get_ref(&name.covered())?;
    let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
    let set = Some(NewRef { roots: Vec::new(), value: covered.encode() });
    Ok(RefChange { name: name.covered(), expect, set })
}

/// The change that forgets what was noted: the head goes elsewhere.
pub(crate) fn uncover(store: &Store, name: &HeadName) -> Result<Option<RefChange>> {
    let found = store.get_ref(&name.covered())?;
    let expect = found.map(|found| Expect::Version(found.version));
    Ok(expect.map(|expect| RefChange { name: name.covered(), expect, set: None }))
}

impl Covered {
    fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        out.put_u32(0);
        out.put_u64(self.snapshot);
        put_optime(self.until, &mut out);
        out.put_u64(xxh3_64(&out));
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let unknown = |value: u64| CodecProblem::Unknown { value };
        let start = reader.clone();
        if reader.array("magic")? != MAGIC {
            return Err(start.error("magic of a note of what a snapshot covers", unknown(0)));
        }
        let before = reader.clone();
        let version = reader.u32("version")?;
        if version != VERSION {
            return Err(before.error("version of what a snapshot covers", unknown(version.into())));
        }
        let before = reader.clone();
        let reserved = reader.u32("reserved bytes")?;
        if reserved != 0 {
            return Err(before.error("reserved bytes", unknown(reserved.into())));
        }
        let covered = Self { snapshot: counter(&mut reader, "snapshot")?, until: optime(&mut reader)? };
        let summed = bytes.get(..reader.offset()).unwrap_or_default();
        let before = reader.clone();
        let sum = reader.u64("checksum")?;
        if sum != xxh3_64(summed) {
            return Err(before.error("checksum of what a snapshot covers", unknown(sum)));
        }
        reader.finish("what a snapshot covers")?;
        Ok(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::Timestamp;

    #[test]
    fn it_round_trips_and_every_cut_and_flip_is_an_error() {
        let until = OpTime { ts: Timestamp { secs: 7, ordinal: 2 }, term: 3 };
        let covered = Covered { snapshot: 5, until };
        let good = covered.encode();
        assert_eq!(Covered::decode(&good), Ok(covered));
        for len in 0..good.len() {
            assert!(Covered::decode(&good[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Covered::decode(&bad).is_err(), "bit {bit}");
        }
    }
}
