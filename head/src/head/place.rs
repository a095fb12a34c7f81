//! What the ref of a head says beside its root: whose it is.

#![warn(clippy::indexing_slicing)]

use crate::counter::counter;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"TIDEHEAD";
const VERSION: u32 = 1;

/// The value of a head's ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// One more with each take-over: whoever claimed the head last works on it, all others are fenced.
    pub epoch: u64,
    /// The number of the next snapshot; none is used twice.
    pub next_snapshot: u64,
}

impl Holder {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        out.put_u32(0);
        out.put_u64(self.epoch);
        out.put_u64(self.next_snapshot);
        out.put_u64(xxh3_64(&out));
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let unknown = |value: u64| CodecProblem::Unknown { value };
        let at = reader.clone();
        if reader.array("magic")? != MAGIC {
            return Err(at.error("magic of a head", unknown(0)));
        }
        let before = reader.clone();
        let version = reader.u32("version")?;
        if version != VERSION {
            return Err(before.error("version of a head", unknown(version.into())));
        }
        let before = reader.clone();
        let reserved = reader.u32("reserved bytes")?;
        if reserved != 0 {
            return Err(before.error("reserved bytes", unknown(reserved.into())));
        }
        let holder = Self {
            epoch: counter(&mut reader, "epoch")?,
            next_snapshot: counter(&mut reader, "next snapshot")?,
        };
        let summed = bytes.get(..reader.offset()).unwrap_or_default();
        let before = reader.clone();
        let sum = reader.u64("checksum")?;
        if sum != xxh3_64(summed) {
            return Err(before.error("checksum of a head", unknown(sum)));
        }
        reader.finish("head")?;
        Ok(holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::limits::MAX_COUNTER;

    #[test]
    fn it_round_trips_and_every_cut_and_flip_is_an_error() {
        let holder = Holder { epoch: 7, next_snapshot: MAX_COUNTER };
        let good = holder.encode();
        assert_eq!(Holder::decode(&good), Ok(holder));
        for len in 0..good.len() {
            assert!(Holder::decode(&good[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Holder::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn counters_behind_which_none_could_come_are_refused() {
        for (epoch, next_snapshot) in [(u64::MAX, 1), (1, u64::MAX), (MAX_COUNTER + 1, 1)] {
            let error = Holder::decode(&Holder { epoch, next_snapshot }.encode()).unwrap_err();
            assert!(matches!(error.problem, CodecProblem::OverLimit { .. }), "{error}");
        }
    }
}
