//! The operations of a committed transaction, in the order in which they take effect.

use super::chain::{Chain, Part};
use crate::entry::{Manner, Operation, Operations};
use crate::{EntryError, EntryProblem};
use tidemark_base::OpTime;
use tidemark_base::bson::Element;

/// A committed transaction. It owns the entries that were held; the last one is borrowed from the entry that
/// commits, if that holds operations.
#[derive(Clone, Debug)]
pub struct Committed<'a> {
    at: OpTime,
    manner: Manner,
    held: Vec<Part>,
    last: Option<Operations<'a>>,
}

impl<'a> Committed<'a> {
    pub(super) fn new(at: OpTime, manner: Manner, chain: Chain, last: Option<Operations<'a>>) -> Self {
        Self { at, manner, held: chain.parts, last }
    }

    /// Where it takes effect.
    #[must_use]
    pub const fn at(&self) -> OpTime {
        self.at
    }

    /// All operations, in order. How they must fit is decided by the position of the commit.
    ///
    /// # Errors
    /// Items are errors where an operation is broken or not known, at the position of the entry that holds it.
    /// What comes before has been given already: check the whole before anything is applied, or be ready to
    /// throw the result away.
    pub fn operations(&self) -> impl Iterator<Item = Result<Operation<'_>, EntryError>> {
        let held = self.held.iter().map(|part| (part.at, operations(part, self.manner)));
        let last = self.last.into_iter().map(|last| (self.at, Ok(last)));
        held.chain(last).flat_map(|(at, operations)| {
            let (operations, broken) = match operations {
                Ok(operations) => (Some(operations), None),
                Err(problem) => (None, Some(Err(problem))),
            };
            let operations = operations.into_iter().flat_map(Operations::iter).chain(broken);
            operations.map(move |operation| operation.map_err(|problem| EntryError::at(at, problem)))
        })
    }
}

/// The operations of an entry that is held.
fn operations(part: &Part, manner: Manner) -> Result<Operations<'_>, EntryProblem> {
    let o = part.doc().get("o")?.and_then(Element::as_object).ok_or(EntryProblem::Field { field: "o" })?;
    let array = o.get("applyOps")?.and_then(Element::as_array);
    Ok(Operations { array: array.ok_or(EntryProblem::Field { field: "o.applyOps" })?, manner })
}
