//! Writing a run: items in ascending order in, blocks out.
//!
//! Called by flush, compaction and the initial build. The same items make the same blocks, whatever the store
//! held before and however the writing is batched. Needs the memory of a few batches of leaves, one large item and
//! some nodes, however long the run: batches are put by other threads while the next is filled ([`super::putting`]). What it puts is safe as long as the session lives; keeping it is the
//! caller's, by a ref.

#![warn(clippy::indexing_slicing)]

mod link;

use super::batch::Batch;
use super::cut::KeyCutter;
use super::error::{Result, RunError};
use super::index::{Amount, Child};
use super::large::{Large, Lengths, MAX_INLINE_BYTES};
use super::leaf::{self, Parts};
use super::levels::Levels;
use super::putting::Putting;
use super::record::{Run, RunKind};
use super::separator;
use crate::patch::{Expects, Patch, Then};
use tidemark_base::BlockId;
use tidemark_base::bson::Doc;
use tidemark_base::limits::{MAX_ITEM_CHILDREN, MAX_KEY_BYTES, MAX_RUN_ITEM_BYTES};
use tidemark_blockstore::{Cutter, Session, encode_node};

/// How much waits before it is put, in bytes: work of some milliseconds for one thread.
const BATCH_BYTES: usize = 1 << 20;

/// Writes one run.
#[derive(Debug)]
pub struct RunWriter<'s> {
    session: &'s Session,
    kind: RunKind,
    leaf_cutter: KeyCutter,
    value_cutter: Cutter,
    /// Items over this length are large.
    max_leaf_item_bytes: usize,
    leaf: OpenLeaf,
    batch: Batch,
    /// How much waits before it is put, in bytes.
    batch_bytes: usize,
    putting: Putting<'s>,
    levels: Levels,
    last_key: Option<Vec<u8>>,
    /// What separates the next item from a part of another run that was linked before it.
    linked: Option<Vec<u8>>,
    /// Memory for the heads of patches.
    head: Vec<u8>,
    written: Amount,
}

/// What an item leaves behind, for the sums in the nodes above it.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// A patch: no document.
    Gone,
    /// A patch: a document where none was.
    Fresh,
    Other,
}

impl Outcome {
    const fn amount(self, plain_bytes: u64) -> Amount {
        let (gone, fresh_bytes) = match self {
            Self::Gone => (1, 0),
            Self::Fresh => (0, plain_bytes),
            Self::Other => (0, 0),
        };
        Amount { items: 1, plain_bytes, gone, fresh_bytes }
    }
}

/// The leaf that is being filled.
#[derive(Debug, Default)]
struct OpenLeaf {
    /// Its contents; empty if there is none.
    body: Vec<u8>,
    /// The children of its items.
    children: Vec<BlockId>,
    separator: Vec<u8>,
    amount: Amount,
}

impl<'s> RunWriter<'s> {
    /// Begins a run whose blocks are put while whoever pushes waits.
    #[must_use]
    pub fn new(session: &'s Session, kind: RunKind) -> Self {
        Self::with(session, kind, Putting::at_once(session))
    }

    /// Writes a run of what `fill` pushes. Blocks are named, compressed and put on other threads meanwhile; nobody
    /// is at work for it any more when this returns.
    ///
    /// # Errors
    /// What `fill` returns; failures of the store.
    pub(crate) fn write<E: From<RunError>>(
        session: &Session,
        kind: RunKind,
        fill: impl FnOnce(&mut RunWriter<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<Option<Run>, E> {
        rayon::in_place_scope(|scope| {
            let mut writer = RunWriter::with(session, kind, Putting::in_scope(scope, session));
            fill(&mut writer)?;
            Ok(writer.finish()?)
        })
    }

    fn with(session: &'s Session, kind: RunKind, putting: Putting<'s>) -> Self {
        let superblock = session.store().superblock();
        let leaf_cutter = match kind {
            // A catalog's items are few and change often: its leaves are as small as nodes.
            RunKind::Catalog => KeyCutter::nodes(superblock, 0),
            RunKind::Base | RunKind::Patch => KeyCutter::leaves(superblock),
        };
        Self {
            session,
            kind,
            leaf_cutter,
            value_cutter: superblock.cutter(),
            // Half the longest leaf: chunks of GridFS, of 255 KiB, are large, and so are shared when a file is
            // stored again. With the whole, nothing of it would be.
            max_leaf_item_bytes: superblock.cut_sizes.max_bytes as usize / 2,
            leaf: OpenLeaf::default(),
            batch: Batch::new(kind),
            batch_bytes: BATCH_BYTES,
            putting,
            levels: Levels::new(kind, *superblock),
            last_key: None,
            linked: None,
            head: Vec::new(),
            written: Amount::default(),
        }
    }

    /// Adds an item to a base run or a catalog. In a base run, `bytes` is a document and `key` that of its
    /// `_id`. `children` are blocks that the item keeps alive, only in a catalog.
    ///
    /// # Errors
    /// [`RunError::Order`] unless `key` is greater than the one before; [`RunError::NotADocument`],
    /// [`RunError::WrongKind`], [`RunError::TooLarge`]; failures of the store, after which the writer is of
    /// no use.
    pub fn push(&mut self, key: &[u8], bytes: &[u8], children: &[BlockId]) -> Result<()> {
        if self.kind == RunKind::Base {
            Doc::new(bytes).map_err(RunError::NotADocument)?;
        }
        let has_strange_children = self.kind != RunKind::Catalog && !children.is_empty();
        if self.kind == RunKind::Patch || has_strange_children {
            return Err(RunError::WrongKind { kind: self.kind });
        }
        self.push_parts(Parts { key, head: &[], bytes, children }, Outcome::Other)
    }

    /// Adds an item to a patch run.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_patch(&mut self, key: &[u8], patch: &Patch<'_>) -> Result<()> {
        if self.kind != RunKind::Patch {
            return Err(RunError::WrongKind { kind: self.kind });
        }
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        patch.encode_head(&mut head);
        let outcome = match (patch.expects(), patch.then()) {
            (_, Then::Gone) => Outcome::Gone,
            (Expects::Absent, Then::Document(_)) => Outcome::Fresh,
            (_, Then::Document(_) | Then::Updates(_)) => Outcome::Other,
        };
        let item = Parts { key, head: &head, bytes: patch.payload(), children: &[] };
        let pushed = self.push_parts(item, outcome);
        self.head = head;
        pushed
    }

    #[cfg(test)]
    pub(super) fn set_batch_bytes(&mut self, bytes: usize) {
        self.batch_bytes = bytes;
    }

    fn push_parts(&mut self, item: Parts<'_>, outcome: Outcome) -> Result<()> {
        self.check(&item)?;
        let item_bytes = item.in_leaf_bytes(self.kind);
        if item_bytes > self.max_leaf_item_bytes {
            self.close_leaf()?;
            self.push_large(&item, outcome);
        } else {
            self.push_small(&item, outcome.amount(item_bytes as u64))?;
        }
        self.linked = None;
        let last_key = self.last_key.get_or_insert_default();
        last_key.clear();
        last_key.extend_from_slice(item.key);
        if self.batch.len_bytes() >= self.batch_bytes { self.hand_out() } else { Ok(()) }
    }

    fn check(&self, item: &Parts<'_>) -> Result<()> {
        let is_ordered = match (&self.linked, &self.last_key) {
            (Some(linked), _) => separator::is_passed(linked, item.key),
            (None, last_key) => last_key.as_deref().is_none_or(|previous| item.key > previous),
        };
        if !is_ordered {
            let previous = self.linked.as_ref().or(self.last_key.as_ref()).cloned().unwrap_or_default();
            return Err(RunError::Order { previous, key: item.key.to_vec() });
        }
        for (what, len, limit) in [
            ("the length of the key", item.key.len(), MAX_KEY_BYTES),
            ("the length", item.len_bytes(), MAX_RUN_ITEM_BYTES),
            ("the number of children", item.children.len(), MAX_ITEM_CHILDREN),
        ] {
            if len > limit {
                return Err(RunError::TooLarge { what, len, limit });
            }
        }
        Ok(())
    }

    fn push_small(&mut self, item: &Parts<'_>, amount: Amount) -> Result<()> {
        let item_bytes = usize::try_from(amount.plain_bytes).expect("an item fits into memory");
        if self.leaf_bytes() > 0 && self.leaf_bytes() + item_bytes > self.leaf_cutter.max_bytes() {
            self.close_leaf()?;
        }
        if self.leaf.amount.items == 0 {
            leaf::begin(self.kind, &mut self.leaf.body);
            self.leaf.separator = self.separator(item.key);
        }
        item.put(self.kind, &mut self.leaf.body);
        self.leaf.children.extend_from_slice(item.children);
        self.leaf.amount = self.leaf.amount.plus(amount).expect("a leaf fits into memory");
        if self.leaf_cutter.ends(item.key, item_bytes, self.leaf_bytes()) {
            self.close_leaf()?;
        }
        Ok(())
    }

    /// The length of the items in the open leaf.
    fn leaf_bytes(&self) -> usize {
        usize::try_from(self.leaf.amount.plain_bytes).expect("a leaf fits into memory")
    }

    /// The separator of a child that begins with this key.
    fn separator(&self, key: &[u8]) -> Vec<u8> {
        if let Some(linked) = &self.linked {
            return linked.clone();
        }
        self.last_key.as_deref().map_or_else(Vec::new, |last| separator::between(last, key).to_vec())
    }

    /// Hands the open leaf on, if there is one.
    fn close_leaf(&mut self) -> Result<()> {
        if self.leaf.amount.items == 0 {
            return Ok(());
        }
        let OpenLeaf { body, children, separator, amount } = &mut self.leaf;
        let separator = std::mem::take(separator);
        match self.kind {
            RunKind::Catalog => self.batch.leaf(&encode_node(children, body)?, separator, *amount),
            RunKind::Base | RunKind::Patch => self.batch.leaf(body, separator, *amount),
        }
        body.clear();
        children.clear();
        let amount = std::mem::take(amount);
        self.count(amount);
        Ok(())
    }

    fn push_large(&mut self, item: &Parts<'_>, outcome: Outcome) {
        let separator = self.separator(item.key);
        // In a base the key follows from the document.
        let key = if self.kind == RunKind::Base { &[] } else { item.key };
        let start = [key, item.head].concat();
        let inline = if start.len() <= MAX_INLINE_BYTES { start.as_slice() } else { &[] };
        for part in [start.get(inline.len()..).unwrap_or_default(), item.bytes] {
            self.value_cutter.cut(part).for_each(|piece| self.batch.piece(piece));
        }
        let lengths = Lengths { key: key.len(), head: item.head.len(), contents: item.bytes.len() };
        let large = Large { own_children: item.children.len(), lengths, inline };
        let amount = outcome.amount(large.plain_bytes());
        self.batch.large(large, item.children, separator, amount);
        self.count(amount);
    }

    fn count(&mut self, amount: Amount) {
        self.written = self.written.plus(amount).expect("nobody has written 2^64 bytes");
    }

    fn hand_out(&mut self) -> Result<()> {
        let children = self.putting.hand_out(self.kind, &mut self.batch)?;
        self.add_children(children)
    }

    /// Puts what waits. All that was pushed has its names then, but what is in the open leaf.
    fn put_all(&mut self) -> Result<()> {
        let children = self.putting.put_all(self.kind, &mut self.batch)?;
        self.add_children(children)
    }

    fn add_children(&mut self, children: Vec<Child>) -> Result<()> {
        children.into_iter().try_for_each(|child| self.levels.add(child, &mut self.batch))
    }

    /// Ends the run: all its blocks are put, and durable with the session's next sync. Without items there is
    /// no run. The optimes are the caller's to fill in.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn finish(mut self) -> Result<Option<Run>> {
        self.close_leaf()?;
        self.put_all()?;
        let top: Option<Child> = self.levels.finish(&mut self.batch)?;
        self.batch.put_nodes(self.session)?;
        let found = top.as_ref().map_or_else(Amount::default, |top| top.amount);
        assert_eq!(found, self.written, "a run has all that was pushed");
        let Amount { items, plain_bytes, .. } = self.written;
        Ok(top.map(|top| Run { kind: self.kind, top: top.id, items, plain_bytes, first: None, last: None }))
    }
}
