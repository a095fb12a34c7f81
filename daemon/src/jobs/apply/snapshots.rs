//! Which snapshots are due, and taking them.
//!
//! The first one as soon as the copy is consistent, then by the schedule, and whenever somebody orders one. When the
//! last was taken or found to be still the same is kept in memory; after a start it is looked up, and the worst that
//! comes of that is a note that is written twice.
//!
//! Where nothing changes, a note that the last one still stands takes the place of another. But the window of seconds
//! begins at a snapshot, and the oplog before it goes: so one that is older than the window is followed by a real one.
//! An order is for a real one, too, unless there is one of this very entry: then nothing came since, and it is the same.

use super::Applying;
use super::following::Followed;
use crate::error::Result;
use crate::jobs::prove;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::{Timestamp, UnixMillis};
use tidemark_head::head::Taken;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_head::state::State;
use tidemark_metadata::{BackupConfig, JobKind, Outcome};

const HOUR_MS: u64 = 3_600_000;

/// What is known of the snapshots of a head.
pub(super) struct Snapshots {
    /// When one was last taken or found to be the same; none before the first of this copy.
    last: Option<UnixMillis>,
}

impl Snapshots {
    /// Looks them up, and sees to it that each is proven.
    pub(super) fn look(work: &Work, place: &Place, state: &State) -> Result<Self> {
        let since = since(state);
        let found = snapshot::list(&work.shared.store, &place.name)?;
        let mut last = None;
        prove::queue_all(work, place, &found)?;
        for (_, snapshot) in found.into_iter().filter(|(_, it)| !it.is_dead_branch && it.at.ts >= since) {
            last = last.max(Some(snapshot.taken));
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

impl Applying<'_> {
    /// Takes the snapshot that is due or ordered, once there is a consistent state to be kept.
    pub(super) fn take_snapshots(&mut self, backup: &BackupConfig, is_at_end: bool) -> Result<()> {
        if self.head.state().require_consistent().is_err() {
            return Ok(());
        }
        self.carry_out(JobKind::Snapshot, is_at_end, |it| it.take_ordered(backup))?;
        if self.snapshots.is_due(backup, self.work.now())? { self.take_due(backup) } else { Ok(()) }
    }

    /// Takes the one that is due, or notes that the last one still stands; what was found to be damaged is read again.
    fn take_due(&mut self, backup: &BackupConfig) -> Result<()> {
        let (work, clock) = (self.work, self.work.shared.clock.as_ref());
        self.compact()?;
        let taken = match self.is_to_be_real(backup)? {
            true => self.head.snapshot(clock).map(|(id, taken)| Taken::Snapshot(id, taken)),
            false => self.head.snapshot_if_changed(clock),
        }?;
        self.note_flush();
        self.snapshots.last = Some(work.now());
        match taken {
            Taken::Snapshot(id, snapshot) => self.tell_taken(id, &snapshot)?,
            Taken::Covered(covered) => {
                tracing::info!(
                    head = self.place.name.prefix(),
                    snapshot = covered.snapshot,
                    "stands until {}",
                    covered.until
                );
            }
        }
        prove::queue_all(work, &self.place, &snapshot::list(&work.shared.store, &self.place.name)?)
    }

    /// Takes one that was ordered: of all that had come by now. What came since it was looked last may have come before the
    /// order.
    fn take_ordered(&mut self, backup: &BackupConfig) -> Result<Outcome> {
        if !matches!(self.follow()?, Followed::ToTheEnd { .. }) {
            return Ok(Outcome::Released);
        }
        if let Some((id, snapshot)) = self.newest(backup)?.filter(|(_, it)| it.at == self.head.at()) {
            let text = format!("snapshot {id} of {} is what was ordered: nothing came since", snapshot.at);
            let (shared, place) = (&self.work.shared, &self.place);
            shared.note(Some(place.group), "SNAPSHOT_STANDS", Some(&place.subject), &text);
            return Ok(Outcome::Done);
        }
        self.compact()?;
        let (id, snapshot) = self.head.snapshot(self.work.shared.clock.as_ref())?;
        self.note_flush();
        self.snapshots.last = Some(self.work.now());
        self.tell_taken(id, &snapshot)?;
        Ok(Outcome::Done)
    }

    fn tell_taken(&self, id: u64, snapshot: &Snapshot) -> Result<()> {
        let text = format!("snapshot {id} of {}", snapshot.at);
        let (shared, place) = (&self.work.shared, &self.place);
        shared.note(Some(place.group), "SNAPSHOT_TAKEN", Some(&place.subject), &text);
        prove::queue(self.work, place, id)
    }

    /// Whether a note that the last one still stands would not do.
    fn is_to_be_real(&self, backup: &BackupConfig) -> Result<bool> {
        let Some((_, newest)) = self.newest(backup)? else { return Ok(true) };
        let window_ms = u64::from(backup.pitr_window_hours) * HOUR_MS;
        let is_old = u64::from(newest.at.ts.secs) * 1000 + window_ms < self.work.now().0;
        // Where not even a no-op came, another would begin the window where this one does.
        Ok(is_old && newest.at != self.head.at())
    }

    /// The newest of this copy that stays: it is sound, and nobody has ordered its deletion.
    fn newest(&self, backup: &BackupConfig) -> Result<Option<(u64, Snapshot)>> {
        let since = since(self.head.state());
        let all = snapshot::list(&self.work.shared.store, &self.place.name)?;
        let stays = |id: u64| backup.deletion_of(&format!("{id:016x}")).is_none();
        Ok(all.into_iter().rfind(|(id, it)| it.is_live() && it.at.ts >= since && stays(*id)))
    }
}

/// From where on snapshots are of this copy.
fn since(state: &State) -> Timestamp {
    state.fuzzy_until().unwrap_or(Timestamp::ZERO)
}
