//! `$v: 2` diffs of arrays: `{a: true, l: length?, u<N>: value, s<N>: diff, …}`, positions ascending.
//!
//! The result is numbered from 0, whatever names the old elements had. Positions beyond the end are padded
//! with nulls; a nested diff beyond the end gives null. A position at or beyond the new length is refused:
//! a server (6.0.5) ends itself over it.

use super::diff::{self, Writing};
use super::positions::Counter;
use super::{UpdateError, printable};
use tidemark_base::bson::{Doc, Element, Elements, kind};

/// Longest array that a diff may make: more elements do not fit into a document, whatever they are.
const MAX_ELEMENTS: u32 = 4 << 20;

/// A change of one element.
#[derive(Clone, Copy)]
struct Edit<'a> {
    position: u32,
    /// Whether it is a new value rather than a nested diff.
    is_value: bool,
    content: Element<'a>,
}

/// The changes of an array, read one by one.
struct Edits<'a> {
    elements: Elements<'a>,
    /// The new length, if there is one.
    length: Option<u32>,
    /// The change to come.
    next: Option<Edit<'a>>,
}

/// Writes the elements of an array, changed.
pub(super) fn elements<'d>(
    writing: &mut Writing<'_, 'd>,
    array: Doc<'_>,
    diff: Doc<'d>,
    depth: usize,
) -> Result<(), UpdateError> {
    let mut edits = Edits::open(diff)?;
    let mut counter = Counter::new();
    let mut elements = array.elements();
    let mut uncopied = elements.rest();
    while edits.length.is_none_or(|length| counter.position() < length) {
        let here = elements.rest();
        let Some(old) = elements.next().transpose()? else { break };
        let edit = edits.take_at(counter.position())?;
        // What stays, under the name it has, is copied in one go with what stands before it.
        if edit.is_some() || old.name != counter.name() {
            writing.out.copy(uncopied, here)?;
            uncopied = elements.rest();
        }
        match edit {
            Some(edit) if edit.is_value => writing.out.value(counter.name(), edit.content)?,
            Some(edit) => writing.nested(old, counter.name(), edit.content, depth + 1)?,
            None if old.name != counter.name() => writing.out.value(counter.name(), old)?,
            None => {}
        }
        counter.advance();
    }
    writing.out.copy(uncopied, elements.rest())?;
    // What follows a new length is left out, but not left unread.
    elements.try_for_each(|element| element.map(drop))?;
    while edits.next.is_some() || edits.length.is_some_and(|length| counter.position() < length) {
        match edits.take_at(counter.position())? {
            Some(edit) if edit.is_value => writing.out.value(counter.name(), edit.content)?,
            Some(edit) => {
                writing.passed_over(edit.content, depth + 1)?;
                writing.out.null(counter.name())?;
            }
            None => writing.out.null(counter.name())?,
        }
        counter.advance();
    }
    Ok(())
}

/// Checks a diff that is not applied.
pub(super) fn check(diff: Doc<'_>, depth: usize) -> Result<(), UpdateError> {
    let mut edits = Edits::open(diff)?;
    while let Some(edit) = edits.next {
        if !edit.is_value {
            diff::check(edit.content, depth + 1)?;
        }
        edits.advance()?;
    }
    Ok(())
}

impl<'a> Edits<'a> {
    fn open(diff: Doc<'a>) -> Result<Self, UpdateError> {
        let mut elements = diff.elements();
        let header = elements.next().transpose()?;
        if header.and_then(|header| header.as_bool()) != Some(true) {
            return Err(UpdateError::BadDiff("an array's diff does not begin with a: true".into()));
        }
        let mut edits = Edits { elements: elements.clone(), length: None, next: None };
        if let Some(second) = elements.next().transpose()?.filter(|second| second.name == b"l") {
            let length = second.as_integer().filter(|_| second.kind == kind::INT32);
            let length = length.and_then(|length| u32::try_from(length).ok());
            let length = length.filter(|length| *length <= MAX_ELEMENTS);
            edits.length = Some(length.ok_or_else(|| bad(second, "is no length"))?);
            edits.elements = elements;
        }
        edits.advance()?;
        Ok(edits)
    }

    /// The change of the element at this position, if it has one.
    fn take_at(&mut self, position: u32) -> Result<Option<Edit<'a>>, UpdateError> {
        let Some(edit) = self.next.filter(|edit| edit.position == position) else { return Ok(None) };
        self.advance()?;
        Ok(Some(edit))
    }

    /// Reads the next change.
    fn advance(&mut self) -> Result<(), UpdateError> {
        let Some(content) = self.elements.next().transpose()? else {
            self.next = None;
            return Ok(());
        };
        let (is_value, digits) = match content.name {
            [b'u', digits @ ..] => (true, digits),
            [b's', digits @ ..] => (false, digits),
            _ => return Err(bad(content, "is not known")),
        };
        let position = super::positions::parse(digits).filter(|position| *position < MAX_ELEMENTS);
        let position = position.ok_or_else(|| bad(content, "has no position"))?;
        if self.next.is_some_and(|last| last.position >= position) {
            return Err(bad(content, "is out of order"));
        }
        if self.length.is_some_and(|length| position >= length) {
            return Err(bad(content, "lies beyond the new length"));
        }
        if !is_value && content.kind != kind::OBJECT {
            return Err(bad(content, "is no document"));
        }
        self.next = Some(Edit { position, is_value, content });
        Ok(())
    }
}

fn bad(element: Element<'_>, why: &str) -> UpdateError {
    UpdateError::BadDiff(format!("'{}' in an array's diff {why}", printable(element.name)))
}
