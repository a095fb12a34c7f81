//! Writing a run: items in ascending order in, blocks out.
//!
//! Called by flush, compaction and the initial build. The same items make the same blocks, whatever the store
//! held before and however the writing is batched. Needs the memory of a batch of leaves, one large item and a
//! few nodes, however long the run. What it puts is safe as long as the session lives; keeping it is the
//! caller's, by a ref.

#![warn(clippy::indexing_slicing)]

use super::batch::Batch;
use super::cut::KeyCutter;
use super::error::{Result, RunError};
use super::index::{Amount, Child};
use super::large::{Large, MAX_INLINE_BYTES};
use super::levels::Levels;
use super::record::{Run, RunKind};
use super::{leaf, separator};
use tidemark_base::BlockId;
use tidemark_base::bson::Doc;
use tidemark_base::limits::{MAX_ITEM_CHILDREN, MAX_KEY_BYTES, MAX_RUN_ITEM_BYTES};
use tidemark_blockstore::{Cutter, Session, encode_node};

/// How much waits before it is put, in bytes: enough to keep several threads busy.
const BATCH_BYTES: usize = 4 << 20;

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
    levels: Levels,
    last_key: Option<Vec<u8>>,
    written: Amount,
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
    /// Begins a run.
    #[must_use]
    pub fn new(session: &'s Session, kind: RunKind) -> Self {
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
            max_leaf_item_bytes: superblock.cut_sizes.max_bytes as usize,
            leaf: OpenLeaf::default(),
            batch: Batch::new(kind),
            levels: Levels::new(kind, *superblock),
            last_key: None,
            written: Amount::default(),
        }
    }

    /// Adds an item. In a base run, `bytes` is a document and `key` that of its `_id`. `children` are blocks
    /// that the item keeps alive, only in a catalog; their names must stand in `bytes` as well if they are to
    /// be read again.
    ///
    /// # Errors
    /// [`RunError::Order`] unless `key` is greater than the one before; [`RunError::NotADocument`],
    /// [`RunError::ChildrenInPlainRun`], [`RunError::TooLarge`]; failures of the store, after which the
    /// writer is of no use.
    pub fn push(&mut self, key: &[u8], bytes: &[u8], children: &[BlockId]) -> Result<()> {
        self.check(key, bytes, children)?;
        let item_bytes = leaf::item_bytes(self.kind, key, bytes, children.len());
        if item_bytes > self.max_leaf_item_bytes {
            self.close_leaf()?;
            self.push_large(key, bytes, children)?;
        } else {
            self.push_small(key, bytes, children, item_bytes)?;
        }
        let last_key = self.last_key.get_or_insert_default();
        last_key.clear();
        last_key.extend_from_slice(key);
        if self.batch.len_bytes() >= BATCH_BYTES { self.put_batch() } else { Ok(()) }
    }

    fn check(&self, key: &[u8], bytes: &[u8], children: &[BlockId]) -> Result<()> {
        if let Some(previous) = self.last_key.as_deref().filter(|previous| key <= *previous) {
            return Err(RunError::Order { previous: previous.to_vec(), key: key.to_vec() });
        }
        if self.kind == RunKind::Base {
            Doc::new(bytes).map_err(RunError::NotADocument)?;
        }
        if self.kind != RunKind::Catalog && !children.is_empty() {
            return Err(RunError::ChildrenInPlainRun);
        }
        for (what, len, limit) in [
            ("the length of the key", key.len(), MAX_KEY_BYTES),
            ("the length", key.len().saturating_add(bytes.len()), MAX_RUN_ITEM_BYTES),
            ("the number of children", children.len(), MAX_ITEM_CHILDREN),
        ] {
            if len > limit {
                return Err(RunError::TooLarge { what, len, limit });
            }
        }
        Ok(())
    }

    fn push_small(&mut self, key: &[u8], bytes: &[u8], children: &[BlockId], item_bytes: usize) -> Result<()> {
        if self.leaf_bytes() > 0 && self.leaf_bytes() + item_bytes > self.leaf_cutter.max_bytes() {
            self.close_leaf()?;
        }
        if self.leaf.amount.items == 0 {
            leaf::begin(self.kind, &mut self.leaf.body);
            self.leaf.separator = self.separator(key);
        }
        leaf::put_item(self.kind, key, bytes, children.len(), &mut self.leaf.body);
        self.leaf.children.extend_from_slice(children);
        self.leaf.amount.items += 1;
        self.leaf.amount.plain_bytes += item_bytes as u64;
        if self.leaf_cutter.ends(key, item_bytes, self.leaf_bytes()) { self.close_leaf() } else { Ok(()) }
    }

    /// The length of the items in the open leaf.
    fn leaf_bytes(&self) -> usize {
        usize::try_from(self.leaf.amount.plain_bytes).expect("a leaf fits into memory")
    }

    /// The separator of a child that begins with this key.
    fn separator(&self, key: &[u8]) -> Vec<u8> {
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
        self.count(std::mem::take(&mut self.leaf.amount));
        Ok(())
    }

    fn push_large(&mut self, key: &[u8], bytes: &[u8], children: &[BlockId]) -> Result<()> {
        let separator = self.separator(key);
        // In a base the key follows from the document.
        let key = if self.kind == RunKind::Base { &[] } else { key };
        let head = if self.kind == RunKind::Patch { crate::patch::head_bytes(bytes) } else { 0 };
        let (head, rest) = bytes.split_at_checked(head).unwrap_or((&[], bytes));
        let start = [key, head].concat();
        let (inline, start) =
            if start.len() <= MAX_INLINE_BYTES { (start.as_slice(), &[][..]) } else { (&[][..], start.as_slice()) };
        for part in [start, rest] {
            self.value_cutter.cut(part).for_each(|piece| self.batch.piece(piece));
        }
        let large = Large {
            own_children: children.len(),
            key_bytes: key.len(),
            content_bytes: bytes.len(),
            inline,
        };
        self.batch.large(large, children, separator);
        self.count(Amount { items: 1, plain_bytes: large.plain_bytes() });
        Ok(())
    }

    fn count(&mut self, amount: Amount) {
        self.written = self.written.plus(amount).expect("nobody has written 2^64 bytes");
    }

    fn put_batch(&mut self) -> Result<()> {
        for child in self.batch.put(self.session)? {
            self.levels.add(child, &mut self.batch)?;
        }
        Ok(())
    }

    /// Ends the run: all its blocks are put, and durable with the session's next sync. Without items there is
    /// no run. The optimes are the caller's to fill in.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn finish(mut self) -> Result<Option<Run>> {
        self.close_leaf()?;
        self.put_batch()?;
        let top: Option<Child> = self.levels.finish(&mut self.batch)?;
        self.batch.put_nodes(self.session)?;
        let Amount { items, plain_bytes } = self.written;
        Ok(top.map(|top| Run { kind: self.kind, top: top.id, items, plain_bytes, first: None, last: None }))
    }
}
