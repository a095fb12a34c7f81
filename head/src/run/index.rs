//! Index nodes: the children of one level, what separates them, and how much lies below each.
//!
//! The first child has no separator here: the node above has it, so that a node does not change with what
//! comes before it. Pure; used by the writer, the cursor and the fuzzer.

#![warn(clippy::indexing_slicing)]

use super::error::Problem;
use super::form::{Form, HEADER_BYTES};
use super::record::RunKind;
use super::{separator, varint};
use tidemark_base::BlockId;
use tidemark_base::codec::{CodecProblem, Reader};
use tidemark_base::limits::{MAX_RUN_LEVELS, MAX_SEPARATOR_BYTES};
use tidemark_blockstore::{Node, encode_node};

/// What lies below a block, and what a node says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    /// Items.
    pub(super) items: u64,
    /// Their length as leaves have them, in bytes.
    pub(super) plain_bytes: u64,
    /// Of patches, how many leave no document. For whoever plans a compaction, like the next; zero in other runs,
    /// and not known of a run as a whole.
    pub(super) gone: u64,
    /// Of patches, the length of those that insert a document where none was, in bytes.
    pub(super) fresh_bytes: u64,
}

impl Amount {
    /// Of what are no patches.
    pub(super) const fn of(items: u64, plain_bytes: u64) -> Self {
        Self { items, plain_bytes, gone: 0, fresh_bytes: 0 }
    }

    /// Both together; none if that is more than can be counted.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            items: self.items.checked_add(other.items)?,
            plain_bytes: self.plain_bytes.checked_add(other.plain_bytes)?,
            gone: self.gone.checked_add(other.gone)?,
            fresh_bytes: self.fresh_bytes.checked_add(other.fresh_bytes)?,
        })
    }

    /// An error unless as many items, of this length, are found as are said.
    pub(super) fn check(self, found: Self) -> Result<(), Problem> {
        let count = |what, said, found| Problem::Count { what, said, found };
        if self.items != found.items {
            return Err(count("items", self.items, found.items));
        }
        if self.plain_bytes != found.plain_bytes {
            return Err(count("bytes of items", self.plain_bytes, found.plain_bytes));
        }
        Ok(())
    }
}

/// A child of an index node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// Its name.
    pub(super) id: BlockId,
    /// What separates it from what comes before: empty only at the beginning of a run.
    pub(super) separator: Vec<u8>,
    /// What lies below it.
    pub(super) amount: Amount,
}

impl Child {
    /// How long it is in a node, in bytes, without what is said of patches alone: the length that decides where
    /// nodes end.
    pub(super) fn encoded_bytes(&self) -> usize {
        let Amount { items, plain_bytes, .. } = self.amount;
        let separator = varint::len(self.separator.len() as u64) + self.separator.len();
        BlockId::LEN + separator + varint::len(items) + varint::len(plain_bytes)
    }
}

/// The plain bytes of a node of this level, from 1, over these children.
pub(super) fn encode(kind: RunKind, level: u8, children: &[Child]) -> tidemark_blockstore::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(HEADER_BYTES + 1 + 24 * children.len());
    Form::Index.put(kind, &mut body);
    body.push(level);
    for (i, child) in children.iter().enumerate() {
        if i > 0 {
            varint::put_prefixed(&child.separator, &mut body);
        }
        varint::put(child.amount.items, &mut body);
        varint::put(child.amount.plain_bytes, &mut body);
        if kind == RunKind::Patch {
            varint::put(child.amount.gone, &mut body);
            varint::put(child.amount.fresh_bytes, &mut body);
        }
    }
    let ids: Vec<BlockId> = children.iter().map(|child| child.id).collect();
    encode_node(&ids, &body)
}

/// A decoded index node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// 1 above leaves.
    pub(super) level: u8,
    /// At least two; the first with an empty separator.
    pub(super) children: Vec<Child>,
    /// What lies below all of them.
    pub(super) amount: Amount,
}

/// Reads the plain bytes of an index node; `node` is what [`Node::decode`] made of them.
pub(super) fn decode(kind: RunKind, node: Node<'_>) -> Result<Index, Problem> {
    let mut reader = Reader::new(node.body);
    if Form::read(kind, &mut reader)? != Form::Index {
        return Err(Problem::Form("an index node"));
    }
    let (before, level) = (reader.clone(), reader.u8("level")?);
    if level == 0 || level > MAX_RUN_LEVELS {
        return Err(before.error("level", CodecProblem::Unknown { value: level.into() }).into());
    }
    let ids = node.children();
    if ids.len() < 2 {
        return Err(Problem::Form("a node of at least two children"));
    }
    let mut children: Vec<Child> = Vec::with_capacity(ids.len());
    let mut amount = Amount::default();
    for id in ids {
        let separator = match children.last() {
            None => Vec::new(),
            Some(previous) => {
                let next = varint::read_prefixed(&mut reader, "separator", MAX_SEPARATOR_BYTES)?;
                if !separator::may_follow(&previous.separator, next) {
                    return Err(Problem::Order);
                }
                next.to_vec()
            }
        };
        let before = reader.clone();
        let items = varint::read(&mut reader, "items")?;
        let mut child =
            Amount { items, plain_bytes: varint::read(&mut reader, "bytes of items")?, ..Amount::default() };
        if kind == RunKind::Patch {
            child.gone = varint::read(&mut reader, "items that leave no document")?;
            child.fresh_bytes = varint::read(&mut reader, "bytes of new documents")?;
        }
        let is_possible = items > 0 && child.gone <= items && child.fresh_bytes <= child.plain_bytes;
        let unknown = before.error("amount below a child", CodecProblem::Unknown { value: items });
        amount = amount.plus(child).filter(|_| is_possible).ok_or(unknown)?;
        children.push(Child { id, separator, amount: child });
    }
    reader.finish("index node")?;
    Ok(Index { level, children, amount })
}
