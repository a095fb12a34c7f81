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

/// How long an item is in a leaf, in bytes, with the names of its children.
pub(super) fn item_bytes(kind: RunKind, key: &[u8], bytes: &[u8], children: usize) -> usize {
    let prefixed = |part: &[u8]| varint::len(part.len() as u64).saturating_add(part.len());
    match kind {
        RunKind::Base => bytes.len(),
        RunKind::Patch => prefixed(key).saturating_add(prefixed(bytes)),
        RunKind::Catalog => {
            let names = children.saturating_mul(BlockId::LEN).saturating_add(varint::len(children as u64));
            prefixed(key).saturating_add(prefixed(bytes)).saturating_add(names)
        }
    }
}

/// Appends an item; names of children go elsewhere.
pub(super) fn put_item(kind: RunKind, key: &[u8], bytes: &[u8], children: usize, out: &mut Vec<u8>) {
    if kind == RunKind::Base {
        out.extend_from_slice(bytes);
        return;
    }
    varint::put_prefixed(key, out);
    varint::put_prefixed(bytes, out);
    if kind == RunKind::Catalog {
        varint::put(children as u64, out);
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spans {
    /// The key; empty in a base leaf, where it comes from the document.
    pub(super) key: Range<usize>,
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
    Ok(Some((Spans { key: shift(spans.key), bytes: shift(spans.bytes), ..spans }, at + len)))
}

fn document(rest: &[u8]) -> Result<(Spans, usize), CodecError> {
    let (document, _) = Doc::first(rest)?;
    let len = document.as_bytes().len();
    Ok((Spans { key: 0..0, bytes: 0..len, children: 0 }, len))
}

fn entry(kind: RunKind, rest: &[u8]) -> Result<(Spans, usize), CodecError> {
    let mut reader = Reader::new(rest);
    let key = varint::read_prefixed(&mut reader, "key", MAX_KEY_BYTES)?.len();
    let key = reader.offset() - key..reader.offset();
    let bytes = varint::read_prefixed(&mut reader, "contents", MAX_RUN_ITEM_BYTES)?.len();
    let bytes = reader.offset() - bytes..reader.offset();
    let children = match kind {
        RunKind::Catalog => varint::read_len(&mut reader, "number of children", MAX_ITEM_CHILDREN)?,
        _ => 0,
    };
    Ok((Spans { key, bytes, children }, reader.offset()))
}
