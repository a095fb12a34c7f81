//! Going back to a snapshot: the source rolled back, or somebody wants to follow another branch.

use super::{Head, HeadName};
use crate::error::{HeadError, Result};
use crate::root::Root;
use crate::snapshot::{self, Snapshot};
use crate::state::State;
use tidemark_base::{BlockId, Timestamp};
use tidemark_blockstore::{Expect, NewRef, RefChange, Session};

impl Head {
    /// Goes back to a snapshot; what was applied since is forgotten. In the same publish, snapshots that lie
    /// behind it are marked as a dead branch, for they hold what the source may never have had, and the oplog
    /// goes on in a new chain from there. So are those at the same entry that stand on a slice which the new chain
    /// does not have: it does not go on from them.
    ///
    /// # Errors
    /// [`HeadError::NoSnapshot`]; [`HeadError::DeadBranch`]; [`HeadError::Fenced`]; failures of the store, among
    /// them a slice that was appended meanwhile: the head is claimed again, and this is tried again.
    pub fn rewind(&mut self, id: u64) -> Result<()> {
        let snapshots = snapshot::list(&self.store, &self.name)?;
        let target = snapshots.iter().find(|(other, _)| *other == id).map(|(_, snapshot)| snapshot);
        let target = target.ok_or_else(|| HeadError::NoSnapshot { name: self.name.head(), id })?;
        if target.is_dead_branch {
            return Err(HeadError::DeadBranch { name: self.name.head(), id });
        }
        let (session, root, mut changes) = self.leaving(&snapshots, target)?;
        changes.extend(self.restart_of_the_log(&root)?);
        self.go_to(&session, target.root, &changes)
    }

    /// What a way back to a snapshot leaves behind: a session that pins what is gone back to, its root, and the changes
    /// that mark later snapshots as a dead branch.
    pub(super) fn leaving(
        &self,
        snapshots: &[(u64, Snapshot)],
        target: &Snapshot,
    ) -> Result<(Session, Root, Vec<RefChange>)> {
        let at = target.at.ts;
        let live = snapshots.iter().filter(|(_, other)| !other.is_dead_branch && other.at.ts >= at);
        let live: Vec<_> = live.collect();
        let beside = live.iter().filter(|(_, other)| other.at.ts == at);
        let mut pinned: Vec<_> = beside.map(|(id, _)| self.name.snapshot(*id)).collect();
        pinned.push(self.name.head());
        let session = self.store.session(&pinned.iter().map(String::as_str).collect::<Vec<_>>())?;
        let root = Root::read(&session, target.root)?;
        let mut changes = Vec::new();
        for (id, other) in live {
            // At the same entry, but behind a slice that the new chain does not have.
            if other.at.ts > at || Root::read(&session, other.root)?.link != root.link {
                changes.push(dying(&self.name, *id, other));
            }
        }
        changes.extend(snapshot::uncover(&self.store, &self.name)?);
        Ok((session, root, changes))
    }

    /// Moves the head to an earlier root, and opens its state.
    pub(super) fn go_to(&mut self, session: &Session, root: BlockId, changes: &[RefChange]) -> Result<()> {
        self.advance(session, root, changes.to_vec())?;
        // If it cannot be opened, the state in memory is of where the head no longer stands.
        self.state.break_off_unless(false);
        self.state = State::open(&self.store, root)?;
        Ok(())
    }

    /// The change that lets the oplog go on from where a root stands, unless that is where it ends.
    fn restart_of_the_log(&self, root: &Root) -> Result<Option<RefChange>> {
        let slices = self.name.slices(&self.store);
        let Some(tip) = slices.tip()? else { return Ok(None) };
        // A copy to which nothing was applied reads the log from its beginning.
        let is_copy = root.read_to == Timestamp::ZERO;
        // What it began with may have expired; then it goes on from the copy, or there would be a gap.
        let start = if is_copy { slices.line_start(&tip)? } else { root.link };
        let from = if start.at.ts <= root.at.ts { start } else { root.link };
        Ok(slices.restarting(from)?)
    }
}

/// The change that marks a snapshot as one of a dead branch.
pub(super) fn dying(name: &HeadName, id: u64, snapshot: &Snapshot) -> RefChange {
    let dead = Snapshot { is_dead_branch: true, ..snapshot.clone() };
    RefChange {
        name: name.snapshot(id),
        expect: Expect::Version(snapshot.version),
        set: Some(NewRef { roots: vec![snapshot.root], value: dead.encode() }),
    }
}
