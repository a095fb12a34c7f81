//! Divergences: places where the oplog and the state do not fit each other, as a person is told of them.

use crate::patch::Misfit;
use std::fmt;
use tidemark_base::bson::{Doc, DocWriter, Element};
use tidemark_base::{CollectionUuid, OpTime};
use tidemark_oplog::catalog;

/// A strict operation that did not fit: the state is no longer that of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The entry. None if it was found while patches were folded, which no longer know: it lies between the
    /// optimes of the runs, and is found by searching the slices.
    pub at: Option<OpTime>,
    /// The namespace, as the entry has it, or as the collection is called where it was found later.
    pub namespace: String,
    /// The collection.
    pub uuid: Option<CollectionUuid>,
    /// The document: one whose only field is the `_id`. None if it is about a collection, or not known.
    pub id: Option<Vec<u8>>,
    /// What did not fit.
    pub what: What,
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
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.namespace.escape_debug())?;
        if let Some(at) = self.at {
            write!(f, " at {at}")?;
        }
        if let Some(id) = &self.id {
            f.write_str(", _id ")?;
            id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        match &self.what {
            What::Document(misfit) => write!(f, ": {misfit}"),
            What::NoCollection => f.write_str(": there is no such collection"),
            What::Command(misfit) => write!(f, ": {misfit}"),
        }
    }
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
