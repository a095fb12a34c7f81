//! A run with some stretches of it replaced; what lies outside of them is linked by reference.
//!
//! Used by compaction: of a base, a stretch is replaced by the folded documents; of a patch run, by nothing. The
//! new run is, block by block, the one that a writer would make of the items. What lies outside of the stretches
//! is not read but at their edges, where it is cut again until the cuts meet those of the old run.
//!
//! A part of the old run is linked only if the parts before and behind it are left as they are, too: by the one
//! before, it has its separator; by the one behind, it ends where it did, whatever made it end there.

#![warn(clippy::indexing_slicing)]

use super::error::{Problem, Result};
use super::index::{Amount, Child};
use super::outline::require_index;
use super::range::KeyRange;
use super::reader::RunReader;
use super::record::{Run, RunKind};
use super::separator;
use super::source::{Source, read_one};
use super::writer::RunWriter;
use tidemark_base::BlockId;
use tidemark_base::limits::MAX_SEPARATOR_BYTES;
use tidemark_blockstore::Session;

/// Writes what comes in the place of a stretch: items with keys in it.
pub(crate) type Fill<'f> = &'f mut dyn FnMut(&mut RunWriter<'_>, &KeyRange) -> Result<()>;

/// The run in which the items of `old` with keys in `ranges` are replaced by what `fill` writes; none if nothing is
/// left. `ranges` ascend and do not overlap. The old run is read from `source`; the session must pin what it lies in.
///
/// # Errors
/// Damage, and failures of the store; what `fill` returns.
pub(crate) fn splice(
    source: &dyn Source,
    session: &Session,
    kind: RunKind,
    old: Option<&Run>,
    ranges: &[KeyRange],
    fill: Fill<'_>,
) -> Result<Option<Run>> {
    let written = RunWriter::write(session, kind, |writer| {
        let mut splice = Splice { source, old, ranges, writer, at: At::Start, fill };
        if let Some(run) = old {
            splice.visit_top(run)?;
        }
        splice.copy_until(None)
    });
    Ok(written?.map(|run| Run {
        first: old.and_then(|old| old.first),
        last: old.and_then(|old| old.last),
        ..run
    }))
}

/// Up to where everything is written.
#[derive(Clone, Debug)]
enum At {
    Start,
    Key(Vec<u8>),
    End,
}

struct Splice<'s, 'r, 'w, 'f> {
    source: &'s dyn Source,
    old: Option<&'r Run>,
    /// Those that are not yet filled.
    ranges: &'r [KeyRange],
    writer: &'r mut RunWriter<'w>,
    at: At,
    fill: Fill<'f>,
}

/// A part of the old run, and where it lies.
#[derive(Debug)]
struct Part {
    id: BlockId,
    /// 0 for leaves and large items.
    level: u8,
    amount: Amount,
    low: Vec<u8>,
    high: Option<Vec<u8>>,
    /// The part of this level before it, if there is one, is left as it is.
    follows_kept: bool,
    /// There is a part of this level behind it, which is left as it is.
    precedes_kept: bool,
}

/// How a part lies to the ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lies {
    Outside,
    Inside,
    Across,
}

fn lies(ranges: &[KeyRange], low: &[u8], high: Option<&[u8]>) -> Lies {
    for range in ranges {
        // All keys of the part are smaller than these.
        let is_before = match (&range.from, high) {
            (Some(from), Some(high)) => separator::is_passed(high, from),
            _ => false,
        };
        if is_before {
            break;
        }
        if !range.is_before_end(low) {
            continue;
        }
        let begins_in = range.from.as_deref().is_none_or(|from| low >= from);
        let ends_in = match (&range.before, high) {
            (None, _) => true,
            (Some(before), Some(high)) => separator::is_passed(high, before),
            (Some(_), None) => false,
        };
        return if begins_in && ends_in { Lies::Inside } else { Lies::Across };
    }
    Lies::Outside
}

impl Splice<'_, '_, '_, '_> {
    fn visit_top(&mut self, run: &Run) -> Result<()> {
        let block = read_one(self.source, run.top)?;
        let index = super::difference::index_of(run.kind, &block, run.top)?;
        let level = index.map_or(0, |index| index.level);
        let (low, high) = (Vec::new(), None);
        // Behind the end comes what was not there.
        let (follows_kept, precedes_kept) = (true, false);
        let top = Part { id: run.top, level, amount: run.amount(), low, high, follows_kept, precedes_kept };
        self.visit(run.kind, &top)
    }

    fn visit(&mut self, kind: RunKind, part: &Part) -> Result<()> {
        let lies = lies(self.ranges, &part.low, part.high.as_deref());
        if lies == Lies::Outside && self.link(part)? {
            return Ok(());
        }
        // What is in a leaf is copied, or left out, when something behind it is come to.
        if part.level == 0 || lies == Lies::Inside {
            return Ok(());
        }
        for child in self.children(kind, part)? {
            self.visit(kind, &child)?;
        }
        Ok(())
    }

    fn children(&self, kind: RunKind, part: &Part) -> Result<Vec<Part>> {
        let index = require_index(kind, part.level, part.id, &read_one(self.source, part.id)?)?;
        part.amount.check(index.amount).map_err(|problem| problem.of(part.id))?;
        let mut children: Vec<Part> = Vec::with_capacity(index.children.len());
        let mut nodes = index.children.into_iter().peekable();
        let mut low = part.low.clone();
        while let Some(Child { id, amount, .. }) = nodes.next() {
            let high = nodes.peek().map(|next| next.separator.clone()).or_else(|| part.high.clone());
            if high.as_deref().is_some_and(|high| !separator::may_follow(&low, high)) {
                return Err(Problem::Range.of(part.id));
            }
            let next = high.clone().unwrap_or_default();
            let level = part.level - 1;
            let (follows_kept, precedes_kept) = (part.follows_kept, part.precedes_kept);
            children.push(Part { id, level, amount, low, high, follows_kept, precedes_kept });
            low = next;
        }
        let kept: Vec<bool> = children
            .iter()
            .map(|child| lies(self.ranges, &child.low, child.high.as_deref()) == Lies::Outside)
            .collect();
        let behind = kept.iter().skip(1);
        children.iter_mut().zip(behind).for_each(|(child, kept)| child.precedes_kept = *kept);
        children.iter_mut().skip(1).zip(&kept).for_each(|(child, kept)| child.follows_kept = *kept);
        Ok(children)
    }

    /// Takes a part over as it is, if that can be.
    fn link(&mut self, part: &Part) -> Result<bool> {
        let Some(high) = part.high.as_deref().filter(|_| part.follows_kept && part.precedes_kept) else {
            return Ok(false);
        };
        // By a separator that was cut short nobody can tell where the part begins and ends.
        if part.low.len() >= MAX_SEPARATOR_BYTES || high.len() >= MAX_SEPARATOR_BYTES {
            return Ok(false);
        }
        self.copy_until(Some(&part.low))?;
        let child = Child { id: part.id, separator: part.low.clone(), amount: part.amount };
        let is_linked = self.writer.try_link(part.level, &child, high)?;
        if is_linked {
            self.at = At::Key(high.to_vec());
        }
        Ok(is_linked)
    }

    /// Writes everything before a key: what is left as it is, and what comes in the place of ranges.
    fn copy_until(&mut self, key: Option<&[u8]>) -> Result<()> {
        while let Some((range, rest)) = self.ranges.split_first() {
            let begins_before = match (&range.from, key) {
                (Some(from), Some(key)) => from.as_slice() < key,
                _ => true,
            };
            if !begins_before {
                break;
            }
            if let Some(from) = &range.from {
                self.copy(Some(from))?;
            }
            (self.fill)(self.writer, range)?;
            self.at = range.before.clone().map_or(At::End, At::Key);
            self.ranges = rest;
        }
        self.copy(key)
    }

    /// Copies items of the old run.
    fn copy(&mut self, before: Option<&[u8]>) -> Result<()> {
        let from = match &self.at {
            At::End => return Ok(()),
            At::Start => None,
            At::Key(key) => Some(key.clone()),
        };
        let is_nothing = match (&from, before) {
            (Some(from), Some(before)) => from.as_slice() >= before,
            (None, Some(before)) => before.is_empty(),
            (_, None) => false,
        };
        if is_nothing {
            return Ok(());
        }
        if let Some(old) = self.old {
            let range = KeyRange { from, before: before.map(<[u8]>::to_vec) };
            let mut items = RunReader::open(self.source, old).cursor(range);
            while let Some(item) = items.next()? {
                match old.kind {
                    RunKind::Base => self.writer.push(item.key, item.bytes, &[])?,
                    RunKind::Patch => self.writer.push_patch(item.key, &item.patch()?)?,
                    RunKind::Catalog => {
                        let children: Vec<BlockId> = item.children().collect();
                        self.writer.push(item.key, item.bytes, &children)?;
                    }
                }
            }
        }
        self.at = before.map_or(At::End, |before| At::Key(before.to_vec()));
        Ok(())
    }
}
