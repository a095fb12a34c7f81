//! A tiny walker over raw BSON: elements of a document, concatenated documents, the `_id`.
//!
//! Used by everything in this crate that looks into captured bytes, because servers hold documents that the
//! `bson` crate refuses: invalid UTF-8, odd array index names, repeated fields, 250 levels. Structure is
//! checked (lengths, terminators, types, depth), content is not (UTF-8, index names). Nothing here recurses,
//! panics, or allocates by a length read from the input.

#![warn(clippy::indexing_slicing)]

use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use tidemark_base::limits::{MAX_BSON_BYTES, MAX_BSON_DEPTH};

/// The type bytes of BSON, as <https://bsonspec.org> numbers them.
pub mod kind {
    #![expect(missing_docs, reason = "the names say it")]
    pub const DOUBLE: u8 = 0x01;
    pub const STRING: u8 = 0x02;
    pub const OBJECT: u8 = 0x03;
    pub const ARRAY: u8 = 0x04;
    pub const BINARY: u8 = 0x05;
    pub const UNDEFINED: u8 = 0x06;
    pub const OBJECT_ID: u8 = 0x07;
    pub const BOOL: u8 = 0x08;
    pub const DATE: u8 = 0x09;
    pub const NULL: u8 = 0x0a;
    pub const REGEX: u8 = 0x0b;
    pub const DB_POINTER: u8 = 0x0c;
    pub const CODE: u8 = 0x0d;
    pub const SYMBOL: u8 = 0x0e;
    pub const CODE_WITH_SCOPE: u8 = 0x0f;
    pub const INT32: u8 = 0x10;
    pub const TIMESTAMP: u8 = 0x11;
    pub const INT64: u8 = 0x12;
    pub const DECIMAL128: u8 = 0x13;
    pub const MAX_KEY: u8 = 0x7f;
    pub const MIN_KEY: u8 = 0xff;
}

/// One field of a document. The name may be invalid UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The type byte, see [`kind`].
    pub kind: u8,
    /// The name, without its terminator.
    pub name: &'a [u8],
    /// The value's bytes, exactly as they stand after the name.
    pub value: &'a [u8],
}

/// The fields of one document, in order. After an error it ends.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    reader: Reader<'a>,
}

/// Opens a document: `bytes` must be exactly one, by its length and its terminator.
///
/// # Errors
/// If the length is not that of `bytes`, is over [`MAX_BSON_BYTES`], or the last byte is not zero.
pub fn elements(bytes: &[u8]) -> Result<Elements<'_>, CodecError> {
    let mut reader = Reader::new(bytes);
    let document = take_document(&mut reader)?;
    reader.finish("document")?;
    // The reader starts behind the length and ends before the terminator; offsets are from the length on.
    let mut inner = Reader::new(document.get(..document.len().saturating_sub(1)).unwrap_or_default());
    inner.bytes("document length", 4)?;
    Ok(Elements { reader: inner })
}

impl<'a> Elements<'a> {
    fn read(&mut self) -> Result<Element<'a>, CodecError> {
        let kind = self.reader.u8("element type")?;
        let name = take_cstring(&mut self.reader, "element name")?;
        let value = take_value(&mut self.reader, kind)?;
        Ok(Element { kind, name, value })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let element = self.read();
        if element.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(element)
    }
}

/// Splits concatenated documents, each checked by its length and terminator only.
///
/// # Errors
/// If a document is cut short, over [`MAX_BSON_BYTES`], or not terminated.
pub fn split(bytes: &[u8]) -> Result<Vec<&[u8]>, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut documents = Vec::new();
    while !reader.rest().is_empty() {
        documents.push(take_document(&mut reader)?);
    }
    Ok(documents)
}

/// The first field of this name, if there is one.
///
/// # Errors
/// If the document is broken at or before that field.
pub fn field<'a>(document: &'a [u8], name: &str) -> Result<Option<Element<'a>>, CodecError> {
    for element in elements(document)? {
        let element = element?;
        if element.name == name.as_bytes() {
            return Ok(Some(element));
        }
    }
    Ok(None)
}

/// The `_id` of a document, if it has one.
///
/// # Errors
/// If the document is broken at or before that field.
pub fn id(document: &[u8]) -> Result<Option<Element<'_>>, CodecError> {
    field(document, "_id")
}

/// The text of a string-like value (string, symbol, code), without length and terminator; may be invalid UTF-8.
///
/// # Errors
/// If the value is not of that form.
pub fn text(value: &[u8]) -> Result<&[u8], CodecError> {
    let mut reader = Reader::new(value);
    let text = take_string(&mut reader)?;
    reader.finish("string")?;
    Ok(text)
}

/// The two parts of a code-with-scope value: text and scope document.
///
/// # Errors
/// If the value is not of that form.
pub fn code_with_scope(value: &[u8]) -> Result<(&[u8], &[u8]), CodecError> {
    let mut reader = Reader::new(value);
    reader.bytes("code length", 4)?;
    let code = take_string(&mut reader)?;
    let scope = take_document(&mut reader)?;
    reader.finish("code with scope")?;
    Ok((code, scope))
}

/// Checks a document to the bottom.
///
/// # Errors
/// If any nested document is broken, a type is unknown, or it nests deeper than [`MAX_BSON_DEPTH`].
pub fn check(document: &[u8]) -> Result<(), CodecError> {
    let mut open = vec![elements(document)?];
    while let Some(innermost) = open.last_mut() {
        let Some(element) = innermost.next().transpose()? else {
            open.pop();
            continue;
        };
        let nested = match element.kind {
            kind::OBJECT | kind::ARRAY => element.value,
            kind::CODE_WITH_SCOPE => code_with_scope(element.value)?.1,
            _ => continue,
        };
        if open.len() >= MAX_BSON_DEPTH {
            let problem =
                CodecProblem::OverLimit { value: open.len() as u64 + 1, limit: MAX_BSON_DEPTH as u64 };
            return Err(CodecError { what: "nesting", offset: 0, problem });
        }
        open.push(elements(nested)?);
    }
    Ok(())
}

/// Checks that `value` is exactly one value of type `kind`, to the bottom.
///
/// # Errors
/// As [`check`], and if bytes follow the value.
pub fn check_value(kind: u8, value: &[u8]) -> Result<(), CodecError> {
    let mut reader = Reader::new(value);
    take_value(&mut reader, kind)?;
    reader.finish("value")?;
    match kind {
        kind::OBJECT | kind::ARRAY => check(value),
        kind::CODE_WITH_SCOPE => check(code_with_scope(value)?.1),
        _ => Ok(()),
    }
}

fn take_value<'a>(reader: &mut Reader<'a>, kind: u8) -> Result<&'a [u8], CodecError> {
    let start = reader.clone();
    match kind {
        kind::UNDEFINED | kind::NULL | kind::MIN_KEY | kind::MAX_KEY => {}
        kind::BOOL => {
            if !matches!(start.rest().first(), Some(0 | 1)) {
                let found = u64::from(start.rest().first().copied().unwrap_or_default());
                return Err(start.error("boolean", CodecProblem::Unknown { value: found }));
            }
            reader.bytes("boolean", 1)?;
        }
        kind::INT32 => {
            reader.bytes("int32", 4)?;
        }
        kind::DOUBLE | kind::DATE | kind::TIMESTAMP | kind::INT64 => {
            reader.bytes("8-byte value", 8)?;
        }
        kind::OBJECT_ID => {
            reader.bytes("ObjectId", 12)?;
        }
        kind::DECIMAL128 => {
            reader.bytes("decimal128", 16)?;
        }
        kind::STRING | kind::CODE | kind::SYMBOL => {
            take_string(reader)?;
        }
        kind::OBJECT | kind::ARRAY => {
            take_document(reader)?;
        }
        kind::BINARY => {
            let len = reader.len_u32("binary length", MAX_BSON_BYTES)?;
            reader.bytes("binary", len + 1)?;
        }
        kind::REGEX => {
            take_cstring(reader, "regex pattern")?;
            take_cstring(reader, "regex flags")?;
        }
        kind::DB_POINTER => {
            take_string(reader)?;
            reader.bytes("DBPointer", 12)?;
        }
        kind::CODE_WITH_SCOPE => {
            let len = reader.len_u32("code length", MAX_BSON_BYTES)?;
            reader.bytes("code with scope", len.saturating_sub(4))?;
            let used = reader.offset() - start.offset();
            code_with_scope(start.rest().get(..used).unwrap_or_default())?;
            if used != len {
                return Err(start.error("code length", CodecProblem::Unknown { value: len as u64 }));
            }
        }
        unknown => return Err(start.error("element type", CodecProblem::Unknown { value: unknown.into() })),
    }
    Ok(start.rest().get(..reader.offset() - start.offset()).unwrap_or_default())
}

fn take_document<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let start = reader.clone();
    let len = reader.len_u32("document length", MAX_BSON_BYTES)?;
    if len < 5 {
        return Err(start.error("document length", CodecProblem::Unknown { value: len as u64 }));
    }
    reader.bytes("document", len - 5)?;
    expect_zero(reader, "document terminator")?;
    Ok(start.rest().get(..len).unwrap_or_default())
}

fn take_string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let start = reader.clone();
    let len = reader.len_u32("string length", MAX_BSON_BYTES)?;
    if len == 0 {
        return Err(start.error("string length", CodecProblem::Unknown { value: 0 }));
    }
    let text = reader.bytes("string", len - 1)?;
    expect_zero(reader, "string terminator")?;
    Ok(text)
}

fn take_cstring<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], CodecError> {
    let rest = reader.rest();
    let Some(len) = rest.iter().position(|&byte| byte == 0) else {
        return Err(reader.error(what, CodecProblem::Truncated { needed: rest.len() + 1, left: rest.len() }));
    };
    let text = reader.bytes(what, len)?;
    reader.bytes(what, 1)?;
    Ok(text)
}

fn expect_zero(reader: &mut Reader<'_>, what: &'static str) -> Result<(), CodecError> {
    let at = reader.clone();
    match reader.u8(what)? {
        0 => Ok(()),
        other => Err(at.error(what, CodecProblem::Unknown { value: other.into() })),
    }
}

#[cfg(test)]
mod tests;
