//! A head in the place of another: the source was copied anew, because its oplog could not be gone on with.
//!
//! Who had the head is fenced. Snapshots stay, with all of their life; those of states behind the new copy are of a
//! history that it does not go on from.

use super::rewind::dying;
use super::{ATTEMPTS, Found, Head, HeadName, Holder, change, look_up};
use crate::error::{HeadError, Result};
use crate::snapshot;
use crate::state::State;
use tidemark_base::{BlockId, Timestamp};
use tidemark_blockstore::{Error, Expect, RefChange, RefVersion, Session, Store};

impl Head {
    /// Puts a root that this session has put in the place of a head's, and claims it.
    ///
    /// # Errors
    /// [`HeadError::NoHead`]; damage of the root; failures of the store.
    pub fn replace(session: &Session, name: &HeadName, root: BlockId) -> Result<Self> {
        let store = session.store().clone();
        // What cannot be opened is put in nobody's place.
        let state = State::open(session, root)?;
        let mut attempt = 1;
        loop {
            let Found { holder, version, .. } = look_up(&store, name)?;
            let holder = Holder { epoch: holder.epoch + 1, ..holder };
            match session.publish(&changes(&store, name, (holder, version), root, state.at().ts)?) {
                Err(Error::RefConflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
                Ok(version) => return Ok(Self { store, name: name.clone(), holder, version, root, state }),
            }
        }
    }
}

/// Everything that changes together.
fn changes(
    store: &Store,
    name: &HeadName,
    (holder, version): (Holder, RefVersion),
    root: BlockId,
    at: Timestamp,
) -> Result<Vec<RefChange>, HeadError> {
    let later = snapshot::list(store, name)?;
    let later = later.iter().filter(|(_, it)| !it.is_dead_branch && it.at.ts > at);
    let mut changes: Vec<_> = later.map(|(id, it)| dying(name, *id, it)).collect();
    changes.extend(snapshot::uncover(store, name)?);
    changes.push(change(name, Expect::Version(version), holder, root));
    Ok(changes)
}
