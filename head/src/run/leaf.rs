//! Leaves: items one behind the other.
//!
//! A base leaf is the documents and nothing else, so that most of a restore is to copy it. The others hold key
//! and contents of each item; a catalog leaf is a node block, since its items have blocks below them. Pure;
//! used by the writer, the cursor and the fuzzer. Whether keys ascend is for the cursor to see.

#![warn(clippy::indexing_slicing)]

use super::error::Problem;
use super::form::{Form, HEADER_BYTES};
use super::record::RunKind;
use super::varint;
use std::ops::Range;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{CodecError, Reader};
use tidemark_base::limits::{MAX_ITEM_CHILDREN, MAX_KEY_BYTES, MAX_RUN_ITEM_BYTES};
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::Node;

/// Longest head of a patch, in bytes: it is far shorter.
pub(super) const MAX_HEAD_BYTES: usize = 64;

/// The kind of block that leaves of a run are.
pub(super) const fn block_kind(kind: RunKind) -> BlockKind {
    match kind {
        RunKind::Base | RunKind::Patch => BlockKind::Leaf,
        RunKind::Catalog => BlockKind::Node,
    }
}

/// Begins the contents of a leaf: for a catalog, what follows the children.
pub(super) fn begin(kind: RunKind, out: &mut Vec<u8>) {
    match kind {
        RunKind::Base => {}
        RunKind::Patch => Form::PatchLeaf.put(kind, out),
        RunKind::Catalog => Form::CatalogLeaf.put(kind, out),
    }
}

/// How many bytes [`begin`] writes.
const fn begin_bytes(kind: RunKind) -> usize {
    match kind {
        RunKind::Base => 0,
        RunKind::Patch | RunKind::Catalog => HEADER_BYTES,
    }
}

/// What an item of a run is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// The key.
    pub(super) key: &'a [u8],
    /// What of the contents is always kept with the key: of patches alone.
    pub(super) head: &'a [u8],
    /// The contents.
    pub(super) bytes: &'a [u8],
    /// The blocks below it: of items of a catalog alone.
    pub(super) children: &'a [BlockId],
}

impl Parts<'_> {
    /// The length of all that has to be kept in one, in bytes.
    pub(super) const fn len_bytes(&self) -> usize {
        self.key.len().saturating_add(self.head.len()).saturating_add(self.bytes.len())
    }

    /// How long the item is in a leaf, in bytes, with the names of its children.
    pub(super) fn in_leaf_bytes(&self, kind: RunKind) -> usize {
        let number = |number: usize| varint::len(number as u64);
        let lengths = match kind {
            RunKind::Base => return self.bytes.len(),
            RunKind::Patch => number(self.head.len()),
            RunKind::Catalog => number(self.children.len()) + BlockId::LEN * self.children.len(),
        };
        self.len_bytes().saturating_add(number(self.key.len()) + number(self.bytes.len()) + lengths)
    }

    /// Appends the item to a leaf; the names of its children go elsewhere.
    pub(super) fn put(&self, kind: RunKind, out: &mut Vec<u8>) {
        if kind == RunKind::Base {
            out.extend_from_slice(self.bytes);
            return;
        }
        varint::put_prefixed(self.key, out);
        if kind == RunKind::Patch {
            varint::put_prefixed(self.head, out);
        }
        varint::put_prefixed(self.bytes, out);
        if kind == RunKind::Catalog {
            varint::put(self.children.len() as u64, out);
        }
    }
}

/// Where the items of a leaf begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Offset of the first item.
    pub(super) start: usize,
    /// Number of children of all items together.
    pub(super) children: usize,
    /// Length of all items, in bytes, with the names of their children.
    pub(super) plain_bytes: u64,
}

/// Reads the beginning of a leaf's plain bytes.
pub(super) fn open(kind: RunKind, plain: &[u8]) -> Result<Opened, Problem> {
    let (wanted, what) = match kind {
        RunKind::Base => return Ok(Opened { start: 0, children: 0, plain_bytes: plain.len() as u64 }),
        RunKind::Patch => (Form::PatchLeaf, "a leaf of patches"),
        RunKind::Catalog => (Form::CatalogLeaf, "a leaf of a catalog"),
    };
    let (body, children) = match kind {
        RunKind::Catalog => {
            let node = Node::decode(plain)?;
            (node.body, node.children().len())
        }
        _ => (plain, 0),
    };
    let mut reader = Reader::new(body);
    if Form::read(kind, &mut reader)? != wanted {
        return Err(Problem::Form(what));
    }
    let start = plain.len() - body.len() + begin_bytes(kind);
    let plain_bytes = (plain.len() - start + children * BlockId::LEN) as u64;
    Ok(Opened { start, children, plain_bytes })
}

/// Where the parts of an item stand in the plain bytes of its leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    /// The key; empty in a base leaf, where it comes from the document.
    pub(super) key: Range<usize>,
    /// The head of the contents; empty but in a patch run.
    pub(super) head: Range<usize>,
    /// The contents.
    pub(super) bytes: Range<usize>,
    /// How many children it has.
    pub(super) children: usize,
}

/// The item that begins at `at`, and where the next one does; none at the end.
#[inline]
pub(super) fn item_at(kind: RunKind, plain: &[u8], at: usize) -> Result<Option<(Spans, usize)>, CodecError> {
    let rest = plain.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let read = if kind == RunKind::Base { document(rest) } else { entry(kind, rest) };
    let (spans, len) = read.map_err(|error| CodecError { offset: at + error.offset, ..error })?;
    let shift = |range: Range<usize>| at + range.start..at + range.end;
    let Spans { key, head, bytes, children } = spans;
    Ok(Some((Spans { key: shift(key), head: shift(head), bytes: shift(bytes), children }, at + len)))
}

fn document(rest: &[u8]) -> Result<(Spans, usize), CodecError> {
    let (document, _) = Doc::first(rest)?;
    let len = document.as_bytes().len();
    Ok((Spans { bytes: 0..len, ..Spans::default() }, len))
}

fn entry(kind: RunKind, rest: &[u8]) -> Result<(Spans, usize), CodecError> {
    let mut reader = Reader::new(rest);
    let mut spans = Spans { key: span(&mut reader, "key", MAX_KEY_BYTES)?, ..Spans::default() };
    if kind == RunKind::Patch {
        spans.head = span(&mut reader, "head of the contents", MAX_HEAD_BYTES)?;
    }
    spans.bytes = span(&mut reader, "contents", MAX_RUN_ITEM_BYTES)?;
    if kind == RunKind::Catalog {
        spans.children = varint::read_len(&mut reader, "number of children", MAX_ITEM_CHILDREN)?;
    }
    Ok((spans, reader.offset()))
}

/// Where the next bytes with a length in front stand.
fn span(reader: &mut Reader<'_>, what: &'static str, limit: usize) -> Result<Range<usize>, CodecError> {
    let len = varint::read_prefixed(reader, what, limit)?.len();
    Ok(reader.offset() - len..reader.offset())
}
