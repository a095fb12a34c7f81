//! The fields of an entry, or of an operation within an `applyOps`, read in one pass.
//!
//! Called by the parser of entries and by the iterator over operations: both kinds of documents have the
//! same fields, the inner ones lack the position. Only the fields that matter here are looked at; others,
//! known or not, are passed over and stay in the raw bytes. If a field is repeated, the last one counts.

#![warn(clippy::indexing_slicing)]

use crate::error::EntryProblem;
use tidemark_base::bson::{Doc, Element, kind};
use tidemark_base::{CollectionUuid, OpTime, Timestamp};

/// What was found. Absent fields are `None`, or the value that their absence means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    pub(super) op: Option<Element<'a>>,
    pub(super) ns: Option<Element<'a>>,
    pub(super) uuid: Option<CollectionUuid>,
    pub(super) o: Option<Doc<'a>>,
    pub(super) o2: Option<Doc<'a>>,
    pub(super) ts: Option<Timestamp>,
    pub(super) term: i64,
    pub(super) version: Option<i64>,
    pub(super) wall_ms: Option<i64>,
    pub(super) session: Option<Doc<'a>>,
    pub(super) txn_number: Option<i64>,
    pub(super) previous: OpTime,
    pub(super) multi_op_type: i64,
    /// `b`: the update is an upsert.
    pub(super) upsert: bool,
}

impl<'a> Fields<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// If the document is broken at its top level, or a field has the wrong type.
    pub(super) fn read(raw: Doc<'a>) -> Result<Self, EntryProblem> {
        let mut fields = Self {
            op: None,
            ns: None,
            uuid: None,
            o: None,
            o2: None,
            ts: None,
            term: OpTime::NO_TERM,
            version: None,
            wall_ms: None,
            session: None,
            txn_number: None,
            previous: OpTime::NULL,
            multi_op_type: 0,
            upsert: false,
        };
        for element in raw.elements() {
            let element = element?;
            match element.name {
                b"op" => fields.op = Some(element),
                b"ns" => fields.ns = Some(element),
                b"ui" => {
                    let uuid = typed(element.as_uuid(), "ui")?;
                    fields.uuid = Some(CollectionUuid::from_bytes(uuid));
                }
                b"o" => fields.o = Some(typed(element.as_object(), "o")?),
                b"o2" => fields.o2 = Some(typed(element.as_object(), "o2")?),
                b"ts" => fields.ts = Some(typed(element.as_timestamp(), "ts")?),
                b"t" => fields.term = typed(element.as_integer(), "t")?,
                b"v" => fields.version = Some(typed(element.as_integer(), "v")?),
                b"b" => fields.upsert = typed(element.as_bool(), "b")?,
                b"wall" => fields.wall_ms = Some(typed(element.as_date_ms(), "wall")?),
                b"lsid" => fields.session = Some(typed(element.as_object(), "lsid")?),
                b"txnNumber" => fields.txn_number = Some(typed(element.as_integer(), "txnNumber")?),
                b"prevOpTime" => fields.previous = optime(element)?,
                b"multiOpType" => fields.multi_op_type = typed(element.as_integer(), "multiOpType")?,
                _ => {}
            }
        }
        Ok(fields)
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

/// `value`, or the error that the field is not as it should be.
pub(super) fn typed<T>(value: Option<T>, field: &'static str) -> Result<T, EntryProblem> {
    value.ok_or(EntryProblem::Field { field })
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
