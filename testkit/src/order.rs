//! MongoDB's order of BSON values under binary collation: slow, and meant to be obviously right.
//!
//! The oracle that key encodings are tested against, and the order of [`crate::model`]. It compares exact
//! values, as the server's index on `_id` does: numbers of all four types by mathematical value, strings and
//! symbols by their bytes, documents element by element. What the server's KeyString calls equal is equal
//! here. Collations are deliberately absent (the store keys without them). Works on raw bytes and does not
//! recurse.

#![warn(clippy::indexing_slicing)]

use crate::raw::{self, Element, Elements, kind};
use number::Number;
use std::cmp::Ordering;
use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use tidemark_base::limits::MAX_BSON_DEPTH;

mod key;
mod number;

pub use key::IdKey;

/// Compares two values, each given by its type byte and its bytes.
///
/// # Errors
/// If a value is broken, of an unknown type, or deeper than [`MAX_BSON_DEPTH`], as far as that was noticed
/// before a difference was found.
pub fn compare(a: (u8, &[u8]), b: (u8, &[u8])) -> Result<Ordering, CodecError> {
    let mut open: Vec<Pair<'_>> = Vec::new();
    let mut next = Next::of(a, b)?;
    loop {
        match next {
            Next::Decided(Ordering::Equal) => {}
            Next::Decided(order) => return Ok(order),
            Next::Inside(pair) if open.len() < MAX_BSON_DEPTH => open.push(pair),
            Next::Inside(_) => {
                let limit = MAX_BSON_DEPTH as u64;
                let problem = CodecProblem::OverLimit { value: limit + 1, limit };
                return Err(CodecError { what: "nesting", offset: 0, problem });
            }
        }
        next = loop {
            let Some(innermost) = open.last_mut() else { return Ok(Ordering::Equal) };
            match (innermost.a.next().transpose()?, innermost.b.next().transpose()?) {
                (None, None) => drop(open.pop()),
                // A document that is the beginning of another is smaller.
                (None, Some(_)) => return Ok(Ordering::Less),
                (Some(_), None) => return Ok(Ordering::Greater),
                (Some(x), Some(y)) => break innermost.elements(x, y)?,
            }
        };
    }
}

/// Two documents being compared, each up to some element.
struct Pair<'a> {
    a: Elements<'a>,
    b: Elements<'a>,
    /// Names count in documents; in arrays they are positions, whatever they say.
    names: bool,
}

impl<'a> Pair<'a> {
    fn open(a: &'a [u8], b: &'a [u8], names: bool) -> Result<Next<'a>, CodecError> {
        Ok(Next::Inside(Self { a: raw::elements(a)?, b: raw::elements(b)?, names }))
    }

    /// Class of type first, then the name, then the value.
    fn elements(&self, x: Element<'a>, y: Element<'a>) -> Result<Next<'a>, CodecError> {
        let order = class(x.kind)?.cmp(&class(y.kind)?);
        let order = if self.names { order.then_with(|| x.name.cmp(y.name)) } else { order };
        match order {
            Ordering::Equal => Next::of((x.kind, x.value), (y.kind, y.value)),
            different => Ok(Next::Decided(different)),
        }
    }
}

/// What comparing two values leads to.
enum Next<'a> {
    Decided(Ordering),
    /// Equal so far; the documents inside decide.
    Inside(Pair<'a>),
}

impl<'a> Next<'a> {
    fn of((a_kind, a): (u8, &'a [u8]), (b_kind, b): (u8, &'a [u8])) -> Result<Self, CodecError> {
        let a_class = class(a_kind)?;
        let order = match a_class.cmp(&class(b_kind)?) {
            Ordering::Equal => match a_class {
                Class::Object => return Pair::open(a, b, true),
                Class::Array => return Pair::open(a, b, false),
                Class::CodeWithScope => {
                    let ((a_code, a_scope), (b_code, b_scope)) =
                        (raw::code_with_scope(a)?, raw::code_with_scope(b)?);
                    match a_code.cmp(b_code) {
                        Ordering::Equal => return Pair::open(a_scope, b_scope, true),
                        different => different,
                    }
                }
                Class::Number => Number::read(a_kind, a)?.cmp(&Number::read(b_kind, b)?),
                scalar => scalar.compare(a, b)?,
            },
            different => different,
        };
        Ok(Self::Decided(order))
    }
}

/// Types that compare as one, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    MinKey,
    Undefined,
    Null,
    Number,
    Text,
    Object,
    Array,
    Binary,
    ObjectId,
    Bool,
    Date,
    Timestamp,
    Regex,
    DbPointer,
    Code,
    CodeWithScope,
    MaxKey,
}

fn class(kind: u8) -> Result<Class, CodecError> {
    Ok(match kind {
        kind::MIN_KEY => Class::MinKey,
        kind::UNDEFINED => Class::Undefined,
        kind::NULL => Class::Null,
        kind::DOUBLE | kind::INT32 | kind::INT64 | kind::DECIMAL128 => Class::Number,
        kind::STRING | kind::SYMBOL => Class::Text,
        kind::OBJECT => Class::Object,
        kind::ARRAY => Class::Array,
        kind::BINARY => Class::Binary,
        kind::OBJECT_ID => Class::ObjectId,
        kind::BOOL => Class::Bool,
        kind::DATE => Class::Date,
        kind::TIMESTAMP => Class::Timestamp,
        kind::REGEX => Class::Regex,
        kind::DB_POINTER => Class::DbPointer,
        kind::CODE => Class::Code,
        kind::CODE_WITH_SCOPE => Class::CodeWithScope,
        kind::MAX_KEY => Class::MaxKey,
        unknown => {
            let problem = CodecProblem::Unknown { value: unknown.into() };
            return Err(CodecError { what: "element type", offset: 0, problem });
        }
    })
}

impl Class {
    /// Compares two values of one class that is neither number nor container.
    fn compare(self, a: &[u8], b: &[u8]) -> Result<Ordering, CodecError> {
        Ok(match self {
            Self::Text | Self::Code => raw::text(a)?.cmp(raw::text(b)?),
            Self::Date => Reader::new(a).i64("date")?.cmp(&Reader::new(b).i64("date")?),
            Self::Timestamp => Reader::new(a).u64("timestamp")?.cmp(&Reader::new(b).u64("timestamp")?),
            // Length (little-endian, in front), then subtype, then bytes; subtype and bytes are adjacent.
            Self::Binary => length_then_rest(a, b)?,
            // Length of the namespace, then its bytes, then the ObjectId; the rest has one form for both.
            Self::DbPointer => length_then_rest(a, b)?,
            // Two texts, each ended by a zero byte, which sorts before every other byte.
            Self::Regex => a.cmp(b),
            Self::ObjectId | Self::Bool => a.cmp(b),
            Self::MinKey | Self::Undefined | Self::Null | Self::MaxKey => Ordering::Equal,
            Self::Number | Self::Object | Self::Array | Self::CodeWithScope => {
                unreachable!("handled by the caller")
            }
        })
    }
}

fn length_then_rest(a: &[u8], b: &[u8]) -> Result<Ordering, CodecError> {
    let (mut a, mut b) = (Reader::new(a), Reader::new(b));
    let order = a.u32("length")?.cmp(&b.u32("length")?);
    Ok(order.then_with(|| a.rest().cmp(b.rest())))
}

#[cfg(test)]
mod tests;
