//! Proving a snapshot: all of it is read and folded once.

use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::ErrorKind;
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
        Err(error) if error.kind() == ErrorKind::Corrupt => {
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
