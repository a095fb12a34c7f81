//! Divergences: places where the oplog and the state do not fit each other, as a person is told of them.
//!
//! How many there are in all, and how many of them are kept, is [`crate::Divergences`]' business.

use crate::dump::extjson;
use crate::patch::Misfit;
use std::fmt::{self, Write as _};
use tidemark_base::bson::{Doc, DocWriter, Element};
use tidemark_base::{CollectionUuid, OpTime};
use tidemark_oplog::catalog;
use tidemark_oplog::entry::Doubt;

/// So much of an `_id` or a key is shown, in characters.
const MOST_SHOWN: usize = 200;

/// A strict operation that did not fit: the state is no longer that of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The entry. None if it was found while patches were folded, which no longer know.
    pub at: Option<OpTime>,
    /// Where the entry lies if it is not known itself: it is found by searching the slices.
    pub within: Option<Span>,
    /// The namespace, as the entry has it, or as the collection is called where it was found later.
    pub namespace: String,
    /// The collection.
    pub uuid: Option<CollectionUuid>,
    /// The document: one whose only field is the `_id`. None if it is about a collection, or not known.
    pub id: Option<Vec<u8>>,
    /// The key that the `_id` has in runs ([`crate::key`]), if the `_id` is not known: there is no document any
    /// more that would have it.
    pub key: Option<Vec<u8>>,
    /// What did not fit.
    pub what: What,
}

/// From which to which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: OpTime,
    /// The last.
    pub last: OpTime,
}

impl Span {
    /// Both, and what lies between them.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            first: if other.first.ts < self.first.ts { other.first } else { self.first },
            last: if other.last.ts > self.last.ts { other.last } else { self.last },
        }
    }
}

/// What did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An operation and its document.
    Document(Misfit),
    /// An operation on a collection that is not there.
    NoCollection,
    /// A command.
    Command(catalog::Misfit),
    /// Perhaps nothing: nobody can tell whether the document is that of the source.
    Doubt(Doubt),
}

impl Divergence {
    /// How many operations did not fit.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        match &self.what {
            What::Document(misfit) => misfit.operations() as u64,
            What::NoCollection | What::Command(_) | What::Doubt(_) => 1,
        }
    }

    /// The entry, or the first that it may be; if that is not known, before everything.
    #[must_use]
    pub fn earliest(&self) -> OpTime {
        self.at.or(self.within.map(|span| span.first)).unwrap_or(OpTime::NULL)
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.namespace.escape_debug())?;
        if let Some(at) = self.at {
            write!(f, " at {at}")?;
        } else if let Some(Span { first, last }) = self.within {
            write!(f, " between {first} and {last}")?;
        }
        if let Some(id) = self.id.as_deref() {
            f.write_str(", ")?;
            write!(f, "{}", ShownId(id))?;
        } else if let Some(key) = self.key.as_deref() {
            f.write_str(", key ")?;
            shown(&hex::encode(key), f)?;
        }
        match &self.what {
            What::Document(misfit) => write!(f, ": {misfit}"),
            What::NoCollection => f.write_str(": there is no such collection"),
            What::Command(misfit) => {
                if let Some(uuid) = misfit.uuid {
                    write!(f, " ({uuid})")?;
                }
                write!(f, ": {}", misfit.kind)
            }
            What::Doubt(doubt) => write!(f, ": {doubt}"),
        }
    }
}

/// A document whose only field is the `_id`, for a message.
pub(crate) struct ShownId<'a>(pub(crate) &'a [u8]);

impl fmt::Display for ShownId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(&as_json(self.0), f)
    }
}

fn as_json(id: &[u8]) -> String {
    let mut out = Vec::new();
    let written = Doc::new(id).is_ok_and(|id| extjson::write_document(id, &mut out).is_ok());
    if written { String::from_utf8_lossy(&out).into_owned() } else { hex::encode(id) }
}

/// The beginning of a text, without what a terminal would obey: JSON escapes only some of that.
fn shown(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars().take(MOST_SHOWN) {
        match c {
            '"' | '\'' | '\\' => f.write_char(c)?,
            c => write!(f, "{}", c.escape_debug())?,
        }
    }
    if text.chars().nth(MOST_SHOWN).is_some() { f.write_char('…') } else { Ok(()) }
}

/// A document whose only field is this `_id`.
pub(crate) fn only_id(id: Element<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(id.value.len() + 10);
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.raw(id.kind, b"_id", id.value);
    w.end(open);
    out
}

/// The same of a whole document, if it has an `_id`.
pub(crate) fn only_id_of(document: &[u8]) -> Option<Vec<u8>> {
    Some(only_id(Doc::new(document).ok()?.get("_id").ok()??))
}
