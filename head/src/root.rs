//! Roots: the block that names a whole state of a replica set at one position of its oplog.
//!
//! Written by flush, read whenever a head, snapshot or fork is opened. A node block: its children are the
//! catalog and the raw entries of open transactions, so that garbage collection and verify find everything
//! from here. Reopening needs the root and the oplog after it, nothing else. Layout: `docs/format.md`.

#![warn(clippy::indexing_slicing)]

use crate::divergences::Diverged;
use crate::error::{HeadError, Result};
use crate::run::{Run, RunKind, Source};
use tidemark_base::bson::{Doc, split};
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::{BlockId, OpTime, Timestamp};
use tidemark_blockstore::{Block, BlockRef, Node, Session, encode_node};
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Digest, Link};

const MAGIC: [u8; 8] = *b"TIDEROOT";
const VERSION: u32 = 1;
const HAS_CATALOG: u32 = 1;
const HAS_FUZZY: u32 = 2;

/// Most items of each of the two lists of a filter.
const MAX_FILTER_ITEMS: usize = 10_000;
/// Longest item: more than any namespace has.
const MAX_FILTER_ITEM_BYTES: usize = 1024;

/// About how many bytes of raw entries stand in one leaf.
const OPEN_LEAF_BYTES: usize = 1 << 20;

/// A whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The last entry that is applied: the state is that of this moment.
    pub at: OpTime,
    /// All entries up to this one were taken in: applied, or held for a transaction that is open. Before
    /// `at` only while entries from before an import are fed in for the sake of open transactions.
    pub read_to: Timestamp,
    /// The last end of a slice at or before the last entry: where reading the oplog goes on.
    pub link: Link,
    /// The state is consistent only from here on.
    pub fuzzy_until: Option<Timestamp>,
    /// The collections; none if there are none.
    pub catalog: Option<Run>,
    /// Leaves with the raw entries of open transactions, one behind the other, in the oplog's order.
    pub open: Vec<BlockId>,
    /// What did not fit since the state was built, as far as it was found.
    pub diverged: Diverged,
    /// What was copied and is followed. Whoever applies other operations makes a state that never was.
    pub filter: Filter,
}

impl Root {
    /// The state before anything: no collections, at this position.
    #[must_use]
    pub fn empty(at: OpTime) -> Self {
        let link = Link::genesis(at);
        Self {
            at,
            read_to: at.ts,
            link,
            fuzzy_until: None,
            catalog: None,
            open: Vec::new(),
            diverged: Diverged::NONE,
            filter: Filter::default(),
        }
    }

    /// The plain bytes of the block.
    ///
    /// # Errors
    /// If there are more leaves of open entries than a node may have children.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut children: Vec<BlockId> = self.catalog.iter().map(|run| run.top).collect();
        children.extend_from_slice(&self.open);
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(&MAGIC);
        body.put_u32(VERSION);
        let catalog = if self.catalog.is_some() { HAS_CATALOG } else { 0 };
        body.put_u32(catalog | if self.fuzzy_until.is_some() { HAS_FUZZY } else { 0 });
        put_optime(self.at, &mut body);
        body.put_u64(self.read_to.to_u64());
        put_optime(self.link.at, &mut body);
        body.extend_from_slice(&self.link.digest.0);
        body.put_u64(self.fuzzy_until.unwrap_or(Timestamp::ZERO).to_u64());
        put_diverged(self.diverged, &mut body);
        for items in self.filter.items() {
            body.put_u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
            items.iter().for_each(|item| body.put_prefixed(item.as_bytes()));
        }
        if let Some(run) = &self.catalog {
            run.encode(&mut body);
        }
        Ok(encode_node(&children, &body)?)
    }

    /// Reads the plain bytes of a node block.
    ///
    /// # Errors
    /// Bytes that are cut short or have no meaning.
    pub fn decode(plain: &[u8]) -> Result<Self, CodecError> {
        let node = Node::decode(plain)?;
        let mut children = node.children();
        let mut reader = Reader::new(node.body);
        let unknown = |value: u64| CodecProblem::Unknown { value };
        let at = reader.clone();
        if reader.array("magic")? != MAGIC {
            return Err(at.error("magic of a root", unknown(0)));
        }
        let before = reader.clone();
        let version = reader.u32("version")?;
        if version != VERSION {
            return Err(before.error("version of a root", unknown(version.into())));
        }
        let before = reader.clone();
        let flags = reader.u32("flags")?;
        if flags & !(HAS_CATALOG | HAS_FUZZY) != 0 {
            return Err(before.error("flags of a root", unknown(flags.into())));
        }
        let at = optime(&mut reader)?;
        let read_to = Timestamp::from_u64(reader.u64("end of what was read")?);
        let link = Link { at: optime(&mut reader)?, digest: Digest(reader.array("digest")?) };
        let before = reader.clone();
        let until = Timestamp::from_u64(reader.u64("end of the fuzzy time")?);
        let fuzzy_until = (flags & HAS_FUZZY != 0).then_some(until);
        if fuzzy_until.is_none() && until != Timestamp::ZERO {
            return Err(before.error("end of the fuzzy time", unknown(until.to_u64())));
        }
        let diverged = diverged(&mut reader)?;
        let filter = filter(&mut reader)?;
        let mut catalog = None;
        if flags & HAS_CATALOG != 0 {
            let before = reader.clone();
            let run = Run::decode(&mut reader)?;
            if run.kind != RunKind::Catalog || children.next() != Some(run.top) {
                return Err(before.error("catalog of a root", unknown(run.kind.to_byte().into())));
            }
            catalog = Some(run);
        }
        reader.finish("root")?;
        Ok(Self { at, read_to, link, fuzzy_until, catalog, open: children.collect(), diverged, filter })
    }

    /// Reads a root.
    ///
    /// # Errors
    /// [`HeadError::BadRoot`]; failures of the store.
    pub fn read(source: &dyn Source, id: BlockId) -> Result<Self> {
        let block = read_block(source, id)?;
        Self::decode(block.bytes()).map_err(|problem| HeadError::BadRoot { block: id, problem })
    }

    /// Puts it as a block.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn put(&self, session: &Session) -> Result<BlockId> {
        put_one(session, BlockRef::node(&self.encode()?))
    }
}

/// Puts raw entries of open transactions as leaves, whole entries in each.
///
/// # Errors
/// Failures of the store.
pub(crate) fn put_open<'e>(
    session: &Session,
    entries: impl IntoIterator<Item = Doc<'e>>,
) -> Result<Vec<BlockId>> {
    let mut leaves = Vec::new();
    let mut leaf = Vec::new();
    for entry in entries {
        leaf.extend_from_slice(entry.as_bytes());
        if leaf.len() >= OPEN_LEAF_BYTES {
            leaves.push(put_one(session, BlockRef::leaf(&leaf))?);
            leaf.clear();
        }
    }
    if !leaf.is_empty() {
        leaves.push(put_one(session, BlockRef::leaf(&leaf))?);
    }
    Ok(leaves)
}

/// Reads the raw entries of open transactions, one behind the other.
///
/// # Errors
/// Failures of the store; [`HeadError::BadRoot`] if they are not documents.
pub(crate) fn read_open(source: &dyn Source, root: BlockId, leaves: &[BlockId]) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    for &leaf in leaves {
        let block = read_block(source, leaf)?;
        for document in split(block.bytes()) {
            document.map_err(|problem| HeadError::BadRoot { block: root, problem })?;
        }
        entries.extend_from_slice(block.bytes());
    }
    Ok(entries)
}

fn read_block(source: &dyn Source, id: BlockId) -> Result<Block> {
    let block = source.read(&[id]).pop();
    Ok(block.unwrap_or(Err(tidemark_blockstore::Error::Missing { id }))?)
}

fn put_one(session: &Session, block: BlockRef<'_>) -> Result<BlockId> {
    let id = block.id();
    session.put(&[block])?;
    Ok(id)
}

/// Appends an optime.
pub(crate) fn put_optime(at: OpTime, out: &mut Vec<u8>) {
    out.put_u64(at.ts.to_u64());
    out.put_i64(at.term);
}

/// Reads an optime.
pub(crate) fn optime(reader: &mut Reader<'_>) -> Result<OpTime, CodecError> {
    let ts = Timestamp::from_u64(reader.u64("timestamp")?);
    Ok(OpTime { ts, term: reader.i64("term")? })
}

/// Reads a filter.
fn filter(reader: &mut Reader<'_>) -> Result<Filter, CodecError> {
    let before = reader.clone();
    let mut items = || -> Result<Vec<String>, CodecError> {
        let count = reader.len_u32("number of items of a filter", MAX_FILTER_ITEMS)?;
        (0..count).map(|_| Ok(reader.text("item of a filter", MAX_FILTER_ITEM_BYTES)?.to_owned())).collect()
    };
    let (exclude, include) = (items()?, items()?);
    let named = Filter::new(exclude, include);
    named.map_err(|_| before.error("item of a filter, which is no name", CodecProblem::Unknown { value: 0 }))
}

/// Appends what did not fit.
pub(crate) fn put_diverged(diverged: Diverged, out: &mut Vec<u8>) {
    out.put_u64(diverged.operations);
    put_optime(diverged.first, out);
}

/// Reads what did not fit.
pub(crate) fn diverged(reader: &mut Reader<'_>) -> Result<Diverged, CodecError> {
    let operations = reader.u64("operations that did not fit")?;
    let before = reader.clone();
    let first = optime(reader)?;
    if operations == 0 && first != OpTime::NULL {
        let problem = CodecProblem::Unknown { value: first.ts.to_u64() };
        return Err(before.error("first operation that did not fit", problem));
    }
    Ok(Diverged { operations, first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::BlockKind;

    fn full() -> Root {
        let at = OpTime { ts: Timestamp { secs: 9, ordinal: 2 }, term: 3 };
        let block = |n: u8| BlockId::of(BlockKind::Node, &[n]);
        let run =
            Run { kind: RunKind::Catalog, top: block(1), items: 2, plain_bytes: 3, first: None, last: None };
        Root {
            at,
            read_to: Timestamp { secs: 8, ordinal: 1 },
            link: Link { at, digest: Digest([7; 32]) },
            fuzzy_until: Some(Timestamp { secs: 10, ordinal: 1 }),
            catalog: Some(run),
            open: vec![block(2), block(3)],
            diverged: Diverged { operations: 5, first: at },
            filter: Filter::new(["a", "b.c"], ["d.e.f"]).unwrap(),
        }
    }

    #[test]
    fn a_root_round_trips_with_and_without_its_parts() {
        let without_catalog = Root { catalog: None, ..full() };
        let bare = Root { fuzzy_until: None, open: Vec::new(), ..full() };
        let sound = Root { diverged: Diverged::NONE, filter: Filter::default(), ..full() };
        for root in [full(), without_catalog, bare, sound, Root::empty(OpTime::NULL)] {
            assert_eq!(Root::decode(&root.encode().unwrap()), Ok(root));
        }
    }

    #[test]
    fn every_cut_is_an_error_and_every_flip_an_error_or_another_root() {
        let good = full().encode().unwrap();
        for len in 0..good.len() {
            assert!(Root::decode(&good[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Root::decode(&bad) {
                assert_eq!(other.encode().unwrap(), bad, "bit {bit}");
                assert_ne!(other, full());
            }
        }
    }
}
