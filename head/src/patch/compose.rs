//! Composition: two patches of one document, one after the other, as one. The table is in `docs/format.md`.

use super::fold::{Folder, Held};
use super::updates::Updates;
use super::{Expects, Misfit, Patch, Then};
use std::borrow::Cow;
use tidemark_base::bson::Doc;

/// From how long on a document is moved rather than copied, in bytes.
const WORTH_MOVING_BYTES: usize = 64 << 10;

impl Folder {
    /// The patch that does what `older` and then `newer` do. What does not fit, whatever lies below, is added
    /// to `found`.
    ///
    /// Associative: any grouping of operations gives the same document in the end, and as many misfits as the
    /// operations have one by one. The one exception are updates that fail, or fit in parts, and leave no trace:
    /// the document was replaced or deleted since, and they are no longer there to be noticed.
    #[must_use]
    pub fn compose<'a>(&mut self, older: Patch<'a>, newer: Patch<'a>, found: &mut Vec<Misfit>) -> Patch<'a> {
        let Patch { expects, then } = older;
        match then {
            Then::Document(document) => {
                newer.expects.meet(true, found);
                let then = match newer.then {
                    Then::Updates(updates) => Then::Document(self.updated(document, &updates, found)),
                    settled => settled,
                };
                Patch { expects, then }
            }
            Then::Gone => {
                newer.expects.meet(false, found);
                let then = match newer.then {
                    Then::Updates(updates) => self.revived(&updates, found),
                    settled => settled,
                };
                Patch { expects, then }
            }
            Then::Updates(updates) => behind(expects, updates, newer, found),
        }
    }

    fn updated<'a>(
        &mut self,
        document: Cow<'a, [u8]>,
        updates: &Updates<'_>,
        found: &mut Vec<Misfit>,
    ) -> Cow<'a, [u8]> {
        let below = Doc::new(&document).expect("it was checked when the patch came into being");
        match self.run(Some(below), updates, found) {
            Held::Buffer => Cow::Owned(self.take_document(document)),
            Held::Nowhere | Held::Below => document,
        }
    }

    /// The document in the buffer. If it is large, the old one's memory becomes the buffer: to copy it once more
    /// with each update takes three times as long as the update. It must fit closely, since it is held.
    fn take_document(&mut self, old: Cow<'_, [u8]>) -> Vec<u8> {
        let len = self.document.len();
        match old {
            Cow::Owned(old) if len >= WORTH_MOVING_BYTES && self.document.capacity() <= len + len / 8 => {
                std::mem::replace(&mut self.document, old)
            }
            _ => self.document.clone(),
        }
    }

    /// What updates make of a document that is gone: one that upserts brings it back.
    fn revived<'a>(&mut self, updates: &Updates<'_>, found: &mut Vec<Misfit>) -> Then<'a> {
        match self.run(None, updates, found) {
            Held::Buffer => Then::Document(Cow::Owned(self.document.clone())),
            Held::Nowhere | Held::Below => Then::Gone,
        }
    }
}

/// A patch behind updates of what is not known. `expects` is what was expected before those.
fn behind<'a>(
    expects: Expects,
    mut updates: Updates<'a>,
    newer: Patch<'a>,
    found: &mut Vec<Misfit>,
) -> Patch<'a> {
    let before = expects.operations();
    // Where an update upserts, there is a document whatever lies below: nothing behind it tells of that.
    let upserts = updates.upserts();
    let behind = if upserts { 0 } else { newer.expects.operations() };
    match newer.then {
        Then::Updates(later) => {
            let gone = updates.append(later);
            let operations = before.saturating_add(gone).saturating_add(behind);
            Patch { expects: Expects::present(operations), then: Then::Updates(updates) }
        }
        then => {
            let operations = before.saturating_add(updates.strict()).saturating_add(behind);
            let expects = match (newer.expects, operations) {
                (Expects::Absent, 0) if !upserts => Expects::Absent,
                // Either the insert or one of the operations before does not fit.
                (Expects::Absent, _) => {
                    found.push(Misfit::Exists);
                    Expects::present(if upserts { operations } else { operations - 1 })
                }
                (Expects::Any | Expects::Present { .. }, _) => Expects::present(operations),
            };
            Patch { expects, then }
        }
    }
}
