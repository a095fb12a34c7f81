//! The proof of a snapshot: everything is read, folded and checked once, and counted.

use super::{Proven, Snapshot, get};
use crate::divergence::Divergence;
use crate::error::{HeadError, Result};
use crate::head::HeadName;
use crate::key::KeyError;
use crate::state::State;
use tidemark_base::bson::{self, Doc};
use tidemark_blockstore::{Expect, NewRef, RefChange, Store};
use tidemark_oplog::filter::Filter;

/// What a pass over a snapshot found.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The snapshot, proven now.
    pub snapshot: Snapshot,
    /// Operations that did not fit what they met.
    pub divergences: Vec<Divergence>,
}

/// Reads a whole snapshot: every block is what was written, every run is sound, every document is sound
/// BSON, every strict operation fits; and notes that it is proven. What does not fit is reported and counted,
/// and is no error here.
///
/// # Errors
/// [`HeadError::NoSnapshot`]; damage; failures of the store.
pub fn prove(store: &Store, name: &HeadName, id: u64) -> Result<Proof> {
    let snapshot = get(store, name, id)?;
    let session = store.session(&[&name.snapshot(id)])?;
    let state = State::open(&session, snapshot.root, Filter::default())?;
    let mut proven = Proven::default();
    let mut divergences = Vec::new();
    for (uuid, _) in state.catalog().iter() {
        let found = state.fold(&session, uuid, &mut |document| {
            let whole = Doc::new(document).and_then(bson::check);
            whole.map_err(|problem| HeadError::Document {
                what: format!("a document of collection {uuid}"),
                problem: KeyError::Broken(problem),
            })?;
            proven.documents += 1;
            proven.document_bytes += document.len() as u64;
            Ok(())
        })?;
        divergences.extend(found);
    }
    proven.divergences = divergences.len() as u64;
    let mut snapshot = Snapshot { proven: Some(proven), ..snapshot };
    let set = Some(NewRef { roots: vec![snapshot.root], value: snapshot.encode() });
    let expect = Expect::Version(snapshot.version);
    snapshot.version = session.publish(&[RefChange { name: name.snapshot(id), expect, set }])?;
    Ok(Proof { snapshot, divergences })
}
