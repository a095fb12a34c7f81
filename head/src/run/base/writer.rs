//! Writing a base of batches: decides where leaves end, and hands them out.
//!
//! Works in the order of the keys, and does for each item nothing but add and compare. Leaves are named, compressed
//! and put by tasks, some at once; their names come back in order and go into the nodes. What is cut is what
//! [`crate::run::RunWriter`] cuts; a test compares.

#![warn(clippy::indexing_slicing)]

use super::buffer::Buffer;
use super::item::LargeItem;
use super::sorted::Sorted;
use super::task::Task;
use super::tools::Tools;
use crate::run::batch::Batch;
use crate::run::error::{Result, RunError};
use crate::run::index::{Amount, Child};
use crate::run::levels::Levels;
use crate::run::record::{Run, RunKind};
use crate::run::separator;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use tidemark_blockstore::BlockRef;

/// How much of leaves is put by one task, in bytes: little enough that many threads end at one time.
const TASK_BYTES: usize = 512 << 10;

/// As how much one counts that is there already, in bytes.
const UNIT_BYTES: usize = 256;

/// How many nodes are put by one task.
const TASK_NODES: usize = 64;

/// Writes one base.
#[derive(Debug)]
pub(crate) struct BaseWriter {
    tools: Arc<Tools>,
    open: OpenLeaf,
    /// What separates the next leaf, where that does not follow from the key before.
    next_separator: Option<Vec<u8>>,
    /// The greatest key, unless a leaf was taken over by name after it.
    last_key: Vec<u8>,
    units: Vec<Unit>,
    unit_bytes: usize,
    putting: VecDeque<Task<Result<Vec<Child>>>>,
    levels: Levels,
    nodes: Batch,
    written: Amount,
}

/// The leaf that is being filled.
#[derive(Debug, Default)]
struct OpenLeaf {
    parts: Vec<Part>,
    separator: Vec<u8>,
    bytes: usize,
    items: u64,
}

/// Some documents of a leaf.
#[derive(Debug)]
enum Part {
    Shared(Arc<Buffer>, Range<usize>),
    Own(Vec<u8>),
}

/// What becomes a child of the lowest nodes.
#[derive(Debug)]
enum Unit {
    Leaf { parts: Vec<Part>, separator: Vec<u8>, amount: Amount },
    There(Child),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(buffer, range) => buffer.as_slice().get(range.clone()).unwrap_or_default(),
            Self::Own(bytes) => bytes,
        }
    }
}

impl BaseWriter {
    pub(crate) fn new(tools: &Arc<Tools>) -> Self {
        let superblock = *tools.session.store().superblock();
        Self {
            tools: Arc::clone(tools),
            open: OpenLeaf::default(),
            next_separator: Some(Vec::new()),
            last_key: Vec::new(),
            units: Vec::new(),
            unit_bytes: 0,
            putting: VecDeque::new(),
            levels: Levels::new(RunKind::Base, superblock),
            nodes: Batch::new(RunKind::Base),
            written: Amount::default(),
        }
    }

    /// The greatest key so far; none before the first item.
    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        (self.written.items > 0).then_some(&self.last_key)
    }

    /// Memory that it keeps beside what is shared and counted there, in bytes.
    pub(crate) const fn tail_bytes(&self) -> usize {
        self.open.bytes
    }

    /// Adds items of a batch.
    ///
    /// # Errors
    /// [`RunError::Order`] unless the first is greater than the one before; failures of the store, of what was
    /// added before.
    pub(crate) fn push(&mut self, batch: &Sorted, range: Range<usize>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.check_order(batch.key(range.start))?;
        for number in range.clone() {
            let previous = if number > range.start { Some(batch.key(number - 1)) } else { None };
            if let Some(large) = batch.large(number) {
                self.add_large(batch.key(number), previous, large)?;
                continue;
            }
            let place = batch.place(number);
            self.make_room(place.len())?;
            if self.open.items == 0 {
                self.open.separator = self.separator(batch.key(number), previous);
            }
            let len = place.len();
            match self.open.parts.last_mut() {
                Some(Part::Shared(buffer, end))
                    if end.end == place.start && Arc::ptr_eq(buffer, batch.buffer()) =>
                {
                    end.end = place.end;
                }
                _ => self.open.parts.push(Part::Shared(Arc::clone(batch.buffer()), place)),
            }
            self.count(len, batch.hash(number))?;
        }
        self.set_last_key(batch.key(range.end - 1));
        self.collect_ready()
    }

    /// Adds a document that lies elsewhere.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn push_copy(&mut self, key: &[u8], document: &[u8]) -> Result<()> {
        self.check_order(key)?;
        if document.len() > self.tools.max_leaf_item_bytes {
            let large = self.tools.put_large(document)?;
            self.add_large(key, None, large)?;
        } else {
            self.make_room(document.len())?;
            if self.open.items == 0 {
                self.open.separator = self.separator(key, None);
            }
            match self.open.parts.last_mut() {
                Some(Part::Own(bytes)) => bytes.extend_from_slice(document),
                _ => self.open.parts.push(Part::Own(document.to_vec())),
            }
            self.count(document.len(), self.tools.leaves.hash(key))?;
        }
        self.set_last_key(key);
        Ok(())
    }

    /// Whether a leaf would begin with the next item.
    pub(super) const fn is_at_cut(&self) -> bool {
        self.open.items == 0
    }

    /// Takes over a leaf, or a large item, by its name. What comes next is separated from it by `next_separator`.
    pub(super) fn take_over(&mut self, child: Child, next_separator: Option<Vec<u8>>) -> Result<()> {
        self.close_leaf()?;
        self.written = plus(self.written, child.amount);
        // What comes behind it is greater, but for all that is known of its keys here.
        self.last_key = child.separator.clone();
        self.next_separator = next_separator;
        self.add_unit(Unit::There(child), UNIT_BYTES)
    }

    /// Lets go of batches that anything here holds a part of: nothing stays but the open leaf. What else waits would
    /// stay until more comes, and nobody knows whether any does.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn let_go(&mut self) -> Result<()> {
        if !matches!(self.open.parts.as_slice(), [] | [Part::Own(_)]) {
            let own = self.open.parts.iter().flat_map(|part| part.bytes()).copied().collect();
            self.open.parts = vec![Part::Own(own)];
        }
        self.hand_out()
    }

    fn check_order(&self, key: &[u8]) -> Result<()> {
        match self.last_key() {
            Some(previous) if key <= previous => {
                Err(RunError::Order { previous: previous.to_vec(), key: key.to_vec() })
            }
            _ => Ok(()),
        }
    }

    fn set_last_key(&mut self, key: &[u8]) {
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
    }

    /// The separator of a child that begins with this key, behind the key before.
    fn separator(&mut self, key: &[u8], previous: Option<&[u8]>) -> Vec<u8> {
        let known = self.next_separator.take();
        known.unwrap_or_else(|| separator::between(previous.unwrap_or(&self.last_key), key).to_vec())
    }

    fn make_room(&mut self, item_bytes: usize) -> Result<()> {
        if self.open.items > 0 && self.open.bytes + item_bytes > self.tools.leaves.max_bytes() {
            self.close_leaf()?;
        }
        Ok(())
    }

    /// Counts an item that was added to the open leaf, and ends that if it is to end.
    fn count(&mut self, item_bytes: usize, hash: u64) -> Result<()> {
        self.open.bytes += item_bytes;
        self.open.items += 1;
        self.written = plus(self.written, Amount::of(1, item_bytes as u64));
        if self.tools.leaves.ends_by(hash, item_bytes, self.open.bytes) { self.close_leaf() } else { Ok(()) }
    }

    fn add_large(&mut self, key: &[u8], previous: Option<&[u8]>, large: LargeItem) -> Result<()> {
        self.close_leaf()?;
        let separator = self.separator(key, previous);
        let amount = Amount::of(1, large.plain_bytes);
        self.written = plus(self.written, amount);
        self.add_unit(Unit::There(Child { id: large.id, separator, amount }), UNIT_BYTES)
    }

    fn close_leaf(&mut self) -> Result<()> {
        if self.open.items == 0 {
            return Ok(());
        }
        let OpenLeaf { parts, separator, bytes, items } = std::mem::take(&mut self.open);
        let amount = Amount::of(items, bytes as u64);
        self.add_unit(Unit::Leaf { parts, separator, amount }, bytes)
    }

    fn add_unit(&mut self, unit: Unit, bytes: usize) -> Result<()> {
        self.units.push(unit);
        self.unit_bytes += bytes;
        if self.unit_bytes >= TASK_BYTES { self.hand_out() } else { Ok(()) }
    }

    /// Gives what waits to a task.
    fn hand_out(&mut self) -> Result<()> {
        if self.units.is_empty() {
            return Ok(());
        }
        let (units, tools) = (std::mem::take(&mut self.units), Arc::clone(&self.tools));
        self.unit_bytes = 0;
        let own: usize = units.iter().map(Unit::own_bytes).sum();
        let charge = self.tools.meter.charge(own);
        self.putting.push_back(Task::begin(&self.tools.meter, move || {
            let put = put(&tools, units);
            drop(charge);
            put
        }));
        self.collect_ready()
    }

    /// Adds to the nodes what was put meanwhile.
    fn collect_ready(&mut self) -> Result<()> {
        while let Some(children) = self.putting.front().and_then(Task::try_take) {
            self.putting.pop_front();
            self.collect(children?)?;
        }
        Ok(())
    }

    fn collect(&mut self, children: Vec<Child>) -> Result<()> {
        children.into_iter().try_for_each(|child| self.levels.add(child, &mut self.nodes))?;
        if self.nodes.node_count() >= TASK_NODES {
            let (nodes, tools) = (self.nodes.take_nodes(), Arc::clone(&self.tools));
            self.putting.push_back(Task::begin(&self.tools.meter, move || {
                let nodes: Vec<BlockRef<'_>> = nodes.iter().map(|plain| BlockRef::node(plain)).collect();
                tools.session.put(&nodes)?;
                Ok(Vec::new())
            }));
        }
        Ok(())
    }

    /// Hands out all that is left. Nothing may come after it but [`Self::finish`].
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn close(&mut self) -> Result<()> {
        self.close_leaf()?;
        self.hand_out()
    }

    /// Ends the run, as [`crate::run::RunWriter::finish`] does.
    ///
    /// # Errors
    /// Failures of the store.
    pub(crate) fn finish(mut self) -> Result<Option<Run>> {
        self.close()?;
        while let Some(task) = self.putting.pop_front() {
            let children = task.wait()?;
            self.collect(children)?;
        }
        let top = self.levels.finish(&mut self.nodes)?;
        self.nodes.put_nodes(&self.tools.session)?;
        let Amount { items, plain_bytes, .. } = self.written;
        let kind = RunKind::Base;
        Ok(top.map(|top| Run { kind, top: top.id, items, plain_bytes, first: None, last: None }))
    }

    /// What failed in tasks whose results nobody has asked for.
    pub(crate) fn failures(&mut self) -> impl Iterator<Item = RunError> + use<'_> {
        self.putting.drain(..).filter_map(|task| task.wait().err())
    }
}

impl Unit {
    /// Memory that is not shared, in bytes.
    fn own_bytes(&self) -> usize {
        let Self::Leaf { parts, .. } = self else { return 0 };
        let own = parts.iter().filter(|part| matches!(part, Part::Own(_)));
        own.map(|part| part.bytes().len()).sum()
    }
}

fn plus(a: Amount, b: Amount) -> Amount {
    a.plus(b).expect("nobody has written 2^64 bytes")
}

/// Puts leaves, and tells what nodes have to say of all.
fn put(tools: &Tools, units: Vec<Unit>) -> Result<Vec<Child>> {
    let joined: Vec<Cow<'_, [u8]>> = units
        .iter()
        .filter_map(|unit| match unit {
            Unit::Leaf { parts, amount, .. } => Some(join(parts, amount.plain_bytes)),
            Unit::There(_) => None,
        })
        .collect();
    let leaves: Vec<BlockRef<'_>> = joined.iter().map(|leaf| BlockRef::leaf(leaf)).collect();
    let mut ids = tools.session.put(&leaves)?.into_iter();
    drop(joined);
    let child = |unit| match unit {
        Unit::Leaf { separator, amount, .. } => {
            Child { id: ids.next().expect("put names every block it is given"), separator, amount }
        }
        Unit::There(child) => child,
    };
    Ok(units.into_iter().map(child).collect())
}

fn join(parts: &[Part], bytes: u64) -> Cow<'_, [u8]> {
    if let [part] = parts {
        return Cow::Borrowed(part.bytes());
    }
    let mut joined = Vec::with_capacity(usize::try_from(bytes).expect("a leaf fits into memory"));
    parts.iter().for_each(|part| joined.extend_from_slice(part.bytes()));
    Cow::Owned(joined)
}
