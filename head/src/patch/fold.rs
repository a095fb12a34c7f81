//! Folding: a document or none, and a patch in; a document or none out.

use super::updates::{Fit, Pending, Updates};
use super::{Expects, Misfit, Patch, Then};
use crate::key;
use std::borrow::Cow;
use tidemark_base::bson::{Doc, Element};
use tidemark_oplog::update::{self, UpdateError};

/// Folds and composes patches, with buffers that are used again: one for each thread, made once.
#[derive(Debug, Default)]
pub struct Folder {
    /// The document so far, if it is not the one below.
    pub(super) document: Vec<u8>,
    /// What the next update makes of it.
    next: Vec<u8>,
}

/// What came of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was appended to the output.
    Document,
    /// There is none.
    Gone,
}

/// Where the document is after updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// There is none.
    Nowhere,
    /// It is what it was.
    Below,
    /// In the folder's buffer.
    Buffer,
}

impl Folder {
    /// A folder with empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How much memory the buffers hold.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.document.capacity() + self.next.capacity()
    }

    /// Appends what the patch makes of `below` to `out`, if there is a document then. What does not fit is
    /// added to `found`, and the fold goes on: [`Misfit`] says with what.
    pub fn fold(
        &mut self,
        below: Option<Doc<'_>>,
        patch: &Patch<'_>,
        out: &mut Vec<u8>,
        found: &mut Vec<Misfit>,
    ) -> Outcome {
        patch.expects.meet(below.is_some(), found);
        let document = match &patch.then {
            Then::Gone => return Outcome::Gone,
            Then::Document(bytes) => bytes,
            Then::Updates(updates) => match (self.run(below, updates, found), below) {
                (Held::Buffer, _) => self.document.as_slice(),
                (Held::Below, Some(below)) => below.as_bytes(),
                (Held::Nowhere | Held::Below, _) => return Outcome::Gone,
            },
        };
        out.extend_from_slice(document);
        Outcome::Document
    }

    /// The patch with nothing left to wait for: it does to `below` what `patch` does, and to nothing else.
    /// What does not fit is added to `found`, and is not in it any more.
    pub fn settle(
        &mut self,
        below: Option<Doc<'_>>,
        patch: &Patch<'_>,
        found: &mut Vec<Misfit>,
    ) -> Patch<'static> {
        let mut document = Vec::new();
        let then = match self.fold(below, patch, &mut document, found) {
            Outcome::Document => Then::Document(Cow::Owned(document)),
            Outcome::Gone if below.is_none() => return Patch::nothing(),
            Outcome::Gone => Then::Gone,
        };
        Patch { expects: Expects::Any, then }
    }

    /// Applies updates in order.
    pub(super) fn run(
        &mut self,
        below: Option<Doc<'_>>,
        updates: &Updates<'_>,
        found: &mut Vec<Misfit>,
    ) -> Held {
        let mut held = if below.is_some() { Held::Below } else { Held::Nowhere };
        for pending in updates.iter() {
            let before = match held {
                Held::Nowhere => None,
                Held::Below => below,
                Held::Buffer => Some(Doc::new(&self.document).expect("it was checked when it was written")),
            };
            self.next.clear();
            // Where it is moved into a patch, it is to fit closely.
            let len = before.map_or(0, |before| before.as_bytes().len());
            self.next.reserve_exact(len + pending.len_bytes());
            match pending.apply(before, &mut self.next, found) {
                Ok(true) => {
                    std::mem::swap(&mut self.document, &mut self.next);
                    held = Held::Buffer;
                }
                Ok(false) => {}
                Err(misfit) => found.push(misfit),
            }
        }
        held
    }
}

impl Pending<'_> {
    /// Writes what the update makes of a document, or of none, to the empty `out`; whether there is anything.
    fn apply(
        &self,
        before: Option<Doc<'_>>,
        out: &mut Vec<u8>,
        found: &mut Vec<Misfit>,
    ) -> Result<bool, Misfit> {
        let (id, parts) = match (before, self.fit) {
            (Some(before), fit) => {
                let parts = self.update.apply(before, out)? == update::Fit::Parts && fit == Fit::Strict;
                (before.get("_id").map_err(UpdateError::from)?.ok_or(Misfit::OtherId)?, parts)
            }
            (None, Fit::Upsert(id)) => {
                self.update.upsert(id, out)?;
                (id, false)
            }
            (None, Fit::Strict) => return Err(Misfit::Missing { operations: 1 }),
            (None, Fit::Tolerant) => return Ok(false),
        };
        check_id(id, Doc::new(out).map_err(UpdateError::from)?)?;
        found.extend(parts.then_some(Misfit::Parts));
        Ok(true)
    }
}

impl Expects {
    /// Adds to `found` what does not fit, if there is a document or there is none.
    pub(super) fn meet(self, is_there: bool, found: &mut Vec<Misfit>) {
        match self {
            Self::Absent if is_there => found.push(Misfit::Exists),
            Self::Present { operations } if !is_there => found.push(Misfit::Missing { operations }),
            Self::Any | Self::Absent | Self::Present { .. } => {}
        }
    }
}

/// Checks that a document has this `_id` still. Its spelling may be another: 1 may become 1.0.
pub(super) fn check_id(id: Element<'_>, document: Doc<'_>) -> Result<(), Misfit> {
    let now = document.get("_id").map_err(UpdateError::from)?.ok_or(Misfit::OtherId)?;
    if (now.kind, now.value) == (id.kind, id.value) {
        return Ok(());
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    key::encode(id, &mut before)?;
    key::encode(now, &mut after)?;
    if before == after { Ok(()) } else { Err(Misfit::OtherId) }
}
