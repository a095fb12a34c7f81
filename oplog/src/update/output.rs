//! Writing an updated document that cannot grow past what a document can be.
//!
//! A few bytes can ask for very much: an array padded to a million nulls, or one large value for a field name
//! that the stored document repeats a million times. So every write is measured before it is made; memory
//! never holds more than one document of the largest size.

use super::UpdateError;
use tidemark_base::bson::{DocWriter, Element, Open};
use tidemark_base::limits::MAX_BSON_BYTES;

/// A [`DocWriter`] with a limit.
pub(super) struct Output<'b> {
    writer: DocWriter<'b>,
    /// How long the buffer may become, what it held before included.
    limit: usize,
}

impl<'b> Output<'b> {
    /// Writes one document to the end of `out`.
    pub(super) fn new(out: &'b mut Vec<u8>) -> Self {
        let limit = out.len().saturating_add(MAX_BSON_BYTES);
        Self { writer: DocWriter::new(out), limit }
    }

    fn make_room(&self, bytes: usize) -> Result<(), UpdateError> {
        if self.writer.len_bytes().saturating_add(bytes) > self.limit {
            return Err(UpdateError::TooLarge { what: "its length in bytes", limit: MAX_BSON_BYTES });
        }
        Ok(())
    }

    /// Begins the document itself.
    pub(super) fn begin(&mut self) -> Result<Open, UpdateError> {
        self.make_room(5)?;
        Ok(self.writer.begin())
    }

    /// Begins a nested document or array.
    pub(super) fn begin_field(&mut self, kind: u8, name: &[u8]) -> Result<Open, UpdateError> {
        self.make_room(name.len() + 7)?;
        Ok(self.writer.begin_field(kind, name))
    }

    /// Ends the innermost document.
    pub(super) fn end(&mut self, open: Open) -> Result<(), UpdateError> {
        self.make_room(1)?;
        self.writer.end(open);
        Ok(())
    }

    /// Copies the fields at the start of `fields`, up to where `rest` begins, which is the end of `fields`.
    pub(super) fn copy(&mut self, fields: &[u8], rest: &[u8]) -> Result<(), UpdateError> {
        let fields = fields.get(..fields.len().saturating_sub(rest.len())).unwrap_or_default();
        self.make_room(fields.len())?;
        self.writer.fields(fields);
        Ok(())
    }

    /// Writes a field with the value of another.
    pub(super) fn value(&mut self, name: &[u8], of: Element<'_>) -> Result<(), UpdateError> {
        self.raw(of.kind, name, of.value)
    }

    /// Writes a field whose value is in its BSON form.
    pub(super) fn raw(&mut self, kind: u8, name: &[u8], value: &[u8]) -> Result<(), UpdateError> {
        self.make_room(name.len().saturating_add(value.len() + 2))?;
        self.writer.raw(kind, name, value);
        Ok(())
    }

    /// Writes a null.
    pub(super) fn null(&mut self, name: &[u8]) -> Result<(), UpdateError> {
        self.make_room(name.len() + 2)?;
        self.writer.null(name);
        Ok(())
    }

    /// Writes binary data made of two pieces.
    pub(super) fn binary(
        &mut self,
        name: &[u8],
        subtype: u8,
        [first, second]: [&[u8]; 2],
    ) -> Result<(), UpdateError> {
        self.make_room(name.len().saturating_add(first.len()).saturating_add(second.len() + 7))?;
        self.writer.binary(name, subtype, &[first, second].concat());
        Ok(())
    }
}
