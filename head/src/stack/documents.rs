//! A stack as its documents, by key.

#![warn(clippy::indexing_slicing)]

use super::{PatchCursor, Report, Stack};
use crate::patch::{Folder, Outcome};
use crate::run::{KeyRange, Result, RunCursor, RunReader, Source, Stretch};
use std::cmp::Ordering;

/// Goes through the documents of a stack, by key. Documents that nothing was done to are not copied.
#[derive(Debug)]
pub struct MergeCursor<'s> {
    base: Option<RunCursor<'s>>,
    patches: PatchCursor<'s>,
    folder: Folder,
    /// What patches made of a document.
    document: Vec<u8>,
    base_is: Side,
    patches_are: Side,
    is_broken: bool,
}

/// What one side of the merge has to do before the next document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Go to its next item: the one it is at was seen, or it is before the first.
    Behind,
    /// It is at an item that was not seen, or at its end.
    Ready,
}

/// What comes next: one document or many.
#[derive(Debug)]
pub(crate) enum Next<'c> {
    /// Documents of the base that no patch touches.
    Stretch(Stretch),
    /// A document.
    Document(&'c [u8]),
}

/// Where the document stands that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    InBase,
    InBuffer,
}

impl<'s> MergeCursor<'s> {
    /// A cursor before the first document with a key in `range`.
    #[must_use]
    pub fn open(source: &'s dyn Source, stack: Stack<'s>, range: &KeyRange) -> Self {
        let base = stack.base.map(|run| RunReader::open(source, run).cursor(range.clone()));
        Self::new(base, PatchCursor::open(source, stack.patches, stack.top, range))
    }

    /// The same for one of many parts that are read at once: see [`RunCursor::of_part`].
    pub(super) fn of_part(source: &'s dyn Source, stack: Stack<'s>, range: &KeyRange) -> Self {
        let base = stack.base.map(|run| RunReader::open(source, run).cursor(range.clone()).of_part());
        Self::new(base, PatchCursor::of_part(source, stack.patches, stack.top, range))
    }

    fn new(base: Option<RunCursor<'s>>, patches: PatchCursor<'s>) -> Self {
        Self {
            base,
            patches,
            folder: Folder::new(),
            document: Vec::new(),
            base_is: Side::Behind,
            patches_are: Side::Behind,
            is_broken: false,
        }
    }

    /// The next document and its key. What does not fit on the way is reported, also of documents that are not
    /// there in the end.
    ///
    /// # Errors
    /// Damage, and failures of the store; after them there are no more documents.
    pub fn next(&mut self, report: Report<'_>) -> Result<Option<(&[u8], &[u8])>> {
        if self.is_broken {
            return Ok(None);
        }
        let found = self.find(report);
        self.is_broken = found.is_err();
        Ok(match found? {
            Some(Found::InBase) => {
                self.base.as_ref().and_then(RunCursor::current).map(|entry| (entry.key, entry.bytes))
            }
            Some(Found::InBuffer) => self.patches.key().map(|key| (key, self.document.as_slice())),
            None => None,
        })
    }

    /// As [`Self::next`], but as many documents at once as stand together in a leaf of the base. No keys.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) fn next_piece(&mut self, report: Report<'_>) -> Result<Option<Next<'_>>> {
        if self.is_broken {
            return Ok(None);
        }
        let found = self.find_piece(report);
        self.is_broken = found.is_err();
        Ok(match found? {
            (_, Some(stretch)) => Some(Next::Stretch(stretch)),
            (Some(Found::InBase), None) => {
                self.base.as_ref().and_then(RunCursor::current).map(|entry| Next::Document(entry.bytes))
            }
            (Some(Found::InBuffer), None) => Some(Next::Document(&self.document)),
            (None, None) => None,
        })
    }

    fn find_piece(&mut self, report: Report<'_>) -> Result<(Option<Found>, Option<Stretch>)> {
        let found = self.find(report)?;
        let base = self.base.as_mut().filter(|_| found == Some(Found::InBase));
        let Some(base) = base else { return Ok((found, None)) };
        let Some((stretch, is_at_next)) = base.stretch(self.patches.key())? else { return Ok((found, None)) };
        self.base_is = if is_at_next { Side::Ready } else { Side::Behind };
        Ok((found, Some(stretch)))
    }

    fn find(&mut self, report: Report<'_>) -> Result<Option<Found>> {
        loop {
            if let Some(base) = self.base.as_mut().filter(|_| self.base_is == Side::Behind) {
                base.advance()?;
            }
            if self.patches_are == Side::Behind {
                self.patches.advance()?;
            }
            (self.base_is, self.patches_are) = (Side::Ready, Side::Ready);
            let below = self.base.as_ref().and_then(RunCursor::current);
            let order = match below {
                Some(below) => self.patches.cmp_key(below.key),
                None => Ordering::Less,
            };
            let document = below.map(|below| below.document()).transpose()?;
            if order == Ordering::Greater {
                self.base_is = Side::Behind;
                return Ok(Some(Found::InBase));
            }
            let Some(key) = self.patches.key() else { return Ok(None) };
            let below = document.filter(|_| order == Ordering::Equal);
            let mut misfits = Vec::new();
            self.document.clear();
            let outcome = self.patches.patch(&mut self.folder, report)?.map_or(Outcome::Gone, |patch| {
                self.folder.fold(below, &patch, &mut self.document, &mut misfits)
            });
            misfits.into_iter().for_each(|misfit| report(key, misfit));
            self.patches_are = Side::Behind;
            if order == Ordering::Equal {
                self.base_is = Side::Behind;
            }
            if outcome == Outcome::Document {
                return Ok(Some(Found::InBuffer));
            }
        }
    }

    /// Goes to just before the first document of the range whose key is at least `key`.
    pub fn seek(&mut self, key: &[u8]) {
        self.base.iter_mut().for_each(|base| base.seek(key));
        self.patches.seek(key);
        (self.base_is, self.patches_are, self.is_broken) = (Side::Behind, Side::Behind, false);
    }
}
