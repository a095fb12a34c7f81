//! Proving a snapshot: all of it is read and folded once. What was found to be damaged is read again with each scheduled
//! snapshot, when the head is claimed, and once the whole store was found to be sound: a single misread hides no good one
//! for long.

use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::ErrorKind;
use tidemark_blockstore::Store;
use tidemark_head::HeadError;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_metadata::{JobKind, Outcome, Text};

/// Queues the proof of a snapshot.
pub(super) fn queue(work: &Work, place: &Place, id: u64) -> Result<()> {
    let subject = place.proof(id)?;
    Ok(work.shared.metadata.queue_job(Some(place.group), JobKind::Prove, &subject, work.now())?)
}

/// Queues those of all that are not proven, or were found to be damaged.
pub(super) fn queue_all(work: &Work, place: &Place, all: &[(u64, Snapshot)]) -> Result<()> {
    let open = all.iter().filter(|(_, it)| !it.is_dead_branch && it.proven.is_none());
    open.map(|(id, _)| *id).try_for_each(|id| queue(work, place, id))
}

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let (shared, (place, id)) = (&work.shared, Place::of_proof(&work.job)?);
    let known = match snapshot::get(&shared.store, &place.name, id) {
        // Gone meanwhile.
        Err(HeadError::NoSnapshot { .. }) => return Ok(Outcome::Done),
        known => known?,
    };
    if known.proven.is_some() {
        return Ok(Outcome::Done);
    }
    let proof = snapshot::prove_and_tell(&shared.store, &place.name, id, &mut |proven| {
        work.say("reading the snapshot", proven.document_bytes, None);
        work.go_on()
    });
    match proof {
        // The proof has noted that it is damaged.
        Err(error) if is_damage(error.kind()) && is_damaged(&shared.store, &place, id)? => {
            Ok(Outcome::Failed(Text::fit(&told(id, &error))))
        }
        proof => {
            let found = proof?.snapshot.known_divergences();
            if found > 0 {
                let text =
                    format!("snapshot {id} is not what the source had: {found} operations did not fit");
                shared.note(Some(place.group), "SNAPSHOT_DIVERGED", Some(&place.subject), &text);
            }
            Ok(Outcome::Done)
        }
    }
}

/// What people are told of one that is damaged.
fn told(id: u64, error: &HeadError) -> String {
    let advice = match error {
        HeadError::BrokenDocument { .. } => {
            "; if `tidemark store verify` finds no damage, it came so from the source: mend or remove it there"
        }
        _ => "",
    };
    format!("snapshot {id} is damaged: {error}{advice}")
}

const fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::NotFound)
}

/// Whether it is there, and the proof found it to be damaged.
fn is_damaged(store: &Store, place: &Place, id: u64) -> Result<bool> {
    match snapshot::get(store, &place.name, id) {
        Err(HeadError::NoSnapshot { .. }) => Ok(false),
        found => Ok(found?.is_damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::codec::{CodecError, CodecProblem};

    #[test]
    fn a_document_that_is_broken_need_not_be_the_fault_of_this_disk() {
        let problem = CodecError { what: "kind", offset: 4, problem: CodecProblem::Unknown { value: 99 } };
        let broken = HeadError::BrokenDocument { namespace: "app.c".to_owned(), id: None, problem };
        assert!(told(2, &broken).contains("it came so from the source"));
        let gone = HeadError::NoSnapshot { name: "a".to_owned(), id: 2 };
        assert!(!told(2, &gone).contains("source"));
    }
}
