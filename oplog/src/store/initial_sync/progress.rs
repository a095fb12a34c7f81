//! How far the copy of a collection is, as its ref says.

#![warn(clippy::indexing_slicing)]

use super::refs::{check_sum, check_version};
use crate::store::RefProblem;
use tidemark_base::BlockId;
use tidemark_base::codec::{CodecProblem, Put, Reader};
use tidemark_blockstore::{Ref, RefVersion};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"TIDESYCO";
const VERSION: u32 = 1;
const IS_DONE: u32 = 1;
const HAS_RESUME: u32 = 2;

/// Longest name of a node that is kept, in bytes.
pub(super) const MAX_NODE_BYTES: usize = 1024;
/// Longest resume token that is kept, in bytes; a server's has a few hundred.
pub(super) const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Where a scan may be gone on with: on that node only, since record ids differ between members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// The node whose token it is, as the agent names it.
    pub node: String,
    /// The token, as the node gave it.
    pub token: Vec<u8>,
}

/// How far the copy of a collection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The scan that is under way, from 1.
    pub scan: u32,
    /// The batch of it that is expected next, from 0.
    pub next: u32,
    /// Whether the scan has come to its end.
    pub is_done: bool,
    /// Documents in all batches of all scans.
    pub documents: u64,
    /// Their length, in bytes.
    pub bytes: u64,
    /// Where the scan may be gone on with, behind the last batch.
    pub resume: Option<Resume>,
}

impl Progress {
    /// Before the first batch of the first scan.
    pub(super) const BEGIN: Self =
        Self { scan: 1, next: 0, is_done: false, documents: 0, bytes: 0, resume: None };

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        out.put_u32(flag(self.is_done, IS_DONE) | flag(self.resume.is_some(), HAS_RESUME));
        out.put_u32(self.scan);
        out.put_u32(self.next);
        out.put_u64(self.documents);
        out.put_u64(self.bytes);
        if let Some(Resume { node, token }) = &self.resume {
            out.put_prefixed(node.as_bytes());
            out.put_prefixed(token);
        }
        out.put_u64(xxh3_64(&out));
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, RefProblem> {
        let mut reader = Reader::new(bytes);
        if reader.array("magic")? != MAGIC {
            return Err(RefProblem::Other("it does not begin as the progress of a copy"));
        }
        check_version(&mut reader, VERSION)?;
        let before = reader.clone();
        let flags = reader.u32("flags")?;
        if flags & !(IS_DONE | HAS_RESUME) != 0 {
            return Err(before.error("flags", CodecProblem::Unknown { value: flags.into() }).into());
        }
        let before = reader.clone();
        let (scan, next) = (reader.u32("scan")?, reader.u32("next batch")?);
        if scan == 0 {
            return Err(before.error("scan", CodecProblem::Unknown { value: 0 }).into());
        }
        let (documents, bytes_copied) = (reader.u64("documents")?, reader.u64("bytes of documents")?);
        let mut resume = None;
        if flags & HAS_RESUME != 0 {
            let node = reader.text("node", MAX_NODE_BYTES)?.to_owned();
            resume = Some(Resume { node, token: reader.prefixed("resume token", MAX_TOKEN_BYTES)?.to_vec() });
        }
        check_sum(&mut reader, bytes, "progress of a copy")?;
        let is_done = flags & IS_DONE != 0;
        Ok(Self { scan, next, is_done, documents, bytes: bytes_copied, resume })
    }
}

/// Progress as it was found in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) progress: Progress,
    /// The block that describes the collection.
    pub(super) description: BlockId,
    pub(super) version: RefVersion,
}

impl Kept {
    pub(super) fn read(found: &Ref, description: BlockId) -> Result<Self, RefProblem> {
        Ok(Self { progress: Progress::decode(&found.value)?, description, version: found.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_round_trips_and_every_cut_and_flip_is_an_error() {
        let resume = Resume { node: "db1:27017".to_owned(), token: vec![1, 2, 3] };
        for progress in [
            Progress::BEGIN,
            Progress { scan: 2, next: 7, is_done: true, documents: 8, bytes: 9, resume: Some(resume) },
        ] {
            let good = progress.encode();
            assert_eq!(Progress::decode(&good), Ok(progress));
            for len in 0..good.len() {
                assert!(Progress::decode(&good[..len]).is_err(), "cut to {len}");
            }
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(Progress::decode(&bad).is_err(), "bit {bit}");
            }
        }
    }
}
