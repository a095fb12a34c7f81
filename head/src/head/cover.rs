//! A snapshot, or the note that the one before still stands for the head.
//!
//! Used by whoever takes snapshots by a schedule: where only no-ops came, another one would be the same. The flush, the
//! comparison and the note are one piece of work under one epoch, so nothing is noted that another has overtaken.

use super::Head;
use crate::error::{HeadError, Result};
use crate::root::Root;
use crate::snapshot::{self, Covered, Snapshot};
use tidemark_base::{BlockId, Clock, ErrorKind};
use tidemark_blockstore::Session;

/// What became of a snapshot that was due.
#[derive(Clone, Debug)]
pub enum Taken {
    /// It was taken, under this number.
    Snapshot(u64, Snapshot),
    /// The one before is the same, up to here.
    Covered(Covered),
}

impl Head {
    /// Flushes, and keeps the root as a snapshot if it differs from the newest sound one of this branch; else notes until when
    /// that one stands.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub fn snapshot_if_changed(&mut self, clock: &dyn Clock) -> Result<Taken> {
        self.state.require_consistent()?;
        let newest = snapshot::newest(&self.store, &self.name, self.holder.next_snapshot)?;
        if let Some((id, newest)) = newest {
            let covered = Covered { snapshot: id, until: self.at() };
            let session = self.session()?;
            let root = self.state.flush(&session)?;
            let outcome = self.cover_if_same(&session, root, newest.root, covered);
            self.state.break_off_unless(outcome.is_ok());
            if let Some(covered) = outcome? {
                return Ok(Taken::Covered(covered));
            }
        }
        let (id, snapshot) = self.snapshot(clock)?;
        Ok(Taken::Snapshot(id, snapshot))
    }

    fn cover_if_same(
        &mut self,
        session: &Session,
        root: BlockId,
        newest: BlockId,
        covered: Covered,
    ) -> Result<Option<Covered>> {
        let is_same = match is_same(session, root, newest) {
            // Nothing pins the newest one: it may have been deleted just now.
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            outcome => outcome?,
        };
        let with = match is_same {
            true => vec![snapshot::covering(&self.store, &self.name, covered)?],
            false => Vec::new(),
        };
        self.advance(session, root, with)?;
        Ok(is_same.then_some(covered))
    }
}

/// Whether two roots hold the same, whatever entries without effect lie between them.
fn is_same(session: &Session, one: BlockId, other: BlockId) -> Result<bool, HeadError> {
    let (one, other) = (Root::read(session, one)?, Root::read(session, other)?);
    let top = |root: &Root| root.catalog.as_ref().map(|run| run.top);
    Ok(top(&one) == top(&other) && one.open == other.open && one.diverged == other.diverged)
}
