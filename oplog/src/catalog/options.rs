//! Options as `listCollections` shows them: a raw document with its fields in the server's order.
//!
//! Used by `create`, `collMod` and their like. A `create` entry gives them in this order already. What
//! `collMod` adds goes to its place in `CollectionOptions::appendBSON` (MongoDB 6.0, `collection_options.cpp`);
//! a field that is not known stays where it is, and a new one goes to the end.

use tidemark_base::bson::{Doc, DocWriter, Element, kind};
use tidemark_base::codec::CodecError;

const ORDER: [&str; 17] = [
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

    fn write(&self, w: &mut DocWriter<'_>, name: &str) {
        w.raw(self.kind, name.as_bytes(), &self.bytes);
    }
}

/// The options with this field set: in place if it is there, else at its place.
pub(super) fn set(options: &[u8], name: &str, value: &Value) -> Result<Vec<u8>, CodecError> {
    set_ordered(options, &ORDER, name, value)
}

/// The options without this field.
pub(super) fn remove(options: &[u8], name: &str) -> Result<Vec<u8>, CodecError> {
    retain(options, |field| field != name.as_bytes())
}

/// The document with only the fields that are to stay.
pub(super) fn retain(document: &[u8], stays: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(document.len());
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for element in Doc::new(document)?.elements() {
        let element = element?;
        if stays(element.name) {
            w.element(element);
        }
    }
    w.end(open);
    Ok(out)
}

/// As [`set`], for a document with another order of fields.
pub(super) fn set_ordered(
    document: &[u8],
    order: &[&str],
    name: &str,
    value: &Value,
) -> Result<Vec<u8>, CodecError> {
    let document = Doc::new(document)?;
    let rank = |field: &[u8]| order.iter().position(|known| known.as_bytes() == field);
    let own = rank(name.as_bytes());
    let replaces = document.get(name)?.is_some();
    let mut out = Vec::with_capacity(document.as_bytes().len() + 64);
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    let mut written = false;
    for element in document.elements() {
        let element = element?;
        let is_it = element.name == name.as_bytes();
        let is_behind = !replaces && own.is_some_and(|own| rank(element.name).is_some_and(|it| it > own));
        if !written && (is_it || is_behind) {
            value.write(&mut w, name);
            written = true;
        }
        if !is_it {
            w.element(element);
        }
    }
    if !written {
        value.write(&mut w, name);
    }
    w.end(open);
    Ok(out)
}
