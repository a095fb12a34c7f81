//! The operators on values that can stand in an oplog: `$inc` and `$push`.
//!
//! A server logs what they resulted in; only a user's own applyOps is logged with the operators themselves.
//! Applied again they are not idempotent, which is in their nature.

use super::output::Output;
use super::paths::Action;
use super::positions::Counter;
use super::{UpdateError, printable};
use tidemark_base::bson::{Doc, Element, kind};

/// What is wrong with an operator's operand, whose name is the path.
fn bad(operator: &str, operand: Element<'_>, why: &str) -> UpdateError {
    UpdateError::BadModifier(format!("{operator} of '{}' {why}", printable(operand.name)))
}

/// That an operator does not fit what the document has at the path, which is the operand's name.
pub(super) fn misfit(operator: &str, operand: Element<'_>, why: &str) -> UpdateError {
    UpdateError::Misfit(format!("{operator} of '{}', {why}", printable(operand.name)))
}

/// The operand of `$inc`: an int or a double.
pub(super) fn increment_of(operand: Element<'_>) -> Result<Action<'_>, UpdateError> {
    match operand.kind {
        kind::INT32 | kind::INT64 | kind::DOUBLE => Ok(Action::Increment(operand)),
        _ => Err(bad("$inc", operand, "by something that is no int or double")),
    }
}

/// The operand of `$push`: a value, or `{$each: [values]}` without any of the other clauses.
pub(super) fn push_of(operand: Element<'_>) -> Result<Action<'_>, UpdateError> {
    let Some(document) = operand.as_object() else { return Ok(Action::Push(operand, None)) };
    let Some(each) = document.get("$each")? else { return Ok(Action::Push(operand, None)) };
    match each.as_array() {
        Some(values) if document.elements().count() == 1 => Ok(Action::Push(operand, Some(values))),
        _ => Err(bad("$push", operand, "with more than $each: [values] is not supported")),
    }
}

/// Writes a number increased by another, in the type that the server gives the sum, and returns the length of
/// that type.
pub(super) fn increment(
    old: Element<'_>,
    name: &[u8],
    by: Element<'_>,
    out: &mut Output<'_>,
) -> Result<usize, UpdateError> {
    let misfit = |why: &str| misfit("$inc", by, why);
    let write = |kind, value: &[u8], out: &mut Output<'_>| out.raw(kind, name, value).map(|()| value.len());
    if old.kind == kind::DOUBLE || by.kind == kind::DOUBLE {
        #[expect(clippy::cast_precision_loss, reason = "as the server does")]
        let number = |element: Element<'_>| element.as_double().or(element.as_integer().map(|n| n as f64));
        let sum = number(old).zip(number(by)).map(|(one, two)| one + two);
        let sum = sum.ok_or_else(|| misfit("which is no int or double"))?;
        return write(kind::DOUBLE, &sum.to_le_bytes(), out);
    }
    let numbers = old.as_integer().zip(by.as_integer());
    let (one, two) = numbers.ok_or_else(|| misfit("which is no int or double"))?;
    let sum = one.checked_add(two).ok_or_else(|| misfit("which becomes more than 64 bits hold"))?;
    match i32::try_from(sum) {
        Ok(sum) if old.kind == kind::INT32 && by.kind == kind::INT32 => {
            write(kind::INT32, &sum.to_le_bytes(), out)
        }
        _ => write(kind::INT64, &sum.to_le_bytes(), out),
    }
}

/// Writes an array with more elements, numbered from 0.
pub(super) fn push<'a>(
    old: Doc<'_>,
    new: impl Iterator<Item = Result<Element<'a>, UpdateError>>,
    name: &[u8],
    out: &mut Output<'_>,
) -> Result<(), UpdateError> {
    let open = out.begin_field(kind::ARRAY, name)?;
    let mut counter = Counter::new();
    for element in old.elements() {
        out.value(counter.name(), element?)?;
        counter.advance();
    }
    for element in new {
        out.value(counter.name(), element?)?;
        counter.advance();
    }
    out.end(open)
}
