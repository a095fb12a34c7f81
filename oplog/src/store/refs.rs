//! The refs of the slice store: their names, their values, and reading them.
//!
//! `<prefix>/oplog/tip` holds the tip; `<prefix>/oplog/s/<chain>/<first ts>` a slice's header and, as its
//! root, the slice's block. Numbers in names are hexadecimal of fixed length, so that names sort as the
//! slices do. Layout: `docs/format.md`.

#![warn(clippy::indexing_slicing)]

use super::error::RefProblem;
use super::{Result, SliceStore, StoreError};
use crate::slice::{Digest, Header, Link};
use std::fmt;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::{BlockId, OpTime, Timestamp};
use tidemark_blockstore::{Ref, RefVersion};
use xxhash_rust::xxh3::xxh3_64;

const TIP_MAGIC: [u8; 8] = *b"TIDEOTIP";
const TIP_VERSION: u32 = 1;

/// The number of a chain, from 1; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainNumber(pub u32);

impl ChainNumber {
    /// The number of the chain after it.
    pub(super) fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("nobody begins four thousand million chains"))
    }
}

impl fmt::Display for ChainNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain {}", self.0)
    }
}

/// Where the present chain begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its number.
    pub chain: ChainNumber,
    /// What its first slice follows.
    pub start: Link,
    /// What its next slice must follow.
    pub link: Link,
}

impl fmt::Display for Tip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.link, self.chain)
    }
}

impl Tip {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&TIP_MAGIC);
        out.put_u32(TIP_VERSION);
        out.put_u32(self.chain.0);
        for link in [self.start, self.link] {
            out.put_u64(link.at.ts.to_u64());
            out.put_i64(link.at.term);
            out.extend_from_slice(&link.digest.0);
        }
        out.put_u64(xxh3_64(&out));
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, RefProblem> {
        let mut reader = Reader::new(bytes);
        if reader.array("magic")? != TIP_MAGIC {
            return Err(RefProblem::Other("it does not begin as an oplog's tip"));
        }
        let version = reader.u32("version")?;
        if version != TIP_VERSION {
            return Err(RefProblem::Other("it is of a newer format: use a newer Tidemark"));
        }
        let chain = ChainNumber(reader.u32("chain")?);
        let (start, link) = (link(&mut reader)?, link(&mut reader)?);
        let summed = bytes.get(..reader.offset()).unwrap_or_default();
        if reader.u64("checksum")? != xxh3_64(summed) {
            return Err(RefProblem::Other("its checksum is wrong"));
        }
        reader.finish("tip")?;
        if chain.0 == 0 {
            let problem = CodecProblem::Unknown { value: 0 };
            return Err(CodecError { what: "chain", offset: 12, problem }.into());
        }
        Ok(Self { chain, start, link })
    }
}

fn link(reader: &mut Reader<'_>) -> Result<Link, CodecError> {
    let ts = Timestamp::from_u64(reader.u64("timestamp")?);
    let at = OpTime { ts, term: reader.i64("term")? };
    Ok(Link { at, digest: Digest(reader.array("digest")?) })
}

/// A slice in the store: where it stands, and how to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its chain.
    pub chain: ChainNumber,
    /// Its header.
    pub header: Header,
    /// The block that it is.
    pub block: BlockId,
}

/// The names of the refs under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn tip(&self) -> String {
        format!("{}/oplog/tip", self.prefix)
    }

    /// What the names of all slices begin with.
    pub(super) fn slices(&self) -> String {
        format!("{}/oplog/s/", self.prefix)
    }

    /// What the names of a chain's slices begin with.
    pub(super) fn chain(&self, chain: ChainNumber) -> String {
        format!("{}{:08x}/", self.slices(), chain.0)
    }

    pub(super) fn slice(&self, chain: ChainNumber, first: Timestamp) -> String {
        format!("{}{:016x}", self.chain(chain), first.to_u64())
    }

    /// Understands a slice's ref.
    fn stored(&self, name: &str, found: &Ref) -> Result<Stored, RefProblem> {
        let numbers = name.strip_prefix(&self.slices()).and_then(|numbers| numbers.split_once('/'));
        let (chain, _) = numbers.ok_or(RefProblem::Other("its name is not that of a slice"))?;
        let chain = u32::from_str_radix(chain, 16);
        let chain = ChainNumber(chain.map_err(|_| RefProblem::Other("its name has no chain's number"))?);
        let header = Header::decode(&found.value)?;
        if name != self.slice(chain, header.first.ts) {
            return Err(RefProblem::Other("its name is not that of the slice it holds"));
        }
        let [block] = found.roots.as_slice() else {
            return Err(RefProblem::Other("it does not keep exactly one block"));
        };
        Ok(Stored { chain, header, block: *block })
    }
}

impl SliceStore {
    /// The tip, and the version of its ref to compare with when it is moved.
    pub(super) fn versioned_tip(&self) -> Result<Option<(Tip, RefVersion)>> {
        let name = self.names.tip();
        let Some(found) = self.store.get_ref(&name)? else { return Ok(None) };
        match Tip::decode(&found.value) {
            Ok(tip) => Ok(Some((tip, found.version))),
            Err(problem) => Err(StoreError::Ref { name, problem }),
        }
    }

    /// The tip that must be there.
    pub(super) fn required_tip(&self) -> Result<(Tip, RefVersion)> {
        self.versioned_tip()?.ok_or_else(|| StoreError::NoChain { prefix: self.names.prefix.clone() })
    }

    /// The slice of a chain that begins with this timestamp.
    pub(super) fn slice_at(&self, chain: ChainNumber, first: Timestamp) -> Result<Option<Stored>> {
        let name = self.names.slice(chain, first);
        let Some(found) = self.store.get_ref(&name)? else { return Ok(None) };
        match self.names.stored(&name, &found) {
            Ok(stored) => Ok(Some(stored)),
            Err(problem) => Err(StoreError::Ref { name, problem }),
        }
    }

    /// The slices whose names begin so, in their order, with the versions of their refs.
    pub(super) fn list(&self, names_from: &str) -> Result<Vec<(Stored, RefVersion)>> {
        let stored = |(name, found): (String, Ref)| match self.names.stored(&name, &found) {
            Ok(stored) => Ok((stored, found.version)),
            Err(problem) => Err(StoreError::Ref { name, problem }),
        };
        self.store.list_refs(names_from)?.into_iter().map(stored).collect()
    }
}
