//! A collection as an initial sync found it, as a block: its names, options and indexes in one BSON document.
//!
//! It is what the agent sends, too: `{db, name, options, indexes: [..]}`, options and indexes as `listCollections`
//! and `listIndexes` show them.

#![warn(clippy::indexing_slicing)]

use crate::catalog::Collection;
use tidemark_base::bson::{Doc, DocWriter, Element, check, kind};
use tidemark_base::codec::{CodecError, CodecProblem};
use tidemark_base::limits::MAX_INDEXES;

/// Longest name of a database or collection, in bytes; servers allow 255 for both together.
const MAX_NAME_BYTES: usize = 1024;

/// The bytes of a description, sound and within the limits.
pub(super) fn encode(collection: &Collection) -> Result<Vec<u8>, CodecError> {
    let Collection { database, name, options, indexes } = collection;
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.string(b"db", database.as_bytes());
    w.string(b"name", name.as_bytes());
    w.raw(kind::OBJECT, b"options", Doc::new(options)?.as_bytes());
    let list = w.begin_field(kind::ARRAY, b"indexes");
    for (number, index) in indexes.iter().enumerate() {
        w.raw(kind::OBJECT, number.to_string().as_bytes(), Doc::new(index)?.as_bytes());
    }
    w.end(list);
    w.end(open);
    // What cannot be read again is not written.
    decode(&out)?;
    Ok(out)
}

/// Reads a description, from wherever it comes. Names are texts here: whether a server could have them is for
/// [`crate::names`] to say.
///
/// # Errors
/// If it is not sound BSON, lacks a field, or is over a limit.
pub fn decode(bytes: &[u8]) -> Result<Collection, CodecError> {
    let description = Doc::new(bytes)?;
    check(description)?;
    let field = |name: &'static str| {
        let absent = CodecError { what: name, offset: 0, problem: CodecProblem::Unknown { value: 0 } };
        description.get(name)?.ok_or(absent)
    };
    let wrong = |what| CodecError { what, offset: 0, problem: CodecProblem::Unknown { value: 1 } };
    let text = |name: &'static str| {
        let text = field(name)?.as_str().filter(|text| !text.is_empty() && !text.contains('\0'));
        let text = text.ok_or_else(|| wrong(name))?;
        if text.len() > MAX_NAME_BYTES {
            return Err(too_long(name, text.len(), MAX_NAME_BYTES));
        }
        Ok(text.to_owned())
    };
    let object = |element: Element<'_>, what| {
        element.as_object().map(|it| it.as_bytes().to_vec()).ok_or_else(|| wrong(what))
    };
    let indexes = field("indexes")?.as_array().ok_or_else(|| wrong("indexes"))?;
    let indexes: Vec<Vec<u8>> =
        indexes.elements().map(|index| object(index?, "index")).collect::<Result<_, CodecError>>()?;
    if indexes.len() > MAX_INDEXES {
        return Err(too_long("indexes", indexes.len(), MAX_INDEXES));
    }
    let options = object(field("options")?, "options")?;
    Ok(Collection { database: text("db")?, name: text("name")?, options, indexes })
}

const fn too_long(what: &'static str, len: usize, limit: usize) -> CodecError {
    let problem = CodecProblem::OverLimit { value: len as u64, limit: limit as u64 };
    CodecError { what, offset: 0, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection() -> Collection {
        let empty = Doc::EMPTY.as_bytes().to_vec();
        let (database, name) = ("shop".to_owned(), "orders".to_owned());
        Collection { database, name, options: empty.clone(), indexes: vec![empty.clone(), empty] }
    }

    #[test]
    fn it_round_trips() {
        let bytes = encode(&collection()).unwrap();
        assert_eq!(decode(&bytes), Ok(collection()));
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        for broken in [
            Collection { database: String::new(), ..collection() },
            Collection { name: "a\0b".to_owned(), ..collection() },
            Collection { name: "x".repeat(MAX_NAME_BYTES + 1), ..collection() },
            Collection { options: vec![1, 2, 3], ..collection() },
            Collection { indexes: vec![Doc::EMPTY.as_bytes().to_vec(); MAX_INDEXES + 1], ..collection() },
        ] {
            assert!(encode(&broken).is_err(), "{:?}", broken.name.get(..20));
        }
    }

    #[test]
    fn every_cut_is_an_error_and_no_flip_panics() {
        let good = encode(&collection()).unwrap();
        (0..good.len()).for_each(|len| assert!(decode(&good[..len]).is_err(), "cut to {len}"));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&bad);
        }
    }
}
