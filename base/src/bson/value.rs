//! How long values are, by their type: the one place that knows what a value of each type begins and ends with.
//!
//! Used by [`super::element`] and the checker, for every element that is passed. Contents are not looked at.

#![warn(clippy::indexing_slicing)]

use super::kind;
use crate::codec::{CodecError, CodecProblem, Reader};
use crate::limits::MAX_BSON_BYTES;

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

pub(super) fn take_document<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
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

/// The position of the first zero byte. Eight bytes at once: most names end within the first eight.
#[inline]
pub(super) fn first_zero(bytes: &[u8]) -> Option<usize> {
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
