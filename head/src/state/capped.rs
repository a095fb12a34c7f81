//! The order of insertion of capped collections, which is data.
//!
//! It is kept beside the documents, as documents of its own: the same `_id`, so the same key, and the number
//! `n` under which the document was inserted. An insert gives the next number, also where a document is
//! overwritten, as a copy that is caught up does; a delete removes it; an update leaves it alone. They are
//! flushed, merged and folded as all documents are, by the same code.

use super::State;
use super::route::Waiting;
use crate::delta::Operation;
use crate::error::Result;
use crate::patch::Patch;
use crate::run::Source;
use tidemark_base::bson::{Doc, DocWriter, Element};
use tidemark_oplog::entry::{Action, Change, Manner};

/// Whether options say that a collection is capped and lies in the order of insertion. A clustered one that was
/// made capped lies by `_id` all the same.
pub(super) fn is_capped(options: &[u8]) -> bool {
    let Ok(options) = Doc::new(options) else { return false };
    let is = |name| options.get(name).ok().flatten();
    is("capped").and_then(Element::as_bool) == Some(true) && is("clusteredIndex").is_none()
}

/// The document that holds the number of the one with this `_id`.
pub(super) fn place(id: Element<'_>, number: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(id.value.len() + 24);
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.raw(id.kind, b"_id", id.value);
    w.int64(b"n", number.cast_signed());
    w.end(open);
    out
}

/// The number in such a document.
pub(super) fn number(place: Doc<'_>) -> Option<u64> {
    place.get("n").ok()??.as_integer().map(i64::cast_unsigned)
}

impl State {
    /// Notes what an operation does to the order of its capped collection.
    pub(super) fn note_order<'a>(
        &mut self,
        source: &dyn Source,
        change: &Change<'a>,
        operation: &Operation<'a>,
        waiting: &mut Waiting<'a>,
    ) -> Result<()> {
        let id = operation.id;
        let patch = match (change.action, change.manner) {
            (Action::Delete { .. }, _) => {
                let delete = Change { manner: Manner::Tolerant, action: Action::Delete { id }, ..*change };
                Some(Patch::of(&delete, &mut Vec::new()))
            }
            (Action::Insert { .. } | Action::Update { .. }, Manner::User { upsert: true, .. })
            | (Action::Insert { .. }, Manner::User { .. }) => {
                // It may insert, or change what is there: that is in what was applied before.
                self.settle(waiting);
                let is_there = self.has_place(source, operation.uuid, &operation.key)?;
                if is_there { None } else { self.next_place(change, operation) }
            }
            (Action::Insert { .. }, _) => self.next_place(change, operation),
            (Action::Update { .. }, _) => None,
        };
        waiting.orders.extend(patch.map(|patch| Operation { patch, ..operation.clone() }));
        Ok(())
    }

    /// Puts a document last, wherever it was.
    pub(super) fn put_last<'a>(
        &mut self,
        change: &Change<'a>,
        operation: &Operation<'a>,
        waiting: &mut Waiting<'a>,
    ) {
        let patch = self.next_place(change, operation);
        waiting.orders.extend(patch.map(|patch| Operation { patch, ..operation.clone() }));
    }

    /// A patch that puts a document last.
    fn next_place(&mut self, change: &Change<'_>, operation: &Operation<'_>) -> Option<Patch<'static>> {
        let stored = self.stored.get_mut(&operation.uuid)?;
        let place = place(operation.id, stored.next_order);
        stored.next_order += 1;
        let document = Doc::new(&place).expect("it was just written");
        let action = Action::Insert { id: operation.id, document };
        let insert = Change { target: change.target, manner: Manner::Tolerant, action };
        Some(Patch::of(&insert, &mut Vec::new()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(write: impl FnOnce(&mut DocWriter<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        write(&mut w);
        w.end(open);
        out
    }

    #[test]
    fn only_what_is_capped_and_not_clustered_lies_in_the_order_of_insertion() {
        let capped = |is| options(|w| w.bool(b"capped", is));
        let clustered = options(|w| {
            w.bool(b"clusteredIndex", true);
            w.bool(b"capped", true);
        });
        assert!(is_capped(&capped(true)));
        for other in [capped(false), clustered, options(|_| {})] {
            assert!(!is_capped(&other), "{other:?}");
        }
    }
}
