//! The first byte of a key: types that compare as one class, in MongoDB's order.

use tidemark_base::bson::kind;
use tidemark_base::codec::{CodecError, CodecProblem};

/// Where the fields of a document end: before every class, so that a document which is the beginning of
/// another is smaller.
pub(super) const END: u8 = 0;

/// The class of a type. Between them is room for what may come.
#[inline]
pub(super) fn of(kind: u8) -> Result<u8, CodecError> {
    Ok(match kind {
        kind::MIN_KEY => 0x08,
        kind::UNDEFINED => 0x10,
        kind::NULL => 0x18,
        kind::DOUBLE | kind::INT32 | kind::INT64 | kind::DECIMAL128 => 0x20,
        kind::STRING | kind::SYMBOL => 0x28,
        kind::OBJECT => 0x30,
        kind::ARRAY => 0x38,
        kind::BINARY => 0x40,
        kind::OBJECT_ID => 0x48,
        kind::BOOL => 0x50,
        kind::DATE => 0x58,
        kind::TIMESTAMP => 0x60,
        kind::REGEX => 0x68,
        kind::DB_POINTER => 0x70,
        kind::CODE => 0x78,
        kind::CODE_WITH_SCOPE => 0x80,
        kind::MAX_KEY => 0xf0,
        unknown => {
            let problem = CodecProblem::Unknown { value: unknown.into() };
            return Err(CodecError { what: "element type", offset: 0, problem });
        }
    })
}
