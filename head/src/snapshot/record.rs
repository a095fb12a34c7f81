//! What the ref of a snapshot says beside its root.

#![warn(clippy::indexing_slicing)]

use crate::divergences::Diverged;
use crate::root::{diverged, optime, put_diverged, put_optime};
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::{BlockId, OpTime, UnixMillis};
use tidemark_blockstore::RefVersion;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"TIDESNAP";
const VERSION: u32 = 1;
const IS_PROVEN: u32 = 1;
const IS_DEAD_BRANCH: u32 = 2;
const IS_DAMAGED: u32 = 4;

/// A root that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The root.
    pub root: BlockId,
    /// The publish that set the ref.
    pub version: RefVersion,
    /// The moment whose state it is.
    pub at: OpTime,
    /// When it was taken; for people.
    pub taken: UnixMillis,
    /// How long that took, in milliseconds, up to the moment before its ref was set; for people.
    pub took_ms: u64,
    /// The head went back to before it: the source may never have had this state.
    pub is_dead_branch: bool,
    /// The last proof failed: a part of it could not be read.
    pub is_damaged: bool,
    /// How many collections it has.
    pub collections: u64,
    /// Plain bytes of all its runs.
    pub run_bytes: u64,
    /// Of those, the bytes in blocks that the snapshot before does not have.
    pub new_run_bytes: u64,
    /// What was found not to fit before it was taken, since the head was built.
    pub diverged: Diverged,
    /// What reading all of it has shown; none while it is only stored.
    pub proven: Option<Proven>,
}

/// What a pass over a whole snapshot counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// Documents.
    pub documents: u64,
    /// Their length, in bytes.
    pub document_bytes: u64,
    /// Operations that this pass found not to fit. Those found before are not among them: [`Snapshot::diverged`].
    pub divergences: u64,
}

impl Snapshot {
    /// Whether the head may go on from it, or a restore of a second begin at it: it is on the head's branch, and nobody has
    /// found damage in it.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        !self.is_dead_branch && !self.is_damaged
    }

    /// Whether it is proven to be a state that its source had: nothing did not fit, now or before.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.proven.is_some() && self.known_divergences() == 0
    }

    /// All that is known not to fit.
    #[must_use]
    pub fn known_divergences(&self) -> u64 {
        self.diverged.operations.saturating_add(self.proven.map_or(0, |proven| proven.divergences))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        let flags = [
            (self.proven.is_some(), IS_PROVEN),
            (self.is_dead_branch, IS_DEAD_BRANCH),
            (self.is_damaged, IS_DAMAGED),
        ];
        out.put_u32(flags.iter().filter(|(is, _)| *is).map(|(_, flag)| flag).sum());
        put_optime(self.at, &mut out);
        out.put_u64(self.taken.0);
        out.put_u64(self.took_ms);
        put_diverged(self.diverged, &mut out);
        let Proven { documents, document_bytes, divergences } = self.proven.unwrap_or_default();
        for number in
            [self.collections, self.run_bytes, self.new_run_bytes, documents, document_bytes, divergences]
        {
            out.put_u64(number);
        }
        out.put_u64(xxh3_64(&out));
        out
    }

    pub(super) fn decode(bytes: &[u8], root: BlockId, version: RefVersion) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let unknown = |value: u64| CodecProblem::Unknown { value };
        let start = reader.clone();
        if reader.array("magic")? != MAGIC {
            return Err(start.error("magic of a snapshot", unknown(0)));
        }
        let before = reader.clone();
        let format = reader.u32("version")?;
        if format != VERSION {
            return Err(before.error("version of a snapshot", unknown(format.into())));
        }
        let before = reader.clone();
        let flags = reader.u32("flags")?;
        let has = |flag: u32| flags & flag != 0;
        // Nobody writes one that is proven and damaged.
        if has(!(IS_PROVEN | IS_DEAD_BRANCH | IS_DAMAGED)) || has(IS_PROVEN) && has(IS_DAMAGED) {
            return Err(before.error("flags of a snapshot", unknown(flags.into())));
        }
        let at = optime(&mut reader)?;
        let taken = UnixMillis(reader.u64("time")?);
        let took_ms = reader.u64("duration")?;
        let diverged = diverged(&mut reader)?;
        let [collections, run_bytes, new_run_bytes] =
            [reader.u64("collections")?, reader.u64("bytes of runs")?, reader.u64("bytes of new runs")?];
        let proven = Proven {
            documents: reader.u64("documents")?,
            document_bytes: reader.u64("bytes of documents")?,
            divergences: reader.u64("divergences")?,
        };
        let summed = bytes.get(..reader.offset()).unwrap_or_default();
        let before = reader.clone();
        let sum = reader.u64("checksum")?;
        if sum != xxh3_64(summed) {
            return Err(before.error("checksum of a snapshot", unknown(sum)));
        }
        reader.finish("snapshot")?;
        Ok(Self {
            root,
            version,
            at,
            taken,
            took_ms,
            is_dead_branch: has(IS_DEAD_BRANCH),
            is_damaged: has(IS_DAMAGED),
            collections,
            run_bytes,
            new_run_bytes,
            diverged,
            proven: has(IS_PROVEN).then_some(proven),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::BlockKind;

    #[test]
    fn it_round_trips_and_every_cut_and_flip_is_an_error() {
        let (root, version) = (BlockId::of(BlockKind::Node, b"root"), RefVersion(3));
        let proven = Some(Proven { documents: 1, document_bytes: 2, divergences: 3 });
        let snapshot = Snapshot {
            root,
            version,
            at: OpTime::NULL,
            taken: UnixMillis(5),
            took_ms: 11,
            is_dead_branch: true,
            is_damaged: false,
            collections: 6,
            run_bytes: 7,
            new_run_bytes: 8,
            diverged: Diverged { operations: 9, first: OpTime::NULL },
            proven,
        };
        let stored = Snapshot {
            is_dead_branch: false,
            is_damaged: true,
            diverged: Diverged::NONE,
            proven: None,
            ..snapshot
        };
        assert_eq!(Snapshot::decode(&stored.encode(), root, version), Ok(stored));
        let good = snapshot.encode();
        assert_eq!(Snapshot::decode(&good, root, version), Ok(snapshot.clone()));
        let both = Snapshot { is_damaged: true, ..snapshot };
        assert!(Snapshot::decode(&both.encode(), root, version).is_err(), "proven and damaged");
        for len in 0..good.len() {
            assert!(Snapshot::decode(&good[..len], root, version).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Snapshot::decode(&bad, root, version).is_err(), "bit {bit}");
        }
    }
}
