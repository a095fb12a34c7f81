//! The preparing pass: everything that an export will write is read and folded once, without writing.
//!
//! Diffs do not tell how long the documents become, so lengths are known only after this. It is a proof too:
//! every block is what was stored, every document is sound BSON, and what did not fit is told.

use super::{Documents, Plan};
use crate::divergences::Divergences;
use crate::dump;
use crate::error::{HeadError, Result};
use crate::run::Source;
use crate::state::State;
use tidemark_base::bson::{self, Doc, split};

/// What an export of a plan will write.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Of each entry of the plan, in order.
    pub parts: Vec<Measured>,
    /// Operations that did not fit what they met.
    pub divergences: Divergences,
}

impl Prepared {
    /// All documents' lengths, in bytes.
    #[must_use]
    pub fn document_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// The documents of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many.
    pub documents: u64,
    /// Their length, in bytes.
    pub bytes: u64,
    /// CRC-64/XZ of all of them, in the order of the export: what stands at their end in an archive.
    pub crc: u64,
}

/// Goes through what a plan exports.
///
/// # Errors
/// [`HeadError::BrokenDocument`] for a document that is no sound BSON; damage; failures of the store.
pub fn prepare(state: &State, source: &dyn Source, plan: &Plan) -> Result<Prepared> {
    let mut prepared = Prepared::default();
    for entry in &plan.entries {
        let (mut measured, mut digest) = (Measured::default(), dump::checksum());
        let each = &mut |document: &[u8]| {
            check(document, || entry.part.namespace.shown())?;
            digest.update(document);
            measured.documents += 1;
            measured.bytes += document.len() as u64;
            Ok(())
        };
        match &entry.documents {
            Documents::None => {}
            Documents::Given(documents) => {
                for document in split(documents) {
                    let namespace = || entry.part.namespace.shown();
                    let broken =
                        |problem| HeadError::BrokenDocument { namespace: namespace(), id: None, problem };
                    each(document.map_err(broken)?.as_bytes())?;
                }
            }
            Documents::Of(uuid) => prepared.divergences.append(state.for_each(source, *uuid, each)?),
        }
        measured.crc = digest.finalize();
        prepared.parts.push(measured);
    }
    Ok(prepared)
}

/// Fails unless a document is sound BSON, all the way down. `place` is asked only then.
pub(crate) fn check(document: &[u8], place: impl FnOnce() -> String) -> Result<()> {
    match Doc::new(document) {
        Err(problem) => Err(HeadError::BrokenDocument { namespace: place(), id: None, problem }),
        Ok(document) => {
            bson::check(document).map_err(|problem| HeadError::broken_document(place(), document, problem))
        }
    }
}
