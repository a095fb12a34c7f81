//! What an update entry makes of a document: pure functions on raw bytes, exact to field order and type.
//!
//! Three forms exist ([`Update::parse`] tells them apart as the server does): a replacement, modifiers
//! (`$v: 1`, and whatever a user's own applyOps holds), and a diff (`$v: 2`). Called when operations are
//! folded into documents. Values are copied, never decoded and encoded again, and never looked into: what is
//! stored anew is checked where it is stored. The rules are those of MongoDB's documentation and what a 6.0.5
//! server was seen to do; where it was seen to end itself, the update is refused.
//!
//! Deliberately not here: whether the document keeps its `_id`. A server refuses an update that gives it
//! another (but 1 may become 1.0). Which are the same, only the order of keys tells, which `head` has: whoever
//! stores the result compares.

#![warn(clippy::indexing_slicing)]

mod array_diff;
mod changes;
mod diff;
mod modifiers;
mod operators;
mod output;
mod paths;
mod positions;

use tidemark_base::bson::{Doc, DocWriter, Element};
use tidemark_base::codec::CodecError;
use tidemark_base::limits::MAX_BSON_DEPTH;

/// The update of an entry, not yet applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update<'a> {
    /// The whole new document.
    Replacement(Doc<'a>),
    /// `$set`, `$unset` and the like, with paths.
    Modifiers(Doc<'a>),
    /// A diff by field names, nested.
    Diff(Doc<'a>),
}

/// Why an update cannot be understood or applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// The update or the document is not sound BSON.
    #[error(transparent)]
    Bson(#[from] CodecError),
    /// The entry's `o` is no form of update that is known.
    #[error("unknown form of update: {0}")]
    UnknownForm(String),
    /// A diff has a section that is unknown, out of order, empty or repeated.
    #[error("bad diff: {0}")]
    BadDiff(String),
    /// A modifier is not supported, or its operand is wrong.
    #[error("bad modifier: {0}")]
    BadModifier(String),
    /// The document holds a value that the modifier cannot work on; on the document it was logged for it did.
    #[error("the document does not fit the modifier: {0}")]
    Misfit(String),
    /// The result would be larger or deeper than a document can be.
    #[error("the updated document would be over the limit of {limit}: {what}")]
    TooLarge {
        /// What is over its limit.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Whether all of an update had its place in the document. On the document that it was logged for, it had: a
/// strict update of which only parts fit shows that the state has diverged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It had, as far as one can tell: to remove what is not there is no misfit.
    Whole,
    /// Not all of it: a nested diff for a field or an element that is missing or of another kind, a binary
    /// patch beyond the payload, or a path through a value that is no document. The rest was applied, and
    /// this as servers do over a state that is not exact yet.
    Parts,
}

impl<'a> Update<'a> {
    /// Tells which form the `o` of an update entry has. With `_id` it is a replacement, in which `$v` may be a
    /// field of the user's; without, `$v` decides; without both, it is modifiers (observed on 6.0.5).
    ///
    /// # Errors
    /// [`UpdateError::UnknownForm`] for an unknown `$v`, a diff that is missing, or a replacement without
    /// `_id`.
    pub fn parse(o: Doc<'a>) -> Result<Self, UpdateError> {
        let (mut version, mut diff, mut plain) = (None, None, None);
        for field in o.elements() {
            let field = field?;
            match field.name {
                b"_id" => return Ok(Self::Replacement(o)),
                b"$v" => version = version.or(Some(field)),
                b"diff" => diff = diff.or(Some(field)),
                _ => {}
            }
            plain = plain.or((!field.name.starts_with(b"$")).then_some(field.name));
        }
        match (version.map(version_number), plain) {
            (Some(Some(2)), _) => {
                let diff = diff.and_then(|diff| diff.as_object());
                diff.map(Self::Diff)
                    .ok_or_else(|| UpdateError::UnknownForm("$v is 2, but there is no diff".into()))
            }
            (None | Some(Some(1)), None) => Ok(Self::Modifiers(o)),
            (None | Some(Some(1)), Some(name)) => {
                let name = printable(name);
                Err(UpdateError::UnknownForm(format!("no _id, but the field '{name}', which is no operator")))
            }
            (Some(_), _) => Err(UpdateError::UnknownForm(version_text(version))),
        }
    }

    /// Appends what the update makes of `document` to `out`, and says whether all of it fitted. On an error,
    /// `out` is as it was. Whether the `_id` is the same still is for the caller to compare.
    ///
    /// # Errors
    /// As the variants of [`UpdateError`] say.
    pub fn apply(self, document: Doc<'_>, out: &mut Vec<u8>) -> Result<Fit, UpdateError> {
        let start = out.len();
        let result = match self {
            Self::Replacement(new) => replace(new, out).map(|()| Fit::Whole),
            Self::Modifiers(modifiers) => modifiers::apply(document, modifiers, out),
            Self::Diff(diff) => diff::apply(document, diff, out),
        };
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Appends what the update makes of a document that is not there, where a user's own applyOps upserts: a
    /// replacement itself, else what it makes of the `_id` alone (also of a diff, as observed on 6.0.5; other
    /// fields of the entry's `o2` do not count). On an error, `out` is as it was.
    ///
    /// # Errors
    /// As [`Update::apply`].
    pub fn upsert(self, id: Element<'_>, out: &mut Vec<u8>) -> Result<(), UpdateError> {
        if let Self::Replacement(_) = self {
            return self.apply(Doc::EMPTY, out).map(drop);
        }
        let mut bare = Vec::with_capacity(id.value.len().saturating_add(16));
        let mut w = DocWriter::new(&mut bare);
        let open = w.begin();
        w.raw(id.kind, b"_id", id.value);
        w.end(open);
        self.apply(Doc::new(&bare)?, out).map(drop)
    }
}

/// What is wrong with `$v`.
fn version_text(version: Option<Element<'_>>) -> String {
    let found = version.map(|version| match (version.as_integer(), version.as_double()) {
        (Some(number), _) => number.to_string(),
        (_, Some(number)) => number.to_string(),
        (None, None) => format!("a value of the BSON type {:#04x}", version.kind),
    });
    format!("$v is {}; 1 and 2 are known", found.unwrap_or_default())
}

/// `$v`, whatever type of number it has; users write doubles.
fn version_number(version: Element<'_>) -> Option<i64> {
    version.as_integer().or_else(|| match version.as_double()? {
        1.0 => Some(1),
        2.0 => Some(2),
        _ => None,
    })
}

/// Appends a replacement: its bytes, but for `_id`, which comes first.
fn replace(new: Doc<'_>, out: &mut Vec<u8>) -> Result<(), UpdateError> {
    id_first(new.get("_id")?, new, out)
}

/// Appends a document with this `_id` in front, and nowhere else.
fn id_first(id: Option<Element<'_>>, document: Doc<'_>, out: &mut Vec<u8>) -> Result<(), UpdateError> {
    let first = document.first_element()?;
    let Some(id) = id.filter(|id| first != Some(*id)) else {
        out.extend_from_slice(document.as_bytes());
        return Ok(());
    };
    let mut output = output::Output::new(out);
    let open = output.begin()?;
    output.value(b"_id", id)?;
    let mut moved = false;
    for element in document.elements() {
        let element = element?;
        // Of a name that is repeated, the first is the `_id`.
        if !moved && element.name == b"_id" {
            moved = true;
        } else {
            output.value(element.name, element)?;
        }
    }
    output.end(open)
}

/// A name as it can stand in a message, however broken it is.
pub(crate) fn printable(name: &[u8]) -> String {
    const LONGEST: usize = 80;
    let (shown, more) = name.split_at(name.len().min(LONGEST));
    let dots = if more.is_empty() { "" } else { "…" };
    format!("{}{dots}", String::from_utf8_lossy(shown).escape_debug())
}

/// An error unless one may go a level deeper.
fn check_depth(depth: usize) -> Result<(), UpdateError> {
    if depth >= MAX_BSON_DEPTH {
        return Err(UpdateError::TooLarge { what: "its levels of nesting", limit: MAX_BSON_DEPTH });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
