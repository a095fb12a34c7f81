//! Options as `listCollections` shows them: a raw document with its fields in the server's order.
//!
//! Used by `create`, `collMod` and their like. A `create` entry gives them in this order already. What
//! `collMod` adds goes to its place in `CollectionOptions::appendBSON` (MongoDB 6.0, `collection_options.cpp`);
//! a field that is not known stays where it is, and a new one goes to the end.

use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::bson::{Doc, DocWriter, Element, kind};
use tidemark_base::codec::CodecError;

/// The options of a collection, in the server's order.
pub(super) const ORDER: [&str; 17] = [
    "capped",
    "size",
    "max",
    "autoIndexId",
    "temp",
    "recordPreImages",
    "changeStreamPreAndPostImages",
    "storageEngine",
    "indexOptionDefaults",
    "validator",
    "validationLevel",
    "validationAction",
    "collation",
    "clusteredIndex",
    "expireAfterSeconds",
    "timeseries",
    "encryptedFields",
];

/// A value that can be put into a document.
#[derive(Clone, Debug)]
pub(super) struct Value {
    kind: u8,
    bytes: Vec<u8>,
}

impl Value {
    /// The same as an element has.
    pub(super) fn of(element: Element<'_>) -> Self {
        Self { kind: element.kind, bytes: element.value.to_vec() }
    }

    /// A number as the server keeps those that it has as 64 bits: as int32 if it fits.
    pub(super) fn number(value: i64) -> Self {
        match i32::try_from(value) {
            Ok(value) => Self { kind: kind::INT32, bytes: value.to_le_bytes().to_vec() },
            Err(_) => Self { kind: kind::INT64, bytes: value.to_le_bytes().to_vec() },
        }
    }

    pub(super) fn bool(value: bool) -> Self {
        Self { kind: kind::BOOL, bytes: vec![u8::from(value)] }
    }

    /// A short text.
    pub(super) fn text(text: &str) -> Self {
        let len = u32::try_from(text.len() + 1).expect("words of our own");
        let bytes = [&len.to_le_bytes(), text.as_bytes(), &[0]].concat();
        Self { kind: kind::STRING, bytes }
    }

    pub(super) fn document(document: Vec<u8>) -> Self {
        Self { kind: kind::OBJECT, bytes: document }
    }

    fn write(&self, w: &mut DocWriter<'_>, name: &[u8]) {
        w.raw(self.kind, name, &self.bytes);
    }
}

/// Fields in which a node names its own files, in the entries of 8.2 and later. They mean nothing elsewhere.
const OF_A_NODE: [&str; 10] = [
    "catalogId",
    "ident",
    "idIndexIdent",
    "indexIdent",
    "sorterIdent",
    "sideWritesIdent",
    "skippedRecordsIdent",
    "constraintViolationsIdent",
    "directoryPerDB",
    "directoryForIndexes",
];

/// Whether a field is about one node only, and so neither an option nor part of a specification.
pub(super) fn is_of_a_node(field: &[u8]) -> bool {
    OF_A_NODE.iter().any(|known| known.as_bytes() == field)
}

/// Fields of a document to be set or removed, all in one go, however many there are. Of a name that comes
/// twice, the last counts.
#[derive(Debug, Default)]
pub(super) struct Edits<'n> {
    edits: BTreeMap<&'n [u8], Edit>,
}

#[derive(Debug)]
struct Edit {
    /// None removes the field.
    value: Option<Value>,
    /// How many names came before it: new fields that are not known stand in that order.
    turn: usize,
    written: bool,
}

/// A field that is set and not there: its rank, its name and its value.
type New<'n> = (usize, &'n [u8], Value);

impl<'n> Edits<'n> {
    pub(super) const fn new() -> Self {
        Self { edits: BTreeMap::new() }
    }

    /// Sets a field: in place if it is there, else at its place.
    pub(super) fn set(&mut self, name: &'n [u8], value: Value) {
        self.put(name, Some(value));
    }

    /// Removes a field.
    pub(super) fn remove(&mut self, name: &'n [u8]) {
        self.put(name, None);
    }

    pub(super) fn put(&mut self, name: &'n [u8], value: Option<Value>) {
        let turn = self.edits.len();
        self.edits.entry(name).or_insert(Edit { value: None, turn, written: false }).value = value;
    }

    /// Whether the field is among them.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.edits.contains_key(name)
    }

    /// The changed document. New fields that are known go in front of those that come behind them in `order`.
    pub(super) fn apply(mut self, document: &[u8], order: &[&str]) -> Result<Vec<u8>, CodecError> {
        let document = Doc::new(document)?;
        let new = self.new_fields(document, order)?;
        let mut new = new.into_iter().peekable();
        let mut out = Vec::with_capacity(document.as_bytes().len() + 64);
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        for element in document.elements() {
            let element = element?;
            let rank = rank(order, element.name);
            while let Some((_, name, value)) = new.next_if(|(own, ..)| rank.is_some_and(|rank| *own < rank)) {
                value.write(&mut w, name);
            }
            match self.edits.get_mut(element.name) {
                None => w.element(element),
                Some(edit) => {
                    if let (false, Some(value)) = (std::mem::replace(&mut edit.written, true), &edit.value) {
                        value.write(&mut w, element.name);
                    }
                }
            }
        }
        new.for_each(|(_, name, value)| value.write(&mut w, name));
        w.end(open);
        Ok(out)
    }

    /// Takes out what is set and not there, in the order in which it is to stand: what is known, then the rest.
    fn new_fields(&mut self, document: Doc<'_>, order: &[&str]) -> Result<Vec<New<'n>>, CodecError> {
        let mut present = BTreeSet::new();
        for element in document.elements() {
            present.insert(element?.name);
        }
        let mut new = Vec::new();
        for (name, edit) in &mut self.edits {
            if !present.contains(name)
                && let Some(value) = edit.value.take()
            {
                let rank = rank(order, name).unwrap_or_else(|| order.len() + edit.turn);
                new.push((rank, *name, value));
            }
        }
        new.sort_by_key(|(rank, ..)| *rank);
        Ok(new)
    }
}

fn rank(order: &[&str], field: &[u8]) -> Option<usize> {
    order.iter().position(|known| known.as_bytes() == field)
}

/// The document without this field.
pub(super) fn remove(document: &[u8], name: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut edits = Edits::new();
    edits.remove(name);
    edits.apply(document, &[])
}
