//! One leaf, or large item, while a cursor goes through it: its items, checked against what the nodes say.

#![warn(clippy::indexing_slicing)]

use super::error::{Problem, Result, RunError};
use super::form::Form;
use super::held::Leaf;
use super::index::Amount;
use super::large::{self, Large, Lengths};
use super::leaf::{self, Spans};
use super::path::Found;
use super::places::{Placed, Said};
use super::record::RunKind;
use super::separator;
use super::source::Source;
use crate::key::key_of_document;
use crate::patch::{Patch, Then};
use std::ops::Range;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::Node;

/// Most pieces of a large item that are read at once: enough to keep several threads busy, and few enough to be held
/// if each is as long as a block can be.
const PIECES_AT_ONCE: usize = 8;

/// How long a piece is as a rule, in bytes: no more of them are asked for than the item has room for.
const PIECE_BYTES: usize = 64 << 10;

/// A leaf that is being read, at one of its items or before the first.
#[derive(Debug)]
pub(super) struct OpenLeaf {
    kind: RunKind,
    found: Found,
    /// Key and contents of a large item, which then is the only one.
    stream: Option<Vec<u8>>,
    /// Where the next item begins; none if there is no more.
    next: Option<usize>,
    /// The item it is at.
    item: Spans,
    /// Children of the items up to that, and of that.
    children_seen: usize,
    /// Children of all items together.
    children: usize,
    seen: Amount,
    /// What all items together are by the leaf's own length.
    plain_bytes: u64,
}

impl OpenLeaf {
    /// Opens what was found; of a large item, its pieces are read.
    pub(super) fn open(kind: RunKind, found: Found, source: &dyn Source) -> Result<Self> {
        let id = found.id;
        let damaged = |problem: Problem| problem.of(id);
        let mut leaf = Self {
            kind,
            found,
            stream: None,
            next: None,
            item: Spans::default(),
            children_seen: 0,
            children: 0,
            seen: Amount::default(),
            plain_bytes: 0,
        };
        let plain = leaf.found.leaf.block.bytes();
        let is_leaf = leaf.found.leaf.block.kind() == leaf::block_kind(kind);
        let large = match leaf.found.leaf.block.kind() {
            BlockKind::Node => read_large(kind, plain).map_err(damaged)?,
            BlockKind::Leaf => None,
        };
        if let Some((large, children)) = large {
            leaf.next = Some(0);
            leaf.children = large.own_children;
            leaf.plain_bytes = large.plain_bytes();
            let Lengths { key, head, .. } = large.lengths;
            let bytes = key + head..large.lengths.total();
            leaf.item = Spans { key: 0..key, head: key..key + head, bytes, children: large.own_children };
            let pieces = children.get(large.own_children..).unwrap_or_default();
            leaf.stream = Some(assemble(large, pieces, id, source)?);
        } else if is_leaf {
            let opened = leaf::open(kind, plain).map_err(damaged)?;
            leaf.next = Some(opened.start);
            leaf.children = opened.children;
            leaf.plain_bytes = opened.plain_bytes;
        } else {
            return Err(damaged(Problem::Form("a leaf of its run")));
        }
        Ok(leaf)
    }

    /// Goes to just before the first item whose key is at least `from`, if that is cheaper than to walk there: in a
    /// leaf that others read, too, and of which nothing was seen yet.
    pub(super) fn skip_to(&mut self, from: &[u8]) -> Result<()> {
        let is_plain = self.kind != RunKind::Catalog && self.stream.is_none();
        match self.next {
            Some(start) if is_plain && self.found.leaf.is_shared && self.seen.items == 0 => {
                self.try_skip(start, from).map_err(|problem| problem.of(self.found.id))
            }
            _ => Ok(()),
        }
    }

    fn try_skip(&mut self, start: usize, from: &[u8]) -> Result<(), Problem> {
        let Found { amount, low, high, .. } = &self.found;
        let said = Said { amount: *amount, low, high: high.as_deref() };
        let placed = Placed::open(self.kind, &self.found.leaf, start, &said)?;
        let (passed, next) = placed.find(from)?;
        self.seen.items = passed as u64;
        self.next = Some(next);
        Ok(())
    }

    /// Where the present document stands in a leaf that others may hold; not of a large item, which has none.
    pub(super) fn document_in_leaf(&self) -> Option<(&Arc<Leaf>, Range<usize>)> {
        let is_plain = self.kind == RunKind::Base && self.stream.is_none();
        is_plain.then(|| (&self.found.leaf, self.item.bytes.clone()))
    }

    /// Goes to the next item. `key` is the key before, in which the new one is put. False at the end, where
    /// everything must have been as the node above says.
    pub(super) fn advance(
        &mut self,
        key: &mut Vec<u8>,
        is_first: &mut bool,
        spare: &mut Vec<u8>,
    ) -> Result<bool> {
        let advanced = self.try_advance(key, is_first, spare);
        advanced.map_err(|problem| problem.of(self.found.id))
    }

    fn try_advance(
        &mut self,
        key: &mut Vec<u8>,
        is_first: &mut bool,
        spare: &mut Vec<u8>,
    ) -> Result<bool, Problem> {
        spare.clear();
        if !self.step(spare)? {
            self.check_end(key)?;
            return Ok(false);
        }
        if self.seen.items == 1 && *spare < self.found.low {
            return Err(Problem::Range);
        }
        if !*is_first && spare <= key {
            return Err(Problem::Order);
        }
        *is_first = false;
        std::mem::swap(key, spare);
        Ok(true)
    }

    /// Finds the next item, counts it, and appends its key.
    fn step(&mut self, key: &mut Vec<u8>) -> Result<bool, Problem> {
        let Some(at) = self.next else { return Ok(false) };
        if self.stream.is_some() {
            self.next = None;
        } else if self.kind == RunKind::Base {
            // What most of a scan is spent on, but for reading blocks.
            let rest = self.found.leaf.block.bytes().get(at..).unwrap_or_default();
            if rest.is_empty() {
                self.next = None;
                return Ok(false);
            }
            let first = Doc::first(rest);
            let (document, _) = first.map_err(|error| CodecError { offset: at + error.offset, ..error })?;
            key_of_document(document, key)?;
            let end = at + document.as_bytes().len();
            self.item.bytes = at..end;
            self.next = Some(end);
            self.seen.items += 1;
            return Ok(true);
        } else {
            let Some((item, next)) = leaf::item_at(self.kind, self.found.leaf.block.bytes(), at)? else {
                self.next = None;
                return Ok(false);
            };
            self.item = item;
            self.next = Some(next);
        }
        self.seen.items += 1;
        self.children_seen += self.item.children;
        if self.kind == RunKind::Base {
            key_of_document(Doc::new(self.bytes())?, key)?;
        } else {
            key.extend_from_slice(self.part(&self.item.key));
        }
        Ok(true)
    }

    /// Checks, after the last item, what can be checked only there.
    fn check_end(&self, last_key: &[u8]) -> Result<(), Problem> {
        let seen = Amount { items: self.seen.items, plain_bytes: self.plain_bytes, ..Amount::default() };
        self.found.amount.check(seen)?;
        if self.found.high.as_deref().is_some_and(|high| separator::is_passed(high, last_key)) {
            return Err(Problem::Range);
        }
        if self.children != self.children_seen {
            let (said, found) = (self.children_seen as u64, self.children as u64);
            return Err(Problem::Count { what: "children of items", said, found });
        }
        Ok(())
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        let plain = self.stream.as_deref().unwrap_or_else(|| self.found.leaf.block.bytes());
        plain.get(range.clone()).unwrap_or_default()
    }

    /// The item it is at, in a base run.
    pub(super) fn document(&self) -> Result<Doc<'_>> {
        let is_document = self.kind == RunKind::Base;
        let document = is_document.then(|| Doc::new(self.bytes()).map_err(Problem::from));
        document
            .unwrap_or(Err(Problem::Form("a leaf of documents")))
            .map_err(|problem| problem.of(self.found.id))
    }

    /// The item it is at, in a patch run; `key` is its key.
    pub(super) fn patch(&self, key: &[u8]) -> Result<Patch<'_>> {
        self.try_patch(key).map_err(|problem| problem.of(self.found.id))
    }

    fn try_patch(&self, key: &[u8]) -> Result<Patch<'_>, Problem> {
        if self.kind != RunKind::Patch {
            return Err(Problem::Form("a leaf of patches"));
        }
        let mut head = Reader::new(self.part(&self.item.head));
        let patch = Patch::decode(&mut head, self.bytes())?;
        head.finish("head of a patch")?;
        if let Then::Document(document) = patch.then() {
            let mut found = Vec::with_capacity(key.len());
            key_of_document(Doc::new(document)?, &mut found)?;
            if found != key {
                return Err(Problem::OtherId);
            }
        }
        Ok(patch)
    }

    /// The contents of the item it is at.
    pub(super) fn bytes(&self) -> &[u8] {
        self.part(&self.item.bytes)
    }

    /// The children of the item it is at.
    pub(super) fn children(&self) -> impl Iterator<Item = BlockId> + use<'_> {
        let node = (self.kind == RunKind::Catalog)
            .then(|| Node::decode(self.found.leaf.block.bytes()).ok())
            .flatten();
        let children = node.into_iter().flat_map(|node| node.children());
        children.skip(self.children_seen - self.item.children).take(self.item.children)
    }

    /// Fails if the node above says that this key of an item, the present one's, cannot stand here.
    pub(super) fn check_key(&self, key: &[u8]) -> Result<()> {
        if self.may_hold(key) { Ok(()) } else { Err(Problem::Range.of(self.found.id)) }
    }

    /// Whether keys from `key` on may still come in it, all that follow being greater than the present one.
    pub(super) fn may_hold(&self, key: &[u8]) -> bool {
        self.found.high.as_deref().is_none_or(|high| !separator::is_passed(high, key))
    }
}

/// The large item in these plain bytes of a node, and the node's children; none if it is something else.
fn read_large(kind: RunKind, plain: &[u8]) -> Result<Option<(Large<'_>, Vec<BlockId>)>, Problem> {
    let node = Node::decode(plain)?;
    match Form::read(kind, &mut Reader::new(node.body))? {
        Form::Large => Ok(Some((large::decode(kind, node)?, node.children().collect()))),
        _ => Ok(None),
    }
}

/// Key and contents of a large item, in one. Needs no more memory than the item and the pieces read at once.
fn assemble(large: Large<'_>, pieces: &[BlockId], id: BlockId, source: &dyn Source) -> Result<Vec<u8>> {
    let mut stream = large.inline.to_vec();
    let count = |found: usize| -> RunError {
        let (said, found) = (large.lengths.total() as u64, found as u64);
        Problem::Count { what: "bytes of the item", said, found }.of(id)
    };
    let mut rest = pieces;
    while !rest.is_empty() {
        let wanted = large.lengths.total().saturating_sub(stream.len());
        let at_once = wanted.div_ceil(PIECE_BYTES).clamp(1, PIECES_AT_ONCE);
        let (some, more) = rest.split_at(at_once.min(rest.len()));
        rest = more;
        for (piece, block) in some.iter().zip(source.read(some)) {
            let block = block?;
            if block.kind() != BlockKind::Leaf {
                return Err(Problem::Form("a piece of a large item").of(*piece));
            }
            if block.bytes().is_empty() {
                let problem = CodecProblem::Truncated { needed: 1, left: 0 };
                return Err(Problem::from(CodecError { what: "piece", offset: 0, problem }).of(*piece));
            }
            let len = stream.len().saturating_add(block.bytes().len());
            if len > large.lengths.total() {
                return Err(count(len));
            }
            stream.extend_from_slice(block.bytes());
        }
    }
    if stream.len() == large.lengths.total() { Ok(stream) } else { Err(count(stream.len())) }
}
