//! Documents and their elements, borrowed from the bytes they stand in.

#![warn(clippy::indexing_slicing)]

use super::kind;
use super::value::{first_zero, take_document, value_len};
use crate::Timestamp;
use crate::codec::{CodecError, CodecProblem, Reader};

/// Bytes that are one document by length and terminator; what is inside has not been looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Doc<'a>(&'a [u8]);

impl<'a> Doc<'a> {
    /// The document without fields.
    pub const EMPTY: Doc<'static> = Doc(&[5, 0, 0, 0, 0]);

    /// Opens bytes that must be exactly one document.
    ///
    /// # Errors
    /// If the length is not that of `bytes`, is over [`MAX_BSON_BYTES`](crate::limits::MAX_BSON_BYTES), or the last
    /// byte is not zero.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let document = take_document(&mut reader)?;
        reader.finish("document")?;
        Ok(Self(document))
    }

    /// Bytes that were found to be exactly one document before. They are not looked at, which takes time where they are
    /// not near; other bytes only lead to errors later.
    #[must_use]
    pub const fn known(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The first document of a stream of them, and what follows it.
    ///
    /// # Errors
    /// If the stream ends within it, or it is broken as for [`Doc::new`].
    pub fn first(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), CodecError> {
        let mut reader = Reader::new(bytes);
        let document = take_document(&mut reader)?;
        Ok((Self(document), reader.rest()))
    }

    /// All its bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether it has no fields.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.len() <= 5
    }

    /// Its fields, in order.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        let end = self.0.len().saturating_sub(1);
        Elements { rest: self.0.get(4..end).unwrap_or_default(), total: end }
    }

    /// The first field of this name, if there is one.
    ///
    /// # Errors
    /// If the document is broken at or before that field.
    pub fn get(self, name: &str) -> Result<Option<Element<'a>>, CodecError> {
        for element in self.elements() {
            let element = element?;
            if element.name == name.as_bytes() {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    /// The first field, if there is one.
    ///
    /// # Errors
    /// If that field is broken.
    pub fn first_element(self) -> Result<Option<Element<'a>>, CodecError> {
        self.elements().next().transpose()
    }
}

impl std::fmt::Debug for Doc<'_> {
    /// The fields, values as hexadecimal: enough to see what a failed assertion is about.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.elements()).finish()
    }
}

/// One field of a document. The name may be invalid UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The type byte, see [`kind`].
    pub kind: u8,
    /// The name, without its terminator.
    pub name: &'a [u8],
    /// The value's bytes, exactly as they stand after the name.
    pub value: &'a [u8],
}

impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value: String = self.value.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
        write!(f, "{}: {:#04x} {value}", String::from_utf8_lossy(self.name).escape_debug(), self.kind)
    }
}

impl<'a> Element<'a> {
    fn fixed<const N: usize>(self, wanted: u8) -> Option<[u8; N]> {
        (self.kind == wanted).then(|| self.value.try_into().ok()).flatten()
    }

    /// The nested document, of an object or an array.
    #[must_use]
    pub fn as_doc(self) -> Option<Doc<'a>> {
        // Elements are only made with values whose length and terminator were checked.
        matches!(self.kind, kind::OBJECT | kind::ARRAY).then_some(Doc(self.value))
    }

    /// The nested document, of an object.
    #[must_use]
    pub fn as_object(self) -> Option<Doc<'a>> {
        (self.kind == kind::OBJECT).then_some(Doc(self.value))
    }

    /// The nested document, of an array.
    #[must_use]
    pub fn as_array(self) -> Option<Doc<'a>> {
        (self.kind == kind::ARRAY).then_some(Doc(self.value))
    }

    /// The text of a string, without length and terminator; may be invalid UTF-8.
    #[must_use]
    pub fn as_text(self) -> Option<&'a [u8]> {
        let end = self.value.len().checked_sub(1)?;
        (self.kind == kind::STRING).then(|| self.value.get(4..end)).flatten()
    }

    /// The text of a string, if it is valid UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.as_text()?).ok()
    }

    /// A boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        self.fixed(kind::BOOL).map(|[byte]| byte != 0)
    }

    /// A whole number of either width.
    #[must_use]
    pub fn as_integer(self) -> Option<i64> {
        match self.kind {
            kind::INT32 => self.fixed(kind::INT32).map(|bytes| i64::from(i32::from_le_bytes(bytes))),
            _ => self.fixed(kind::INT64).map(i64::from_le_bytes),
        }
    }

    /// A double.
    #[must_use]
    pub fn as_double(self) -> Option<f64> {
        self.fixed(kind::DOUBLE).map(f64::from_le_bytes)
    }

    /// A timestamp.
    #[must_use]
    pub fn as_timestamp(self) -> Option<Timestamp> {
        self.fixed(kind::TIMESTAMP).map(|bytes| Timestamp::from_u64(u64::from_le_bytes(bytes)))
    }

    /// A date, in milliseconds since 1970.
    #[must_use]
    pub fn as_date_ms(self) -> Option<i64> {
        self.fixed(kind::DATE).map(i64::from_le_bytes)
    }

    /// Subtype and payload of binary data.
    #[must_use]
    pub fn as_binary(self) -> Option<(u8, &'a [u8])> {
        let (subtype, payload) = self.value.get(4..)?.split_first()?;
        (self.kind == kind::BINARY).then_some((*subtype, payload))
    }

    /// A UUID: binary data of subtype 4 and 16 bytes.
    #[must_use]
    pub fn as_uuid(self) -> Option<[u8; 16]> {
        let (subtype, payload) = self.as_binary()?;
        (subtype == 4).then(|| payload.try_into().ok()).flatten()
    }
}

/// The fields of one document, in order. After an error it ends.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    /// Length of the document without its terminator, for offsets in errors.
    total: usize,
}

impl<'a> Elements<'a> {
    /// The bytes of the fields that are still to come: whoever compares it before and after knows where the
    /// fields in between stand, and can copy them at once.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    // Always inlined, with what it calls for common values: an element that is returned through memory and
    // read from there at once takes five times as long as to find it.
    #[inline(always)]
    fn read(&mut self) -> Result<Element<'a>, CodecError> {
        let (kind, name_on) = self.rest.split_first().ok_or_else(|| self.truncated("element type"))?;
        let name_len = first_zero(name_on).ok_or_else(|| self.truncated("element name"))?;
        let (name, value_on) = name_on.split_at(name_len);
        let value_on = value_on.get(1..).unwrap_or_default();
        let len = value_len(*kind, value_on).map_err(|error| self.broken(value_on, error))?;
        let (value, rest) = value_on.split_at(len);
        self.rest = rest;
        Ok(Element { kind: *kind, name, value })
    }

    #[cold]
    fn truncated(&self, what: &'static str) -> CodecError {
        let left = self.rest.len();
        let problem = CodecProblem::Truncated { needed: left + 1, left };
        CodecError { what, offset: self.total - left, problem }
    }

    /// An error of a value, with its offset in the document.
    #[cold]
    const fn broken(&self, value_on: &[u8], error: CodecError) -> CodecError {
        CodecError { offset: self.total - value_on.len() + error.offset, ..error }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, CodecError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.read();
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

/// Splits concatenated documents, each checked by its length and terminator only.
///
/// # Errors
/// The iterator yields one error, and ends, where a document is cut short, too long or not terminated.
pub fn split(bytes: &[u8]) -> impl Iterator<Item = Result<Doc<'_>, CodecError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let offset = bytes.len() - rest.len();
        match Doc::first(rest) {
            Ok((document, after)) => {
                rest = after;
                Some(Ok(document))
            }
            Err(error) => {
                rest = &[];
                Some(Err(CodecError { offset: offset + error.offset, ..error }))
            }
        }
    })
}
