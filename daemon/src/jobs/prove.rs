//! Proving a snapshot: all of it is read and folded once.

use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::ErrorKind;
use tidemark_blockstore::Store;
use tidemark_head::{HeadError, snapshot};
use tidemark_metadata::{Outcome, Text};

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
        // The proof has noted that it is damaged. It is read again by whoever takes the head up next.
        Err(error) if is_damage(error.kind()) && is_damaged(&shared.store, &place, id)? => {
            let text = format!("snapshot {id} is damaged: {error}");
            Ok(Outcome::Failed(Text::fit(&text)))
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
