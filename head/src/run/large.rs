//! Items too large for a leaf: a node of their own, below which they lie cut by content.
//!
//! Key, head and contents together are one stream. Key and head stand in the node itself, unless they are large
//! as well; the contents are cut by the store's cutter, so that an edit of a large document and repeated
//! contents cost little, and the pieces of a document are the same in a patch run and in a base. Pure;
//! assembling is the cursor's.

#![warn(clippy::indexing_slicing)]

use super::error::Problem;
use super::form::Form;
use super::leaf::MAX_HEAD_BYTES;
use super::record::RunKind;
use super::varint;
use tidemark_base::BlockId;
use tidemark_base::codec::{CodecProblem, Reader};
use tidemark_base::limits::{MAX_ITEM_CHILDREN, MAX_KEY_BYTES, MAX_RUN_ITEM_BYTES};
use tidemark_blockstore::{Node, encode_node};

/// Most bytes of the stream that stand in the node itself.
pub(super) const MAX_INLINE_BYTES: usize = 64 << 10;

/// How long the parts of the stream are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    /// The key; none in a base run, where it comes from the document.
    pub(super) key: usize,
    /// The head of the contents; none but in a patch run.
    pub(super) head: usize,
    /// The contents.
    pub(super) contents: usize,
}

impl Lengths {
    /// All of them together.
    pub(super) const fn total(self) -> usize {
        self.key.saturating_add(self.head).saturating_add(self.contents)
    }
}

/// What the node of a large item says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Large<'a> {
    /// How many of the node's children are the item's own; the others are pieces.
    pub(super) own_children: usize,
    /// What the stream is made of.
    pub(super) lengths: Lengths,
    /// The beginning of the stream.
    pub(super) inline: &'a [u8],
}

impl Large<'_> {
    /// The length that counts for the nodes above.
    pub(super) const fn plain_bytes(&self) -> u64 {
        (self.lengths.total() + self.own_children * BlockId::LEN) as u64
    }

    /// The plain bytes of the node; `children` are the item's own and then the pieces.
    pub(super) fn encode(&self, kind: RunKind, children: &[BlockId]) -> tidemark_blockstore::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(32 + self.inline.len());
        Form::Large.put(kind, &mut body);
        varint::put(self.own_children as u64, &mut body);
        for len in [self.lengths.key, self.lengths.head, self.lengths.contents] {
            varint::put(len as u64, &mut body);
        }
        body.extend_from_slice(self.inline);
        encode_node(children, &body)
    }
}

/// Reads the plain bytes of a large item's node; `node` is what [`Node::decode`] made of them.
pub(super) fn decode<'a>(kind: RunKind, node: Node<'a>) -> Result<Large<'a>, Problem> {
    let mut reader = Reader::new(node.body);
    if Form::read(kind, &mut reader)? != Form::Large {
        return Err(Problem::Form("a large item"));
    }
    let most_children = if kind == RunKind::Catalog { MAX_ITEM_CHILDREN } else { 0 };
    let own_children = varint::read_len(&mut reader, "number of children", most_children)?;
    let most_key_bytes = if kind == RunKind::Base { 0 } else { MAX_KEY_BYTES };
    let most_head_bytes = if kind == RunKind::Patch { MAX_HEAD_BYTES } else { 0 };
    let lengths = Lengths {
        key: varint::read_len(&mut reader, "length of the key", most_key_bytes)?,
        head: varint::read_len(&mut reader, "length of the head", most_head_bytes)?,
        contents: varint::read_len(&mut reader, "length of the contents", MAX_RUN_ITEM_BYTES)?,
    };
    let large = Large { own_children, lengths, inline: reader.rest() };
    let most_inline_bytes = MAX_INLINE_BYTES.min(lengths.total());
    if large.inline.len() > most_inline_bytes {
        let (value, limit) = (large.inline.len() as u64, most_inline_bytes as u64);
        return Err(reader.error("beginning of the item", CodecProblem::OverLimit { value, limit }).into());
    }
    let children = node.children().len();
    if own_children > children {
        return Err(Problem::Count {
            what: "children of the item",
            said: own_children as u64,
            found: children as u64,
        });
    }
    Ok(large)
}
