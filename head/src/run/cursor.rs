//! Going through the items of a run, in order: a stretch of it, from any key on.
//!
//! Used for scans, merges and lookups. Needs the memory of the leaves read ahead and of one large item. Nothing
//! that comes from disk is believed: keys ascend, lie where nodes say, and are as many; else the cursor ends
//! with an error, and is of no use after it.

#![warn(clippy::indexing_slicing)]

use super::error::Result;
use super::held::Leaf;
use super::open_leaf::OpenLeaf;
use super::path::{Path, Reading};
use super::range::KeyRange;
use super::record::{Run, RunKind};
use super::source::Source;
use crate::patch::Patch;
use std::ops::Range;
use std::sync::Arc;
use tidemark_base::BlockId;
use tidemark_base::bson::Doc;

/// A cursor over a stretch of a run.
pub struct RunCursor<'s> {
    source: &'s dyn Source,
    run: Run,
    range: KeyRange,
    path: Path,
    leaf: Option<OpenLeaf>,
    /// The key of the present item; else the last one, or nothing.
    key: Vec<u8>,
    /// Memory for the next key.
    spare: Vec<u8>,
    /// Nothing is known of the keys before.
    is_first: bool,
    /// Keys before this one are passed over.
    from: Option<Vec<u8>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    At,
    End,
}

/// Documents that stand one behind the other in a leaf, which is held.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    leaf: Arc<Leaf>,
    bytes: Range<usize>,
    /// How many they are.
    pub(crate) documents: u64,
    /// The length of the longest one.
    pub(crate) longest_bytes: usize,
}

impl Stretch {
    /// The documents.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.leaf.block.bytes().get(self.bytes.clone()).unwrap_or_default()
    }
}

/// The item that a cursor is at.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'c> {
    /// Its key.
    pub key: &'c [u8],
    /// Its contents; of a patch the payload alone.
    pub bytes: &'c [u8],
    leaf: &'c OpenLeaf,
}

impl<'c> Entry<'c> {
    /// The patch that it is; only in a patch run.
    ///
    /// # Errors
    /// Damage.
    pub fn patch(&self) -> Result<Patch<'c>> {
        self.leaf.patch(self.key)
    }

    /// The document that it is; only in a base run.
    ///
    /// # Errors
    /// That the run is none of documents.
    pub fn document(&self) -> Result<Doc<'c>> {
        self.leaf.document()
    }

    /// The blocks below it; only in a catalog.
    pub fn children(&self) -> impl Iterator<Item = BlockId> + use<'c> {
        self.leaf.children()
    }
}

impl std::fmt::Debug for RunCursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("RunCursor");
        shown
            .field("run", &self.run)
            .field("state", &self.state)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<'s> RunCursor<'s> {
    pub(super) fn new(source: &'s dyn Source, run: Run, range: KeyRange) -> Self {
        let from = range.from.clone();
        Self {
            source,
            run,
            range,
            path: Path::new(Reading::Ahead),
            leaf: None,
            key: Vec::new(),
            spare: Vec::new(),
            is_first: true,
            from,
            state: State::Before,
        }
    }

    /// The same for one of many parts of a stack that are read at once, each on one thread: the leaves of a base,
    /// which belong to one part, as many together as there are; those of patches, of which each reaches over many
    /// parts, by way of the source's cache.
    #[must_use]
    pub(crate) fn of_part(mut self) -> Self {
        let reading = if self.run.kind == RunKind::Base { Reading::Row } else { Reading::Single };
        self.path = Path::new(reading);
        self
    }

    /// What the items are.
    #[must_use]
    pub const fn kind(&self) -> RunKind {
        self.run.kind
    }

    /// Goes to the next item, and says whether there is one.
    ///
    /// # Errors
    /// Damage, and failures of the store.
    pub fn advance(&mut self) -> Result<bool> {
        if self.state == State::End {
            return Ok(false);
        }
        // Whatever fails, this is the end.
        self.state = State::End;
        while self.step()? {
            if !self.is_in_range()? {
                return Ok(false);
            }
            if self.from.as_deref().is_none_or(|from| self.key.as_slice() >= from) {
                self.from = None;
                self.state = State::At;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the item it is at lies before the end of the range. One that does not belongs to whoever reads from
    /// there on: who would never see it here, should the nodes say that it lies elsewhere.
    fn is_in_range(&self) -> Result<bool> {
        let is_in = self.range.is_before_end(&self.key);
        if !is_in {
            self.leaf.iter().try_for_each(|leaf| leaf.check_key(&self.key))?;
        }
        Ok(is_in)
    }

    /// Goes on from the document it is at to the last one of its leaf before `before`, if that is given, and before
    /// the end of the range; and then to the next item of the leaf, which the second part of the answer says whether
    /// there is: the cursor is at it, as after an [`Self::advance`], or at its end. If not, the next advance goes on
    /// behind the leaf. None if it is at no document, or at one that does not lie in a leaf.
    ///
    /// # Errors
    /// Damage.
    pub(crate) fn stretch(&mut self, before: Option<&[u8]>) -> Result<Option<(Stretch, bool)>> {
        if self.state != State::At {
            return Ok(None);
        }
        let Some(open) = self.leaf.as_mut() else { return Ok(None) };
        let Some((leaf, first)) = open.document_in_leaf() else { return Ok(None) };
        let leaf = Arc::clone(leaf);
        let mut found = Stretch { leaf, longest_bytes: first.len(), bytes: first, documents: 1 };
        // Whatever fails, this is the end.
        self.state = State::End;
        while let Some(open) = &mut self.leaf {
            if !open.advance(&mut self.key, &mut self.is_first, &mut self.spare)? {
                self.leaf = None;
                self.state = State::Before;
                return Ok(Some((found, false)));
            }
            if !self.is_in_range()? {
                break;
            }
            if before.is_some_and(|before| self.key.as_slice() >= before) {
                self.state = State::At;
                break;
            }
            let Some((_, next)) = self.leaf.as_ref().and_then(OpenLeaf::document_in_leaf) else { break };
            found.longest_bytes = found.longest_bytes.max(next.len());
            found.bytes.end = next.end;
            found.documents += 1;
        }
        Ok(Some((found, true)))
    }

    /// Goes to the next item, wherever it lies.
    fn step(&mut self) -> Result<bool> {
        loop {
            if let Some(leaf) = &mut self.leaf {
                if leaf.advance(&mut self.key, &mut self.is_first, &mut self.spare)? {
                    return Ok(true);
                }
                self.leaf = None;
            }
            let from = self.from.as_deref();
            let Some(found) = self.path.next(self.source, &self.run, &self.range, from)? else {
                return Ok(false);
            };
            let mut leaf = OpenLeaf::open(self.run.kind, found, self.source)?;
            if let Some(from) = &self.from {
                leaf.skip_to(from)?;
            }
            self.leaf = Some(leaf);
        }
    }

    /// The item it is at; none before the first [`Self::advance`] and after the last.
    #[must_use]
    pub fn current(&self) -> Option<Entry<'_>> {
        let leaf = self.leaf.as_ref().filter(|_| self.state == State::At)?;
        Some(Entry { key: &self.key, bytes: leaf.bytes(), leaf })
    }

    /// The key of the item it is at.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        (self.state == State::At).then_some(&self.key)
    }

    /// Goes to the next item and returns it.
    ///
    /// # Errors
    /// As [`Self::advance`].
    #[expect(clippy::should_implement_trait, reason = "it lends: an iterator cannot")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>> {
        self.advance()?;
        Ok(self.current())
    }

    /// Goes to just before the first item of the range whose key is at least `key`: forwards or backwards.
    pub fn seek(&mut self, key: &[u8]) {
        let from = self.range.from.as_deref().filter(|start| *start > key).unwrap_or(key).to_vec();
        let is_ahead = self.state == State::At && self.key < from;
        let is_in_leaf = is_ahead && self.leaf.as_ref().is_some_and(|leaf| leaf.may_hold(&from));
        if !is_in_leaf {
            self.leaf = None;
            self.is_first = true;
            self.path.seek(&from);
        }
        self.from = Some(from);
        self.state = State::Before;
    }
}
