//! The proof of a snapshot: everything is read, folded and checked once, and counted. What cannot be read is damage, and the
//! ref says so from then on, until a proof succeeds.

use super::{Proven, Snapshot, get};
use crate::divergences::Divergences;
use crate::error::{HeadError, Result, shown};
use crate::export;
use crate::head::HeadName;
use crate::stack::Batch;
use crate::state::State;
use tidemark_base::ErrorKind;
use tidemark_blockstore::{Expect, NewRef, RefChange, Session, Store};

/// What a pass over a snapshot found.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The snapshot, proven now.
    pub snapshot: Snapshot,
    /// Operations that did not fit what they met, as this pass found them; those found before are only counted:
    /// [`Snapshot::diverged`].
    pub divergences: Divergences,
}

/// Reads a whole snapshot: every block is what was written, every run is sound, every document is sound
/// BSON, every strict operation fits; and notes that it is proven. What does not fit is reported and counted,
/// and is no error here; damage is one, and is noted as well.
///
/// # Errors
/// [`HeadError::NoSnapshot`]; damage; failures of the store.
pub fn prove(store: &Store, name: &HeadName, id: u64) -> Result<Proof> {
    prove_and_tell(store, name, id, &mut |_| Ok(()))
}

/// The same, and tells how far it is, now and then; an error ends it, and nothing is noted.
///
/// # Errors
/// As [`prove`]; what `told` returns.
pub fn prove_and_tell(
    store: &Store,
    name: &HeadName,
    id: u64,
    told: &mut dyn FnMut(&Proven) -> Result<()>,
) -> Result<Proof> {
    let snapshot = get(store, name, id)?;
    let session = store.session(&[&name.snapshot(id)])?;
    let found = read(&session, &snapshot, told);
    // The session keeps every block of it, so one that is not there is damage, too.
    let is_damage = |error: &HeadError| matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound);
    if found.as_ref().is_err_and(|error| !is_damage(error)) {
        return found.map(|(_, divergences)| Proof { snapshot, divergences });
    }
    let proven = found.as_ref().ok().map(|(proven, _)| *proven);
    let mut snapshot = Snapshot { proven, is_damaged: proven.is_none(), ..snapshot };
    let set = Some(NewRef { roots: vec![snapshot.root], value: snapshot.encode() });
    let expect = Expect::Version(snapshot.version);
    snapshot.version = session.publish(&[RefChange { name: name.snapshot(id), expect, set }])?;
    found.map(|(_, divergences)| Proof { snapshot, divergences })
}

/// Reads all of it.
fn read(
    session: &Session,
    snapshot: &Snapshot,
    told: &mut dyn FnMut(&Proven) -> Result<()>,
) -> Result<(Proven, Divergences)> {
    let state = State::open(session, snapshot.root)?;
    let mut proven = Proven::default();
    let mut divergences = Divergences::default();
    for (uuid, collection) in state.catalog().iter() {
        // What an export reads is what is proven: of capped collections the order too.
        let work = &|batch: Batch| {
            batch.documents().try_for_each(|document| export::check(document, || shown(collection)))?;
            Ok((batch.count, batch.bytes as u64))
        };
        let found = state.scan(session, uuid, work, &mut |(documents, bytes)| {
            proven.documents += documents;
            proven.document_bytes += bytes;
            told(&proven)
        })?;
        divergences.append(found);
    }
    proven.divergences = divergences.diverged().operations;
    Ok((proven, divergences))
}
