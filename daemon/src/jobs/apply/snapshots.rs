//! Which snapshots are due, and taking them.
//!
//! The first one as soon as the copy is consistent, then by the schedule, and whenever somebody orders one. When the
//! last was taken or found to be still the same is kept in memory; after a start it is looked up, and the worst that
//! comes of that is a note that is written twice.

use super::Applying;
use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::UnixMillis;
use tidemark_head::head::Taken;
use tidemark_head::snapshot;
use tidemark_head::state::State;
use tidemark_metadata::{BackupConfig, JobKind};

/// What is known of the snapshots of a head.
pub(super) struct Snapshots {
    /// When one was last taken or found to be the same; none before the first of this copy.
    last: Option<UnixMillis>,
}

impl Snapshots {
    /// Looks them up, and sees to it that each is proven.
    pub(super) fn look(work: &Work, place: &Place, state: &State) -> Result<Self> {
        let since = state.fuzzy_until().unwrap_or(tidemark_base::Timestamp::ZERO);
        let found = snapshot::list(&work.shared.store, &place.name)?;
        let mut last = None;
        for (id, snapshot) in found.into_iter().filter(|(_, it)| !it.is_dead_branch) {
            if snapshot.proven.is_none() {
                prove(work, place, id)?;
            }
            if snapshot.at.ts >= since {
                last = last.max(Some(snapshot.taken));
            }
        }
        Ok(Self { last })
    }

    /// Whether one is due by the clock.
    fn is_due(&self, backup: &BackupConfig, now: UnixMillis) -> Result<bool> {
        // One from the future: the clock was set back. It is not a reason to wait for longer.
        Ok(match self.last {
            None => true,
            Some(last) => backup.schedule.next(last.min(now))? <= now,
        })
    }
}

/// Queues the proof of a snapshot.
fn prove(work: &Work, place: &Place, id: u64) -> Result<()> {
    let subject = place.proof(id)?;
    Ok(work.shared.metadata.queue_job(Some(place.group), JobKind::Prove, &subject, work.now())?)
}

impl Applying<'_> {
    /// Takes the snapshot that is due or ordered, once there is a consistent state to be kept.
    pub(super) fn take_snapshots(&mut self, backup: &BackupConfig, is_at_end: bool) -> Result<()> {
        if self.head.state().require_consistent().is_err() {
            return Ok(());
        }
        self.carry_out(JobKind::Snapshot, is_at_end, |it| it.take(true))?;
        if self.snapshots.is_due(backup, self.work.now())? { self.take(false) } else { Ok(()) }
    }

    fn take(&mut self, is_ordered: bool) -> Result<()> {
        let (work, clock) = (self.work, self.work.shared.clock.as_ref());
        self.compact()?;
        let taken = match is_ordered {
            true => self.head.snapshot(clock).map(|(id, taken)| Taken::Snapshot(id, taken)),
            false => self.head.snapshot_if_changed(clock),
        }?;
        self.note_flush();
        self.snapshots.last = Some(work.now());
        match taken {
            Taken::Snapshot(id, snapshot) => {
                let text = format!("snapshot {id} of {}", snapshot.at);
                work.shared.note(Some(self.place.group), "SNAPSHOT_TAKEN", Some(&self.place.subject), &text);
                prove(work, &self.place, id)
            }
            Taken::Covered(covered) => {
                tracing::info!(
                    head = self.place.name.prefix(),
                    snapshot = covered.snapshot,
                    "stands until {}",
                    covered.until
                );
                Ok(())
            }
        }
    }
}
