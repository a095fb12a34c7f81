//! Checking documents to the bottom. Walking checks only what it passes.

#![warn(clippy::indexing_slicing)]

use super::element::{Doc, Elements};
use super::kind;
use super::value::value_len;
use crate::codec::{CodecError, CodecProblem, Reader};
use crate::limits::MAX_BSON_DEPTH;

/// Checks a document to the bottom, without recursion.
///
/// # Errors
/// If any nested document is broken, a type is unknown, or it nests deeper than [`MAX_BSON_DEPTH`].
pub fn check(document: Doc<'_>) -> Result<(), CodecError> {
    Checker::default().check(document)
}

/// Checks many documents one after another, and keeps its memory between them.
#[derive(Debug, Default)]
pub struct Checker<'a> {
    open: Vec<Elements<'a>>,
}

impl<'a> Checker<'a> {
    /// Checks a document to the bottom.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check(&mut self, document: Doc<'a>) -> Result<(), CodecError> {
        let open = &mut self.open;
        open.clear();
        open.push(document.elements());
        while let Some(innermost) = open.last_mut() {
            let Some(element) = innermost.next().transpose()? else {
                open.pop();
                continue;
            };
            let nested = match element.kind {
                kind::OBJECT | kind::ARRAY => Doc::new(element.value)?,
                kind::CODE_WITH_SCOPE => scope(element.value)?,
                _ => continue,
            };
            if open.len() >= MAX_BSON_DEPTH {
                let (value, limit) = (open.len() as u64 + 1, MAX_BSON_DEPTH as u64);
                return Err(CodecError {
                    what: "nesting",
                    offset: 0,
                    problem: CodecProblem::OverLimit { value, limit },
                });
            }
            open.push(nested.elements());
        }
        Ok(())
    }
}

/// Checks that `value` is exactly one value of type `kind`, to the bottom.
///
/// # Errors
/// As [`check`], and if bytes follow the value.
pub fn check_value(kind: u8, value: &[u8]) -> Result<(), CodecError> {
    let len = value_len(kind, value)?;
    if let Some(extra) = value.len().checked_sub(len).filter(|extra| *extra > 0) {
        return Err(CodecError { what: "value", offset: len, problem: CodecProblem::Trailing { extra } });
    }
    match kind {
        kind::OBJECT | kind::ARRAY => check(Doc::new(value)?),
        kind::CODE_WITH_SCOPE => check(scope(value)?),
        _ => Ok(()),
    }
}

/// The scope of a code-with-scope value.
fn scope(value: &[u8]) -> Result<Doc<'_>, CodecError> {
    let mut reader = Reader::new(value);
    reader.u32("code length")?;
    reader.prefixed("code", value.len())?;
    Doc::new(reader.rest())
}
