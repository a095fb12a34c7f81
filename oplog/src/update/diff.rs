//! `$v: 2` diffs of documents.
//!
//! The result keeps the old order of fields; what is not found is appended, updates before inserts. A field
//! name that the stored document repeats is changed or removed wherever it occurs, as the server's own diff
//! applier does (observed on 6.0.5); the primary that logged the diff had changed the first only, so members
//! of a real set differ there too. Whether a diff is an error does not depend on the document: what does not
//! apply is checked all the same, so that a form of diff that is not known is never passed over.
//!
//! Each part of a diff is read and checked once, or twice if it is for a name that is repeated: the work is
//! bounded by what goes in and what comes out, and does not multiply.

use super::changes::{Change, Changes, Met};
use super::output::Output;
use super::{Fit, UpdateError, array_diff, check_depth, id_first};
use std::collections::BTreeMap;
use tidemark_base::bson::{Doc, Element, kind};

/// Appends what the diff makes of a whole document: its `_id` stays, and stands in front.
pub(super) fn apply(document: Doc<'_>, diff: Doc<'_>, out: &mut Vec<u8>) -> Result<Fit, UpdateError> {
    let mut changes = Changes::new();
    changes.read(diff)?;
    let id_stays =
        document.first_element()?.is_some_and(|first| first.name == b"_id") && !changes.moves(b"_id");
    if id_stays {
        return whole(document, &mut changes, out);
    }
    let mut unordered = Vec::with_capacity(document.as_bytes().len().saturating_add(diff.as_bytes().len()));
    let fit = whole(document, &mut changes, &mut unordered)?;
    let unordered = Doc::new(&unordered)?;
    // A diff cannot remove an `_id`, only move it (observed on 6.0.5).
    let id = unordered.get("_id")?.or(document.get("_id")?);
    id_first(id, unordered, out)?;
    Ok(fit)
}

fn whole<'d>(document: Doc<'_>, changes: &mut Changes<'d>, out: &mut Vec<u8>) -> Result<Fit, UpdateError> {
    let out = Output::new(out);
    let mut writing = Writing { out, fit: Fit::Whole, again: false, large: BTreeMap::new() };
    let open = writing.out.begin()?;
    writing.fields(document, changes, 0)?;
    writing.out.end(open)?;
    Ok(writing.fit)
}

/// A document being written, of which parts may be arrays.
pub(super) struct Writing<'b, 'd> {
    pub(super) out: Output<'b>,
    /// Whether all of the diff has had its place so far.
    pub(super) fit: Fit,
    /// Below a field whose name was met before. Everything of the diff down there has been checked then.
    again: bool,
    /// Tables for nested diffs below such a field, by address: only those that it would cost to read again
    /// for each of a million fields of one name.
    large: BTreeMap<usize, Box<Changes<'d>>>,
}

impl<'d> Writing<'_, 'd> {
    /// Writes the fields of a document, changed. What does not change is copied in one go up to the next
    /// change.
    fn fields(
        &mut self,
        document: Doc<'_>,
        changes: &mut Changes<'d>,
        depth: usize,
    ) -> Result<(), UpdateError> {
        let mut elements = document.elements();
        let mut uncopied = elements.rest();
        loop {
            let here = elements.rest();
            let Some(old) = elements.next().transpose()? else { break };
            let Some(Met { change, new, again }) = changes.meet(old.name) else { continue };
            self.out.copy(uncopied, here)?;
            uncopied = elements.rest();
            match change {
                Change::Delete | Change::Insert => {}
                Change::Update => self.out.value(old.name, new)?,
                Change::Binary { offset } => self.patched(old, offset, new.value)?,
                Change::Nested => {
                    let before = self.again;
                    self.again |= again;
                    self.nested(old, old.name, new, depth + 1)?;
                    self.again = before;
                }
            }
        }
        self.out.copy(uncopied, &[])?;
        for new in changes.appended() {
            self.out.value(new.name, new)?;
        }
        if changes.has_unmet() {
            self.fit = Fit::Parts;
            if !self.again {
                return changes.unmet().try_for_each(|diff| check(diff, depth + 1));
            }
        }
        Ok(())
    }

    /// Applies a nested diff, of a document or an array, to the field it is for, and writes it as `name`.
    ///
    /// A value of another kind becomes null, as in 6.0 (newer servers leave it): it only happens when a log is
    /// replayed over a later state, and a later entry then sets the field.
    pub(super) fn nested(
        &mut self,
        old: Element<'_>,
        name: &[u8],
        diff: Element<'d>,
        depth: usize,
    ) -> Result<(), UpdateError> {
        check_depth(depth)?;
        let content = content(diff)?;
        let is_array = is_of_array(content)?;
        let fits = old.kind == if is_array { kind::ARRAY } else { kind::OBJECT };
        let Some(document) = old.as_doc().filter(|_| fits) else {
            self.passed_over(diff, depth)?;
            return self.out.null(name);
        };
        let open = self.out.begin_field(old.kind, name)?;
        if is_array {
            array_diff::elements(self, document, content, depth)?;
        } else if self.again {
            self.fields_again(document, content, depth)?;
        } else {
            let mut changes = Changes::new();
            changes.read(content)?;
            self.fields(document, &mut changes, depth)?;
        }
        self.out.end(open)
    }

    /// Writes the fields of a document, changed by a diff that was perhaps applied to others. Cold, and never
    /// inlined: it would make the frames of the recursion larger.
    #[cold]
    #[inline(never)]
    fn fields_again(&mut self, document: Doc<'_>, diff: Doc<'d>, depth: usize) -> Result<(), UpdateError> {
        let address = diff.as_bytes().as_ptr().addr();
        let mut changes = match self.large.remove(&address) {
            Some(mut known) => {
                known.begin_again();
                known
            }
            None => {
                let mut new = Box::new(Changes::new());
                new.read(diff)?;
                new
            }
        };
        self.fields(document, &mut changes, depth)?;
        if changes.is_large() {
            self.large.insert(address, changes);
        }
        Ok(())
    }

    /// Notes a nested diff that has nothing to be applied to, and checks it.
    pub(super) fn passed_over(&mut self, diff: Element<'_>, depth: usize) -> Result<(), UpdateError> {
        self.fit = Fit::Parts;
        if self.again { Ok(()) } else { check(diff, depth) }
    }

    /// Applies a binary patch: the payload up to the offset, then the data, and no more. What it does not fit
    /// stays as it is.
    fn patched(&mut self, old: Element<'_>, offset: usize, data: &[u8]) -> Result<(), UpdateError> {
        match old.as_binary().and_then(|(subtype, payload)| Some((subtype, payload.get(..offset)?))) {
            Some((subtype, kept)) => self.out.binary(old.name, subtype, [kept, data]),
            None => {
                self.fit = Fit::Parts;
                self.out.value(old.name, old)
            }
        }
    }
}

/// Checks a nested diff that is not applied.
pub(super) fn check(diff: Element<'_>, depth: usize) -> Result<(), UpdateError> {
    check_depth(depth)?;
    let content = content(diff)?;
    if is_of_array(content)? {
        return array_diff::check(content, depth);
    }
    let mut changes = Changes::new();
    changes.read(content)?;
    changes.unmet().try_for_each(|diff| check(diff, depth + 1))
}

fn content(diff: Element<'_>) -> Result<Doc<'_>, UpdateError> {
    diff.as_object().ok_or_else(|| UpdateError::BadDiff("a nested diff is no document".into()))
}

/// Whether a diff is of an array: it begins with `a`, which is no section of a document's diff.
fn is_of_array(diff: Doc<'_>) -> Result<bool, UpdateError> {
    Ok(diff.first_element()?.is_some_and(|first| first.name == b"a"))
}
