//! Keys: a document's `_id` as bytes that sort as MongoDB sorts values.
//!
//! Every run is ordered by keys, every operation is routed by one. Two keys are equal exactly if a server takes
//! the two `_id` for one (1, 1.0 and a decimal 1; a string and a symbol), and compare as bytes exactly as
//! MongoDB compares the values, under binary collation: the store needs no other, because the log names a
//! document by the spelling that is stored. Only among `_id`s whose encodings agree in their first megabyte the
//! order may be another. A key does not tell the spelling; the document does. The bytes are laid down in
//! `docs/format.md`. Types that a server refuses as `_id` have keys all the same: what comes from outside shall
//! not stop a head. No Unicode, no collation, no decoding.

#![warn(clippy::indexing_slicing)]

mod class;
mod digits;
mod giant;
mod number;

use class::END;
use giant::Giant;
use number::Number;
use tidemark_base::ErrorKind;
use tidemark_base::bson::{Doc, Element, kind};
use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use tidemark_base::limits::{MAX_BSON_BYTES, MAX_BSON_DEPTH};

/// Why an `_id` has no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not sound BSON.
    #[error("the _id is broken: {0}")]
    Broken(#[from] CodecError),
    /// The document has none. Documents of a replicated collection always have one.
    #[error("the document has no _id")]
    NoId,
}

impl KeyError {
    /// What the caller should do: all of these are of the input, and stay.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Broken(_) => ErrorKind::Corrupt,
            Self::NoId => ErrorKind::Invalid,
        }
    }
}

/// Appends the key of an `_id` to `out`; the element's name does not count. On an error, `out` is as it was.
///
/// # Errors
/// [`KeyError::Broken`] if the value is not sound to the bottom or nests deeper than [`MAX_BSON_DEPTH`].
pub fn encode(id: Element<'_>, out: &mut Vec<u8>) -> Result<(), KeyError> {
    let start = out.len();
    let mut writer = Writer { giant: Giant::new(start), out };
    let result = writer.value(id).map(|()| writer.giant.finish(writer.out));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// What stands behind the length of a document that begins with an `_id` that is an ObjectId.
const OBJECT_ID_FIRST: &[u8; 5] = b"\x07_id\0";

/// Appends the key of a document to `out`: that of its first `_id`. On an error, `out` is as it was.
///
/// # Errors
/// [`KeyError::NoId`], or as [`encode`]; [`KeyError::Broken`] also if the document is broken before its `_id`.
pub fn key_of_document(document: Doc<'_>, out: &mut Vec<u8>) -> Result<(), KeyError> {
    // Nearly all documents begin with an ObjectId: the same key without a walk.
    if let Some((OBJECT_ID_FIRST, rest)) = document.as_bytes().get(4..).and_then(<[u8]>::split_first_chunk)
        && let Some((id, [_, ..])) = rest.split_first_chunk::<12>()
    {
        let mut key = [0; 13];
        let [first, others @ ..] = &mut key;
        (*first, *others) = (class::of(kind::OBJECT_ID)?, *id);
        out.extend_from_slice(&key);
        return Ok(());
    }
    encode(document.get("_id")?.ok_or(KeyError::NoId)?, out)
}

/// A key being written.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// What becomes of it if it is too long.
    giant: Giant,
}

impl Writer<'_> {
    /// A value that stands alone.
    #[inline]
    fn value(&mut self, id: Element<'_>) -> Result<(), KeyError> {
        self.out.push(class::of(id.kind)?);
        self.body(id.kind, id.value, 0)
    }

    /// A value without its class, inside of `depth` documents.
    fn body(&mut self, kind: u8, value: &[u8], depth: usize) -> Result<(), KeyError> {
        let mut reader = Reader::new(value);
        match kind {
            kind::OBJECT_ID => self.out.extend_from_slice(&reader.array::<12>("ObjectId")?),
            kind::INT32 => Number::from(i32::from_le_bytes(reader.array("int32")?)).write(self.out),
            kind::INT64 => Number::from(reader.i64("int64")?).write(self.out),
            kind::DOUBLE => number::double(reader.u64("double")?, self.out),
            kind::DECIMAL128 => {
                Number::of_decimal(u128::from_le_bytes(reader.array("decimal128")?)).write(self.out);
            }
            kind::STRING | kind::SYMBOL | kind::CODE => self.text(text(&mut reader)?),
            // The sign bit turned over, so that those before 1970 come first.
            kind::DATE => self.number(reader.u64("date")? ^ 1 << 63),
            kind::TIMESTAMP => self.number(reader.u64("timestamp")?),
            kind::BOOL => self.out.push(boolean(&mut reader)?),
            kind::BINARY => self.binary(&mut reader)?,
            kind::OBJECT => return self.fields(Doc::new(value)?, true, depth),
            kind::ARRAY => return self.fields(Doc::new(value)?, false, depth),
            kind::CODE_WITH_SCOPE => return self.code_with_scope(value, depth),
            kind::REGEX => self.regex(&mut reader)?,
            kind::DB_POINTER => self.db_pointer(&mut reader)?,
            // Undefined, null, least and greatest: the class says it all.
            _ => {}
        }
        reader.finish("value")?;
        self.giant.bound(self.out);
        Ok(())
    }

    /// The fields of an object, or the elements of an array, whose names do not count.
    fn fields(&mut self, document: Doc<'_>, names: bool, depth: usize) -> Result<(), KeyError> {
        if depth >= MAX_BSON_DEPTH {
            let problem = CodecProblem::OverLimit { value: depth as u64 + 1, limit: MAX_BSON_DEPTH as u64 };
            return Err(CodecError { what: "nesting", offset: 0, problem }.into());
        }
        for field in document.elements() {
            let field = field?;
            self.out.push(class::of(field.kind)?);
            if names {
                self.out.extend_from_slice(field.name);
                self.out.push(0);
            }
            self.body(field.kind, field.value, depth + 1)?;
        }
        self.out.push(END);
        self.giant.bound(self.out);
        Ok(())
    }

    /// The bytes, each zero among them followed by 0xff, and a zero. What stands behind a text in a key is
    /// never 0xff.
    fn text(&mut self, text: &[u8]) {
        let mut pieces = text.split(|byte| *byte == 0);
        self.out.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.out.extend_from_slice(&[0, 0xff]);
            self.out.extend_from_slice(piece);
            self.giant.bound(self.out);
        }
        self.out.push(0);
    }

    fn number(&mut self, number: u64) {
        self.out.extend_from_slice(&number.to_be_bytes());
    }

    /// A length: one byte, or 0xff and four.
    fn length(&mut self, len: usize) {
        match u8::try_from(len) {
            Ok(len) if len < 0xff => self.out.push(len),
            _ => {
                self.out.push(0xff);
                let len = u32::try_from(len).expect("values are far below 4 GiB");
                self.out.extend_from_slice(&len.to_be_bytes());
            }
        }
    }

    fn binary(&mut self, reader: &mut Reader<'_>) -> Result<(), KeyError> {
        let len = reader.len_u32("binary length", MAX_BSON_BYTES)?;
        let subtype_and_bytes = reader.bytes("binary", len + 1)?;
        self.length(len);
        self.out.extend_from_slice(subtype_and_bytes);
        Ok(())
    }

    /// Pattern and flags as they stand: each ends with its first zero byte, which sorts before all others.
    fn regex(&mut self, reader: &mut Reader<'_>) -> Result<(), KeyError> {
        for what in ["regex pattern", "regex flags"] {
            let rest = reader.rest();
            let len = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            self.out.extend_from_slice(reader.bytes(what, len + 1)?);
        }
        Ok(())
    }

    fn db_pointer(&mut self, reader: &mut Reader<'_>) -> Result<(), KeyError> {
        let namespace = text(reader)?;
        self.length(namespace.len());
        self.out.extend_from_slice(namespace);
        self.out.extend_from_slice(&reader.array::<12>("DBPointer")?);
        Ok(())
    }

    fn code_with_scope(&mut self, value: &[u8], depth: usize) -> Result<(), KeyError> {
        let mut reader = Reader::new(value);
        let len = reader.len_u32("code length", MAX_BSON_BYTES)?;
        let code = text(&mut reader)?;
        if len != value.len() {
            return Err(reader.error("code length", CodecProblem::Unknown { value: len as u64 }).into());
        }
        self.text(code);
        self.fields(Doc::new(reader.rest())?, true, depth)
    }
}

/// A text with its length in front and its terminator, without both.
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    match reader.prefixed("string", MAX_BSON_BYTES)?.split_last() {
        Some((0, text)) => Ok(text),
        other => {
            let value = other.map_or(0, |(last, _)| u64::from(*last));
            Err(reader.error("string terminator", CodecProblem::Unknown { value }))
        }
    }
}

fn boolean(reader: &mut Reader<'_>) -> Result<u8, CodecError> {
    match reader.u8("boolean")? {
        byte @ (0 | 1) => Ok(byte),
        other => Err(reader.error("boolean", CodecProblem::Unknown { value: other.into() })),
    }
}

#[cfg(test)]
mod tests;
