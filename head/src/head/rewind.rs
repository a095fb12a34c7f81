//! Going back to a snapshot: the source rolled back, or somebody wants to follow another branch.

use super::Head;
use crate::error::{HeadError, Result};
use crate::snapshot::{self, Snapshot};
use crate::state::State;
use tidemark_blockstore::{Expect, NewRef, RefChange};
use tidemark_oplog::filter::Filter;

impl Head {
    /// Goes back to a snapshot; what was applied since is forgotten. In the same publish, snapshots that lie
    /// behind it are marked as a dead branch: they hold what the source may never have had.
    ///
    /// # Errors
    /// [`HeadError::NoSnapshot`]; [`HeadError::Fenced`]; failures of the store.
    pub fn rewind(&mut self, id: u64, filter: Filter) -> Result<()> {
        let snapshots = snapshot::list(&self.store, &self.name)?;
        let target = snapshots.iter().find(|(other, _)| *other == id).map(|(_, snapshot)| snapshot);
        let target = target.ok_or_else(|| HeadError::NoSnapshot { name: self.name.head(), id })?;
        let session = self.store.session(&[&self.name.head(), &self.name.snapshot(id)])?;
        let later = snapshots.iter().filter(|(_, other)| other.at.ts > target.at.ts && !other.is_dead_branch);
        let dead = later.map(|(id, other)| {
            let dead = Snapshot { is_dead_branch: true, ..other.clone() };
            RefChange {
                name: self.name.snapshot(*id),
                expect: Expect::Version(other.version),
                set: Some(NewRef { roots: vec![other.root], value: dead.encode() }),
            }
        });
        let changes = dead.collect();
        self.advance(&session, target.root, changes)?;
        self.state = State::open(&self.store, target.root, filter)?;
        Ok(())
    }
}
