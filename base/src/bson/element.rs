//! Documents and their elements, borrowed from the bytes they stand in.

#![warn(clippy::indexing_slicing)]

use super::kind;
use crate::Timestamp;
use crate::codec::{CodecError, CodecProblem, Reader};
use crate::limits::MAX_BSON_BYTES;

/// Bytes that are one document by length and terminator; what is inside has not been looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Doc<'a>(&'a [u8]);

impl<'a> Doc<'a> {
    /// The document without fields.
    pub const EMPTY: Doc<'static> = Doc(&[5, 0, 0, 0, 0]);

    /// Opens bytes that must be exactly one document.
    ///
    /// # Errors
    /// If the length is not that of `bytes`, is over [`MAX_BSON_BYTES`], or the last byte is not zero.
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

/// The position of the first zero byte. Eight bytes at once: most names end within the first eight.
#[inline]
fn first_zero(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // The high bit of each zero byte, and perhaps of some that follow the first zero byte.
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeros != 0 {
            let within = (zeros.trailing_zeros() / 8) as usize;
            return Some(bytes.len() - rest.len() + within);
        }
        rest = after;
    }
    rest.iter().position(|byte| *byte == 0).map(|within| bytes.len() - rest.len() + within)
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

/// The length of the value of this type that `bytes` begin with; never more than there are.
#[inline(always)]
pub(super) fn value_len(kind: u8, bytes: &[u8]) -> Result<usize, CodecError> {
    // A table, and no question that could be answered by a table: types come in no order that a processor
    // could guess.
    let len = match FIXED_LEN.get(usize::from(kind)) {
        Some(len) if *len != VARIABLE => usize::from(*len),
        _ if matches!(kind, kind::STRING | kind::OBJECT | kind::ARRAY) => match terminated_len(kind, bytes) {
            Some(len) => len,
            None => return variable_len(kind, bytes),
        },
        _ => return variable_len(kind, bytes),
    };
    let is_odd = (kind == kind::BOOL) & (bytes.first().copied().unwrap_or(0) > 1);
    if (len > bytes.len()) | is_odd { Err(bad_fixed(kind, bytes, len)) } else { Ok(len) }
}

/// In [`FIXED_LEN`]: the value says itself how long it is, or its type is not known.
const VARIABLE: u8 = u8::MAX;

/// The lengths of values by type.
const FIXED_LEN: [u8; 256] = {
    let mut table = [VARIABLE; 256];
    let known = [
        (kind::UNDEFINED, 0),
        (kind::NULL, 0),
        (kind::MIN_KEY, 0),
        (kind::MAX_KEY, 0),
        (kind::BOOL, 1),
        (kind::INT32, 4),
        (kind::DOUBLE, 8),
        (kind::DATE, 8),
        (kind::TIMESTAMP, 8),
        (kind::INT64, 8),
        (kind::OBJECT_ID, 12),
        (kind::DECIMAL128, 16),
    ];
    let mut at = 0;
    #[expect(clippy::indexing_slicing, reason = "checked when compiled")]
    while at < known.len() {
        table[known[at].0 as usize] = known[at].1;
        at += 1;
    }
    table
};

#[cold]
fn bad_fixed(kind: u8, bytes: &[u8], needed: usize) -> CodecError {
    match bytes.first() {
        Some(value) if kind == kind::BOOL => unknown("boolean", u64::from(*value)),
        _ => {
            let problem = CodecProblem::Truncated { needed, left: bytes.len() };
            CodecError { what: "value", offset: 0, problem }
        }
    }
}

/// The length of a string or document that is as it should be: the common case in few steps. [`variable_len`]
/// finds out what is wrong with another.
#[inline(always)]
fn terminated_len(kind: u8, bytes: &[u8]) -> Option<usize> {
    let said = usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    // A string's length does not count itself; a document's does.
    let (least, len) = if kind == kind::STRING { (1, said.checked_add(4)?) } else { (5, said) };
    let is_sound = said >= least && said <= MAX_BSON_BYTES && bytes.get(len.checked_sub(1)?) == Some(&0);
    is_sound.then_some(len)
}

#[inline(never)]
fn variable_len(kind: u8, bytes: &[u8]) -> Result<usize, CodecError> {
    let mut reader = Reader::new(bytes);
    match kind {
        kind::OBJECT | kind::ARRAY => drop(take_document(&mut reader)?),
        kind::STRING | kind::CODE | kind::SYMBOL => take_string(&mut reader)?,
        kind::BINARY => {
            let len = reader.len_u32("binary length", MAX_BSON_BYTES)?;
            reader.bytes("binary", len + 1)?;
        }
        kind::REGEX => {
            take_cstring(&mut reader, "regex pattern")?;
            take_cstring(&mut reader, "regex flags")?;
        }
        kind::DB_POINTER => {
            take_string(&mut reader)?;
            reader.bytes("DBPointer", 12)?;
        }
        kind::CODE_WITH_SCOPE => {
            let len = reader.len_u32("code length", MAX_BSON_BYTES)?;
            take_string(&mut reader)?;
            take_document(&mut reader)?;
            if reader.offset() != len {
                return Err(unknown("code length", len as u64));
            }
        }
        other => return Err(unknown("element type", u64::from(other))),
    }
    Ok(reader.offset())
}

fn unknown(what: &'static str, value: u64) -> CodecError {
    CodecError { what, offset: 0, problem: CodecProblem::Unknown { value } }
}

fn take_document<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let all = reader.rest();
    let len = reader.clone().len_u32("document length", MAX_BSON_BYTES)?;
    if len < 5 {
        return Err(reader.error("document length", CodecProblem::Unknown { value: len as u64 }));
    }
    reader.bytes("document", len)?;
    let document = all.get(..len).unwrap_or_default();
    match document.last() {
        Some(0) => Ok(document),
        other => {
            let value = u64::from(other.copied().unwrap_or_default());
            Err(reader.error("document terminator", CodecProblem::Unknown { value }))
        }
    }
}

fn take_string(reader: &mut Reader<'_>) -> Result<(), CodecError> {
    let len = reader.len_u32("string length", MAX_BSON_BYTES)?;
    match reader.bytes("string", len)?.last() {
        Some(0) => Ok(()),
        // Also for a length of zero, which leaves no room for the terminator.
        other => {
            let value = u64::from(other.copied().unwrap_or_default());
            Err(reader.error("string terminator", CodecProblem::Unknown { value }))
        }
    }
}

fn take_cstring(reader: &mut Reader<'_>, what: &'static str) -> Result<(), CodecError> {
    let rest = reader.rest();
    let Some(len) = first_zero(rest) else {
        return Err(reader.error(what, CodecProblem::Truncated { needed: rest.len() + 1, left: rest.len() }));
    };
    reader.bytes(what, len + 1).map(drop)
}
