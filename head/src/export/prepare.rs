//! The preparing pass: everything that an export will write is read and folded once, without writing.
//!
//! Diffs do not tell how long the documents become, so lengths are known only after this. It is a proof too:
//! every block is what was stored, every document is sound BSON, and what did not fit is told. Collections are
//! measured as a whole, for an archive, and in segments, so that a restore can be divided and gone on with.

use super::segments::{SEGMENT_BYTES, Segments};
use super::{Documents, Plan};
use crate::divergences::Divergences;
use crate::error::{HeadError, Result};
use crate::run::Source;
use crate::stack::Batch;
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many.
    pub documents: u64,
    /// Their length, in bytes.
    pub bytes: u64,
    /// CRC-64/XZ of all of them, in the order of the export: what stands at their end in an archive.
    pub crc: u64,
    /// The same in stretches, which together are all of them: the same for the same documents, always.
    pub segments: Vec<Segment>,
}

/// Documents that an export writes one behind the other: 64 MiB, with the rest of the document that reaches over it,
/// or what is left at the end of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The key of the first document. In a capped collection later ones may have smaller keys.
    pub first_key: Vec<u8>,
    /// How many they are.
    pub documents: u64,
    /// Their length, in bytes.
    pub bytes: u64,
    /// CRC-64/XZ of them.
    pub crc: u64,
}

/// Goes through what a plan exports.
///
/// # Errors
/// [`HeadError::BrokenDocument`] for a document that is no sound BSON; damage; failures of the store.
pub fn prepare(state: &State, source: &dyn Source, plan: &Plan) -> Result<Prepared> {
    prepare_and_tell(state, source, plan, &mut |_| Ok(()))
}

/// The same, and tells how many bytes of documents have been gone through, now and then; an error ends it.
///
/// # Errors
/// As [`prepare`]; what `told` returns.
pub fn prepare_and_tell(
    state: &State,
    source: &dyn Source,
    plan: &Plan,
    told: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Prepared> {
    let mut done: u64 = 0;
    let mut prepared = Prepared::default();
    for entry in &plan.entries {
        let mut segments = Segments::new(SEGMENT_BYTES);
        let place = || entry.part.namespace.shown();
        match &entry.documents {
            Documents::None => {}
            Documents::Given(documents) => {
                let mut batch = Batch::default();
                for document in split(documents) {
                    let broken =
                        |problem| HeadError::BrokenDocument { namespace: place(), id: None, problem };
                    batch.document(document.map_err(broken)?.as_bytes());
                }
                segments.add(&checked(batch, place)?);
            }
            Documents::Of(uuid) => {
                let work = &|batch| checked(batch, place);
                let found = state.scan(source, *uuid, work, &mut |checked| {
                    segments.add(&checked);
                    done = done.saturating_add(checked.bytes as u64);
                    told(done)
                })?;
                prepared.divergences.append(found);
            }
        }
        prepared.parts.push(segments.finish());
    }
    Ok(prepared)
}

/// The same, if they are sound documents.
fn checked(batch: Batch, place: impl Fn() -> String) -> Result<Batch> {
    batch.documents().try_for_each(|document| check(document, &place))?;
    Ok(batch)
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
