//! Writing documents: elements are copied or made, lengths are filled in at the end.

use super::element::Element;
use super::kind;
use crate::Timestamp;

/// Appends one document, and documents within it, to a buffer.
///
/// Lengths are written when a document is ended, so each `begin` needs its `end`; dropping a writer early
/// leaves a broken document in the buffer.
#[derive(Debug)]
pub struct DocWriter<'b> {
    out: &'b mut Vec<u8>,
}

/// A document that was begun and must be ended.
#[derive(Debug)]
#[must_use = "end it, or its length is never written"]
pub struct Open {
    start: usize,
}

impl<'b> DocWriter<'b> {
    /// Writes to the end of `out`.
    pub const fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Length of the whole buffer, in bytes: for callers who bound what they write.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.out.len()
    }

    /// Begins a document that stands alone.
    pub fn begin(&mut self) -> Open {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        Open { start }
    }

    /// Begins a document (or array, by `kind`) as a field.
    pub fn begin_field(&mut self, kind: u8, name: &[u8]) -> Open {
        self.head(kind, name);
        self.begin()
    }

    /// Ends the innermost document. Panics if it is 2 GiB or more, or was not begun in this buffer: both
    /// are our own mistakes, since all limits lie far below.
    pub fn end(&mut self, open: Open) {
        self.out.push(0);
        let len = i32::try_from(self.out.len() - open.start).expect("documents stay far below 2 GiB");
        let field = self.out.get_mut(open.start..open.start + 4).expect("begin wrote four bytes here");
        field.copy_from_slice(&len.to_le_bytes());
    }

    fn head(&mut self, kind: u8, name: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(name);
        self.out.push(0);
    }

    /// Copies a field as it is.
    pub fn element(&mut self, element: Element<'_>) {
        self.raw(element.kind, element.name, element.value);
    }

    /// Copies fields that stand together in a document, as they are: see
    /// [`Elements::rest`](super::Elements::rest).
    pub fn fields(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// Writes a field whose value is in its BSON form already.
    pub fn raw(&mut self, kind: u8, name: &[u8], value: &[u8]) {
        self.head(kind, name);
        self.out.extend_from_slice(value);
    }

    /// Writes a null.
    pub fn null(&mut self, name: &[u8]) {
        self.head(kind::NULL, name);
    }

    /// Writes a boolean.
    pub fn bool(&mut self, name: &[u8], value: bool) {
        self.raw(kind::BOOL, name, &[u8::from(value)]);
    }

    /// Writes an int32.
    pub fn int32(&mut self, name: &[u8], value: i32) {
        self.raw(kind::INT32, name, &value.to_le_bytes());
    }

    /// Writes an int64.
    pub fn int64(&mut self, name: &[u8], value: i64) {
        self.raw(kind::INT64, name, &value.to_le_bytes());
    }

    /// Writes a timestamp.
    pub fn timestamp(&mut self, name: &[u8], value: Timestamp) {
        self.raw(kind::TIMESTAMP, name, &value.to_u64().to_le_bytes());
    }

    /// Writes a string. Panics if it is 2 GiB or more, which is our own mistake.
    pub fn string(&mut self, name: &[u8], value: &[u8]) {
        self.head(kind::STRING, name);
        let len = i32::try_from(value.len() + 1).expect("strings stay far below 2 GiB");
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.extend_from_slice(value);
        self.out.push(0);
    }

    /// Writes binary data. Panics if it is 2 GiB or more, which is our own mistake.
    pub fn binary(&mut self, name: &[u8], subtype: u8, value: &[u8]) {
        self.head(kind::BINARY, name);
        let len = i32::try_from(value.len()).expect("binary data stays far below 2 GiB");
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.push(subtype);
        self.out.extend_from_slice(value);
    }
}
