//! The fields of an entry, or of an operation within an `applyOps`, read in one pass.
//!
//! Called by the parser of entries and by the iterator over operations: both kinds of documents have the
//! same fields, the inner ones lack the position. Only the fields that matter here are looked at; others,
//! known or not, are passed over and stay in the raw bytes. A field that matters must not be repeated: what
//! finds it again elsewhere (the position in [`crate::slice::optime`], the parts of a transaction) would take
//! another one of them.

#![warn(clippy::indexing_slicing)]

use crate::error::EntryProblem;
use tidemark_base::bson::{Doc, Element, kind};
use tidemark_base::{CollectionUuid, OpTime, Timestamp};

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) op: Option<Element<'a>>,
    pub(super) ns: Option<Element<'a>>,
    pub(super) uuid: Option<CollectionUuid>,
    pub(super) o: Option<Doc<'a>>,
    pub(super) o2: Option<Doc<'a>>,
    pub(super) ts: Option<Timestamp>,
    pub(super) term: Option<i64>,
    pub(super) version: Option<i64>,
    pub(super) wall_ms: Option<i64>,
    pub(super) session: Option<Doc<'a>>,
    pub(super) txn_number: Option<i64>,
    pub(super) previous: Option<OpTime>,
    pub(super) multi_op_type: Option<i64>,
    /// `b`: the update is an upsert.
    pub(super) upsert: Option<bool>,
}

impl<'a> Fields<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// If the document is broken at its top level, a field has the wrong type or is repeated, or the
    /// operation is of a tenant.
    #[inline]
    pub(super) fn read(raw: Doc<'a>) -> Result<Self, EntryProblem> {
        let mut fields = Self::default();
        fields.fill(raw)?;
        Ok(fields)
    }

    /// Reads them in place: copying them costs as much as reading three.
    fn fill(&mut self, raw: Doc<'a>) -> Result<(), EntryProblem> {
        for element in raw.elements() {
            let element = element?;
            match element.name {
                b"op" => once(&mut self.op, element, "op")?,
                b"ns" => once(&mut self.ns, element, "ns")?,
                b"ui" => {
                    let uuid = typed(element.as_uuid(), "ui")?;
                    once(&mut self.uuid, CollectionUuid::from_bytes(uuid), "ui")?;
                }
                b"o" => once(&mut self.o, typed(element.as_object(), "o")?, "o")?,
                b"o2" => once(&mut self.o2, typed(element.as_object(), "o2")?, "o2")?,
                b"ts" => once(&mut self.ts, typed(element.as_timestamp(), "ts")?, "ts")?,
                b"t" => once(&mut self.term, typed(element.as_integer(), "t")?, "t")?,
                b"v" => once(&mut self.version, typed(element.as_integer(), "v")?, "v")?,
                b"b" => once(&mut self.upsert, typed(element.as_bool(), "b")?, "b")?,
                b"wall" => once(&mut self.wall_ms, typed(element.as_date_ms(), "wall")?, "wall")?,
                b"lsid" => once(&mut self.session, typed(element.as_object(), "lsid")?, "lsid")?,
                b"txnNumber" => {
                    let number = typed(element.as_integer(), "txnNumber")?;
                    once(&mut self.txn_number, number, "txnNumber")?;
                }
                b"prevOpTime" => once(&mut self.previous, optime(element)?, "prevOpTime")?,
                b"multiOpType" => {
                    let kind = typed(element.as_integer(), "multiOpType")?;
                    once(&mut self.multi_op_type, kind, "multiOpType")?;
                }
                b"tid" => return Err(EntryProblem::Tenant),
                _ => {}
            }
        }
        Ok(())
    }

    /// The name of the operation's type.
    pub(super) fn operation(&self) -> Result<&'a [u8], EntryProblem> {
        typed(self.op.and_then(Element::as_text), "op")
    }

    /// The namespace, not yet checked.
    pub(super) fn namespace(&self) -> Result<&'a str, EntryProblem> {
        typed(self.ns.and_then(Element::as_str), "ns")
    }

    /// The payload.
    pub(super) fn payload(&self) -> Result<Doc<'a>, EntryProblem> {
        typed(self.o, "o")
    }
}

/// Notes a field that must not be there twice.
#[inline]
pub(super) fn once<T>(place: &mut Option<T>, value: T, field: &'static str) -> Result<(), EntryProblem> {
    if place.is_some() {
        return Err(EntryProblem::Repeated { field });
    }
    *place = Some(value);
    Ok(())
}

/// `value`, or the error that the field is not as it should be.
pub(super) fn typed<T>(value: Option<T>, field: &'static str) -> Result<T, EntryProblem> {
    // Not `ok_or`, which makes the error and throws it away, for every field of every entry.
    match value {
        Some(value) => Ok(value),
        None => Err(EntryProblem::Field { field }),
    }
}

/// An optime as a field. A null stands for none.
fn optime(element: Element<'_>) -> Result<OpTime, EntryProblem> {
    if element.kind == kind::NULL {
        return Ok(OpTime::NULL);
    }
    let document = typed(element.as_object(), "prevOpTime")?;
    let ts = typed(document.get("ts")?.and_then(Element::as_timestamp), "prevOpTime.ts")?;
    let term = match document.get("t")? {
        None => OpTime::NO_TERM,
        Some(term) => typed(term.as_integer(), "prevOpTime.t")?,
    };
    Ok(OpTime { ts, term })
}

/// The position of an entry that could not be read, as far as it can be told.
#[cold]
pub(super) fn position(raw: Doc<'_>) -> OpTime {
    let field = |name| raw.get(name).ok().flatten();
    let ts = field("ts").and_then(Element::as_timestamp);
    let term = field("t").and_then(Element::as_integer);
    ts.map_or(OpTime::NULL, |ts| OpTime { ts, term: term.unwrap_or(OpTime::NO_TERM) })
}

/// The value of a flag: a boolean, or a number as old clients write it. Absent is false.
pub(super) fn flag(element: Option<Element<'_>>, field: &'static str) -> Result<bool, EntryProblem> {
    let Some(element) = element else { return Ok(false) };
    let number = || element.as_integer().map(|number| number != 0);
    let double = || element.as_double().map(|number| number != 0.0);
    typed(element.as_bool().or_else(number).or_else(double), field)
}
