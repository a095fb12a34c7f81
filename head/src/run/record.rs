//! A run: what a stack keeps of it, and the bytes of that in a catalog or a root.

#![warn(clippy::indexing_slicing)]

use super::index::Amount;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::{BlockId, OpTime, Timestamp};

/// What the items of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RunKind {
    /// Whole documents; keys are those of their `_id`.
    Base = 1,
    /// What operations did to documents: encoded patches.
    Patch = 2,
    /// The collections of a head: records with blocks below them.
    Catalog = 3,
}

impl RunKind {
    /// The kind with this byte on disk, if there is one.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Base),
            2 => Some(Self::Patch),
            3 => Some(Self::Catalog),
            _ => None,
        }
    }

    /// The byte on disk.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self as u8
    }
}

/// An immutable sorted sequence of items, named by its top block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What its items are.
    pub kind: RunKind,
    /// The block that reaches all others: a node, or the only leaf.
    pub top: BlockId,
    /// How many items it has; at least one.
    pub items: u64,
    /// Their length as they stand in leaves, in bytes.
    pub plain_bytes: u64,
    /// The first operation in it; for whoever flushes to fill in.
    pub first: Option<OpTime>,
    /// The last operation in it.
    pub last: Option<OpTime>,
}

/// Which of the two optimes are there.
const HAS_FIRST: u8 = 1;
const HAS_LAST: u8 = 2;

impl Run {
    /// Length of the encoded form, in bytes.
    pub const ENCODED_BYTES: usize = 84;

    /// What lies in it, as far as is known of it as a whole.
    pub(super) const fn amount(&self) -> Amount {
        Amount::of(self.items, self.plain_bytes)
    }

    /// Appends the encoded form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |time: Option<OpTime>, flag: u8| if time.is_some() { flag } else { 0 };
        out.put_u8(self.kind.to_byte());
        out.put_u8(flag(self.first, HAS_FIRST) | flag(self.last, HAS_LAST));
        out.put_u16(0);
        out.extend_from_slice(self.top.as_bytes());
        out.put_u64(self.items);
        out.put_u64(self.plain_bytes);
        for time in [self.first, self.last] {
            let time = time.unwrap_or(OpTime { ts: Timestamp::ZERO, term: 0 });
            out.put_u64(time.ts.to_u64());
            out.put_i64(time.term);
        }
    }

    /// Reads the encoded form.
    ///
    /// # Errors
    /// Bytes that are cut short or have no meaning.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let unknown = |value: u64| CodecProblem::Unknown { value };
        let before = reader.clone();
        let kind = reader.u8("kind of run")?;
        let Some(kind) = RunKind::from_byte(kind) else {
            return Err(before.error("kind of run", unknown(kind.into())));
        };
        let before = reader.clone();
        let flags = reader.u8("flags of a run")?;
        if flags & !(HAS_FIRST | HAS_LAST) != 0 || reader.u16("flags of a run")? != 0 {
            return Err(before.error("flags of a run", unknown(flags.into())));
        }
        let top = BlockId::from_bytes(reader.array("top block")?);
        let before = reader.clone();
        let items = reader.u64("items of a run")?;
        if items == 0 {
            return Err(before.error("items of a run", unknown(0)));
        }
        let plain_bytes = reader.u64("bytes of a run")?;
        let mut time = |flag: u8| {
            let before = reader.clone();
            let ts = Timestamp::from_u64(reader.u64("timestamp of a run")?);
            let time = OpTime { ts, term: reader.i64("term of a run")? };
            let is_there = flags & flag != 0;
            if !is_there && time != (OpTime { ts: Timestamp::ZERO, term: 0 }) {
                return Err(before.error("absent optime of a run", unknown(ts.to_u64())));
            }
            Ok(is_there.then_some(time))
        };
        let (first, last) = (time(HAS_FIRST)?, time(HAS_LAST)?);
        Ok(Self { kind, top, items, plain_bytes, first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::BlockKind;

    fn run() -> Run {
        Run {
            kind: RunKind::Patch,
            top: BlockId::of(BlockKind::Leaf, b"top"),
            items: 5,
            plain_bytes: 1 << 40,
            first: Some(OpTime { ts: Timestamp { secs: 9, ordinal: 1 }, term: -1 }),
            last: None,
        }
    }

    fn encoded(run: &Run) -> Vec<u8> {
        let mut bytes = Vec::new();
        run.encode(&mut bytes);
        bytes
    }

    #[test]
    fn it_round_trips_with_and_without_optimes() {
        let times = [None, run().first, Some(OpTime::NULL)];
        for (first, last) in times.iter().flat_map(|a| times.iter().map(move |b| (*a, *b))) {
            for kind in [RunKind::Base, RunKind::Patch, RunKind::Catalog] {
                let run = Run { kind, first, last, ..run() };
                let bytes = encoded(&run);
                assert_eq!(bytes.len(), Run::ENCODED_BYTES);
                let mut reader = Reader::new(&bytes);
                assert_eq!(Run::decode(&mut reader), Ok(run));
                assert!(reader.rest().is_empty());
            }
        }
    }

    #[test]
    fn every_cut_is_an_error_and_every_flip_an_error_or_another_run() {
        let good = encoded(&run());
        for len in 0..good.len() {
            assert!(Run::decode(&mut Reader::new(&good[..len])).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Run::decode(&mut Reader::new(&bad)) {
                assert_eq!(encoded(&other), bad, "bit {bit}");
                assert_ne!(other, run());
            }
        }
    }
}
