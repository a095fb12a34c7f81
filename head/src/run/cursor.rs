//! Going through the items of a run, in order: a stretch of it, from any key on.
//!
//! Used for scans, merges and lookups. Needs the memory of the leaves read ahead and of one large item. Nothing
//! that comes from disk is believed: keys ascend, lie where nodes say, and are as many; else the cursor ends
//! with an error, and is of no use after it.

#![warn(clippy::indexing_slicing)]

use super::error::Result;
use super::open_leaf::OpenLeaf;
use super::path::Path;
use super::range::KeyRange;
use super::record::{Run, RunKind};
use super::source::Source;
use crate::patch::Patch;
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
            path: Path::new(),
            leaf: None,
            key: Vec::new(),
            spare: Vec::new(),
            is_first: true,
            from,
            state: State::Before,
        }
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
            if !self.range.is_before_end(&self.key) {
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
            self.leaf = Some(OpenLeaf::open(self.run.kind, found, self.source)?);
        }
    }

    /// The item it is at; none before the first [`Self::advance`] and after the last.
    #[must_use]
    pub fn current(&self) -> Option<Entry<'_>> {
        let leaf = self.leaf.as_ref().filter(|_| self.state == State::At)?;
        Some(Entry { key: &self.key, bytes: leaf.bytes(), leaf })
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
