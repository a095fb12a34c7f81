//! A cursor's way down to the leaves: the index nodes above it, and leaves read ahead.
//!
//! Yields the leaves (and large items) of a stretch of the run, each with what the nodes above say of it. Every
//! node is checked against the one above. Nodes are read one at a time, by way of the source's cache if it has
//! one; leaves as [`Reading`] says.

#![warn(clippy::indexing_slicing)]

use super::error::{Problem, Result};
use super::held::{Held, Leaf, hold};
use super::index::{Amount, Index};
use super::range::KeyRange;
use super::record::Run;
use super::separator;
use super::source::Source;
use std::collections::VecDeque;
use std::sync::Arc;
use tidemark_base::BlockId;
use tidemark_base::limits::MAX_SEPARATOR_BYTES;
use tidemark_blockstore::Block;

/// Most leaves that are read at once.
const MAX_AHEAD: usize = 32;

/// About how many bytes of leaves are read at once, by what the nodes say of them.
const MAX_AHEAD_BYTES: u64 = 8 << 20;

/// A leaf or large item, and what the nodes above say of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: BlockId,
    pub(super) leaf: Arc<Leaf>,
    pub(super) amount: Amount,
    /// No key in it is smaller.
    pub(super) low: Vec<u8>,
    /// No key in it has passed this; none at the end of the run.
    pub(super) high: Option<Vec<u8>>,
}

/// A place below a node, and what that says of it.
struct Place {
    id: BlockId,
    amount: Amount,
    low: Vec<u8>,
    high: Option<Vec<u8>>,
}

/// How leaves are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Ever more at once, up to [`MAX_AHEAD`], in parallel: so a lookup reads one, and a scan keeps all threads busy.
    Ahead,
    /// As many at once as there are in the range, up to [`MAX_AHEAD`], on this thread.
    Row,
    /// One at a time, by way of the cache.
    Single,
}

impl Reading {
    /// How many leaves are read at first.
    const fn at_first(self) -> usize {
        match self {
            Self::Ahead | Self::Single => 1,
            Self::Row => MAX_AHEAD,
        }
    }

    /// How many are read after so many.
    const fn after(self, leaves: usize) -> usize {
        match self {
            Self::Ahead if 2 * leaves <= MAX_AHEAD => 2 * leaves,
            Self::Ahead | Self::Row => MAX_AHEAD,
            Self::Single => 1,
        }
    }
}

/// An index node on the way.
#[derive(Debug)]
struct Frame {
    node: Arc<Index>,
    /// The child that comes next.
    next: usize,
    low: Vec<u8>,
    high: Option<Vec<u8>>,
}

impl Frame {
    fn low_of(&self, child: usize) -> &[u8] {
        let separator = self.node.children.get(child).map(|child| child.separator.as_slice());
        separator.filter(|_| child > 0).unwrap_or(&self.low)
    }

    fn high_of(&self, child: usize) -> Option<&[u8]> {
        self.node.children.get(child + 1).map(|next| next.separator.as_slice()).or(self.high.as_deref())
    }
}

/// The way to the next leaf.
#[derive(Debug)]
pub(super) struct Path {
    frames: Vec<Frame>,
    /// The next children of the lowest node, already read.
    ahead: VecDeque<tidemark_blockstore::Result<Block>>,
    reading: Reading,
    /// How many are read next time.
    read_ahead: usize,
    is_begun: bool,
}

impl Path {
    pub(super) const fn new(reading: Reading) -> Self {
        let read_ahead = reading.at_first();
        Self { frames: Vec::new(), ahead: VecDeque::new(), reading, read_ahead, is_begun: false }
    }

    /// The next leaf, unless it lies behind the range. The first one is where `from` lies, if it is given.
    pub(super) fn next(
        &mut self,
        source: &dyn Source,
        run: &Run,
        range: &KeyRange,
        from: Option<&[u8]>,
    ) -> Result<Option<Found>> {
        if !std::mem::replace(&mut self.is_begun, true) {
            let (id, amount) = (run.top, run.amount());
            let top = Place { id, amount, low: Vec::new(), high: None };
            if let Some(leaf) = self.enter(hold(source, run.kind, id)?, top, None, from)? {
                return Ok(Some(leaf));
            }
        }
        loop {
            let Some(frame) = self.frames.last() else { return Ok(None) };
            let next = frame.next;
            let Some(child) = frame.node.children.get(next) else {
                self.frames.pop();
                continue;
            };
            if !range.is_before_end(frame.low_of(next)) {
                return Ok(None);
            }
            let (id, amount, level) = (child.id, child.amount, frame.node.level - 1);
            let (low, high) = (frame.low_of(next).to_vec(), frame.high_of(next).map(<[u8]>::to_vec));
            let held = if level > 0 {
                hold(source, run.kind, id)?
            } else if self.ahead.is_empty() && self.read_ahead == 1 {
                self.read_ahead = self.reading.after(1);
                hold(source, run.kind, id)?
            } else {
                Held::of(run.kind, id, self.next_ahead(source, range)?)?
            };
            if let Some(frame) = self.frames.last_mut() {
                frame.next += 1;
            }
            let place = Place { id, amount, low, high };
            if let Some(leaf) = self.enter(held, place, Some(level), from)? {
                return Ok(Some(leaf));
            }
        }
    }

    /// Passes a leaf on; steps into a node.
    fn enter(
        &mut self,
        held: Held,
        place: Place,
        level: Option<u8>,
        from: Option<&[u8]>,
    ) -> Result<Option<Found>> {
        let Place { id, amount, low, high } = place;
        let found_level = match &held {
            Held::Index(_, index) => index.level,
            Held::Leaf(_) => 0,
        };
        if let Some(expected) = level.filter(|expected| *expected != found_level) {
            return Err(Problem::Level { found: found_level, expected }.of(id));
        }
        let node = match held {
            Held::Index(_, node) => node,
            Held::Leaf(leaf) => return Ok(Some(Found { id, leaf, amount, low, high })),
        };
        amount.check(node.amount).map_err(|problem| problem.of(id))?;
        // Its separators lie within what the node above gives it.
        let first = node.children.get(1).map_or(&[][..], |child| &child.separator);
        let last = node.children.last().map_or(&[][..], |child| &child.separator);
        let fits = separator::may_follow(&low, first)
            && high.as_deref().is_none_or(|high| separator::may_follow(last, high));
        if !fits {
            return Err(Problem::Range.of(id));
        }
        let next = from.map_or(0, |key| {
            // How many separators the key has passed: no child before that one can hold it.
            let separated = node.children.get(1..).unwrap_or_default();
            separated.partition_point(|child| separator::is_passed(&child.separator, key))
        });
        self.ahead.clear();
        self.frames.push(Frame { node, next, low, high });
        Ok(None)
    }

    /// The next child of the lowest node, which is above leaves.
    fn next_ahead(&mut self, source: &dyn Source, range: &KeyRange) -> Result<Block> {
        if let Some(block) = self.ahead.pop_front() {
            return Ok(block?);
        }
        let frame = self.frames.last();
        let mut bytes = 0_u64;
        let wanted = frame.into_iter().flat_map(|frame| {
            let children = frame.node.children.iter().enumerate().skip(frame.next);
            children.take_while(|(i, _)| *i == frame.next || range.is_before_end(frame.low_of(*i)))
        });
        let wanted = wanted.take(self.read_ahead).take_while(|(_, child)| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(child.amount.plain_bytes);
            is_first || bytes <= MAX_AHEAD_BYTES
        });
        let ids: Vec<BlockId> = wanted.map(|(_, child)| child.id).collect();
        self.read_ahead = self.reading.after(self.read_ahead);
        let read = if self.reading == Reading::Ahead { source.read(&ids) } else { source.read_here(&ids) };
        self.ahead = read.into();
        let first = self.ahead.pop_front();
        Ok(first.expect("a frame with a next child was looked at, and reading answers each question")?)
    }

    /// Goes back to where leaves with keys from `key` on are found next; the nodes that are known are used
    /// again.
    pub(super) fn seek(&mut self, key: &[u8]) {
        self.read_ahead = self.reading.at_first();
        while let Some(frame) = self.frames.last_mut() {
            let begins_before = frame.low.as_slice() <= key;
            let ends_behind = frame.high.as_deref().is_none_or(|high| !separator::is_passed(high, key));
            let may_begin_above = frame.low.len() == MAX_SEPARATOR_BYTES;
            if begins_before && ends_behind && !may_begin_above {
                let separated = frame.node.children.get(1..).unwrap_or_default();
                let next = separated.partition_point(|child| separator::is_passed(&child.separator, key));
                frame.next = next;
                break;
            }
            self.frames.pop();
        }
        self.ahead.clear();
        self.is_begun = !self.frames.is_empty();
    }
}
