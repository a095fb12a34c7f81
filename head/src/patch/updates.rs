//! Updates that wait for their document, in order, as the bytes in which they are stored.
//!
//! The list that composition appends to and folding goes through. A replacement makes what was done before it
//! of no account, so it stands first in a list, or behind an update that may have inserted the document. The
//! bytes are laid down in `docs/format.md`.

use std::borrow::Cow;
use tidemark_base::bson::{Doc, DocWriter, Element};
use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use tidemark_oplog::update::Update;

/// How an update in the list must fit, as far as it makes a difference there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit<'a> {
    /// It finds a document, or does not fit.
    Strict,
    /// It may find none, and then does nothing.
    Tolerant,
    /// If it finds none, it inserts one with this `_id`.
    Upsert(Element<'a>),
}

/// An update that waits for its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending<'a> {
    /// How it must fit.
    pub fit: Fit<'a>,
    /// What it does. Never a replacement if it upserts: that needs not wait.
    pub update: Update<'a>,
}

/// The list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updates<'a> {
    /// Sound to the documents in it, which is checked whenever a list comes into being.
    bytes: Cow<'a, [u8]>,
    len: u32,
    /// The strict ones before the first that upserts: each of them needs the document below.
    strict: u32,
    /// Where the last one ends that upserts: how many updates and bytes that are.
    upserted: Option<(u32, usize)>,
}

const STRICT: u8 = 0;
const TOLERANT: u8 = 1;
const UPSERT: u8 = 2;
const FITS: u8 = 0b11;
const REPLACEMENT: u8 = 0;
const MODIFIERS: u8 = 1 << 2;
const DIFF: u8 = 2 << 2;

impl<'a> Updates<'a> {
    /// A list without updates.
    pub(super) const fn none() -> Self {
        Self { bytes: Cow::Borrowed(&[]), len: 0, strict: 0, upserted: None }
    }

    /// A list of one update.
    ///
    /// # Errors
    /// If the `_id` of an upsert is no sound value.
    pub(super) fn one(pending: Pending<'_>) -> Result<Self, CodecError> {
        let mut bytes = Vec::with_capacity(pending.len_bytes());
        pending.write(&mut bytes);
        Self::decode(Cow::Owned(bytes))
    }

    /// Opens stored bytes.
    ///
    /// # Errors
    /// If they are not a list of updates: each one's documents are checked by length and terminator.
    pub(super) fn decode(bytes: Cow<'a, [u8]>) -> Result<Self, CodecError> {
        let (mut len, mut strict, mut upserted) = (0_u32, 0_u32, None);
        let mut reader = Reader::new(&bytes);
        while !reader.rest().is_empty() {
            let pending = Pending::read(&mut reader)?;
            len = len.saturating_add(1);
            match pending.fit {
                Fit::Strict if upserted.is_none() => strict = strict.saturating_add(1),
                Fit::Strict | Fit::Tolerant => {}
                Fit::Upsert(_) => upserted = Some((len, reader.offset())),
            }
        }
        Ok(Self { bytes, len, strict, upserted })
    }

    /// Its stored bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many of them need the document below.
    pub(super) const fn strict(&self) -> u32 {
        self.strict
    }

    /// Whether there is a document afterwards, whatever lies below.
    pub(super) const fn upserts(&self) -> bool {
        self.upserted.is_some()
    }

    /// The updates, in order.
    pub fn iter(&self) -> impl Iterator<Item = Pending<'_>> {
        let mut reader = Reader::new(&self.bytes);
        std::iter::from_fn(move || {
            let is_more = !reader.rest().is_empty();
            is_more.then(|| Pending::read(&mut reader).expect("checked when the list came into being"))
        })
    }

    /// Appends later updates. Returns how many went that need the document below, because a replacement made
    /// them of no account.
    pub(super) fn append(&mut self, later: Self) -> u32 {
        let mut gone = 0;
        if later.bytes.first().is_some_and(|tag| tag & !FITS == REPLACEMENT) {
            if let Some((len, bytes)) = self.upserted {
                self.len = len;
                self.bytes.to_mut().truncate(bytes);
            } else {
                gone = self.strict;
                *self = Self::none();
            }
        }
        if self.is_empty() {
            *self = later;
            return gone;
        }
        if self.upserted.is_none() {
            self.strict = self.strict.saturating_add(later.strict);
        }
        let behind = |(len, bytes): (u32, usize)| (self.len.saturating_add(len), self.bytes.len() + bytes);
        self.upserted = later.upserted.map(behind).or(self.upserted);
        self.len = self.len.saturating_add(later.len);
        self.bytes.to_mut().extend_from_slice(&later.bytes);
        gone
    }

    /// The same, borrowing its bytes.
    pub(super) fn borrowed(&self) -> Updates<'_> {
        Updates { bytes: Cow::Borrowed(&self.bytes), ..*self }
    }

    /// How much memory its own bytes take.
    pub(super) const fn held_bytes(&self) -> usize {
        match &self.bytes {
            Cow::Owned(bytes) => bytes.capacity(),
            Cow::Borrowed(_) => 0,
        }
    }

    /// The same, owning its bytes.
    pub(super) fn into_owned(self) -> Updates<'static> {
        Updates { bytes: Cow::Owned(self.bytes.into_owned()), ..self }
    }
}

/// Whether a list of updates that wait, with the first one `tag`, only goes behind another list: it begins with
/// no replacement, which would make that of no account.
pub(super) const fn only_appends(tag: u8) -> bool {
    tag & !FITS != REPLACEMENT
}

impl<'a> Pending<'a> {
    /// The document that is stored.
    const fn payload(&self) -> Doc<'a> {
        match self.update {
            Update::Replacement(payload) | Update::Modifiers(payload) | Update::Diff(payload) => payload,
        }
    }

    pub(super) fn len_bytes(&self) -> usize {
        let id = if let Fit::Upsert(id) = self.fit { id.value.len() + 10 } else { 0 };
        1 + id + self.payload().as_bytes().len()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let fit = match self.fit {
            Fit::Strict => STRICT,
            Fit::Tolerant => TOLERANT,
            Fit::Upsert(_) => UPSERT,
        };
        let form = match self.update {
            Update::Replacement(_) => REPLACEMENT,
            Update::Modifiers(_) => MODIFIERS,
            Update::Diff(_) => DIFF,
        };
        out.push(fit | form);
        if let Fit::Upsert(id) = self.fit {
            let mut w = DocWriter::new(out);
            let open = w.begin();
            w.raw(id.kind, b"_id", id.value);
            w.end(open);
        }
        out.extend_from_slice(self.payload().as_bytes());
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let at = reader.clone();
        let tag = reader.u8("update")?;
        let unknown = || at.error("update", CodecProblem::Unknown { value: tag.into() });
        let fit = match tag & FITS {
            STRICT => Fit::Strict,
            TOLERANT => Fit::Tolerant,
            UPSERT if tag != UPSERT | REPLACEMENT => Fit::Upsert(read_id(reader)?),
            _ => return Err(unknown()),
        };
        let form = match tag & !FITS {
            REPLACEMENT => Update::Replacement,
            MODIFIERS => Update::Modifiers,
            DIFF => Update::Diff,
            _ => return Err(unknown()),
        };
        let at = reader.clone();
        let payload = read_document(reader)?;
        if form(payload) == Update::Replacement(payload) && first_name(payload) != Some(b"_id") {
            return Err(at.error("_id of a replacement", CodecProblem::Truncated { needed: 1, left: 0 }));
        }
        Ok(Self { fit, update: form(payload) })
    }
}

fn first_name(document: Doc<'_>) -> Option<&[u8]> {
    document.elements().next()?.ok().map(|first| first.name)
}

/// A document whose only field is the `_id`.
fn read_id<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, CodecError> {
    let at = reader.clone();
    let mut fields = read_document(reader)?.elements();
    let in_document = |error: CodecError| CodecError { offset: at.offset() + error.offset, ..error };
    let id = fields.next().transpose().map_err(in_document)?.filter(|id| id.name == b"_id");
    match (id, fields.rest().len()) {
        (Some(id), 0) => Ok(id),
        (None, _) => Err(at.error("_id of an upsert", CodecProblem::Truncated { needed: 1, left: 0 })),
        (Some(_), extra) => Err(at.error("_id of an upsert", CodecProblem::Trailing { extra })),
    }
}

fn read_document<'a>(reader: &mut Reader<'a>) -> Result<Doc<'a>, CodecError> {
    let at = reader.offset();
    let found = Doc::first(reader.rest()).map(|(document, _)| document);
    let document = found.map_err(|error| CodecError { offset: at + error.offset, ..error })?;
    reader.bytes("document", document.as_bytes().len())?;
    Ok(document)
}
