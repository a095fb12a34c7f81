//! Which jobs there should be, from what the metadata says and the time: queued by whichever daemon looks first.
//!
//! Queueing changes nothing where a job is open, so every daemon does this at each look.

use crate::error::Result;
use crate::jobs::{build, terminate};
use crate::place::Place;
use crate::shared::Shared;
use tidemark_base::UnixMillis;
use tidemark_metadata::{BackupConfig, By, GroupId, Job, JobKind, JobState, Status, Subject};

const MINUTE_MS: u64 = 60_000;
/// How often it is looked what may go.
const EXPIRE_EVERY_MS: u64 = 10 * MINUTE_MS;
/// How often garbage is collected while there is room.
const GROOM_EVERY_MS: u64 = 12 * 60 * MINUTE_MS;
/// How often it is collected while there is little.
const GROOM_IN_LITTLE_ROOM_EVERY_MS: u64 = 30 * MINUTE_MS;
/// How often the whole store is read and checked.
const VERIFY_EVERY_MS: u64 = 7 * 24 * 60 * MINUTE_MS;
/// The subject of jobs about the whole store.
const STORE: &str = "store";

/// Sees to it that there are the jobs that there should be.
pub(crate) fn queue(shared: &Shared) -> Result<()> {
    let metadata = &shared.metadata;
    let mut failed = Ok(());
    for backup in metadata.all::<BackupConfig>(By::IdPrefix(""))? {
        // What is wrong with one is told, and the others go on.
        failed = failed.and(queue_for(shared, &backup.record));
    }
    let store = Subject::new(STORE)?;
    let has_room = shared.config.room.shortage().is_none();
    let groom_every = if has_room { GROOM_EVERY_MS } else { GROOM_IN_LITTLE_ROOM_EVERY_MS };
    queue_if_due(shared, None, JobKind::Groom, &store, groom_every)?;
    queue_if_due(shared, None, JobKind::Verify, &store, VERIFY_EVERY_MS)?;
    failed
}

fn queue_for(shared: &Shared, backup: &BackupConfig) -> Result<()> {
    shared.watches.look(&shared.metadata, shared.clock.as_ref(), backup)?;
    let place = Place::new(backup.group, backup.replica_set)?;
    if let Some(kind) = wanted(shared, backup, &place)? {
        shared.metadata.queue_job(Some(place.group), kind, &place.subject, shared.now())?;
    }
    if backup.status != Status::Inactive {
        queue_if_due(shared, Some(place.group), JobKind::Expire, &place.subject, EXPIRE_EVERY_MS)?;
    }
    Ok(())
}

/// The job that a backup's status asks for.
fn wanted(shared: &Shared, backup: &BackupConfig, place: &Place) -> Result<Option<JobKind>> {
    Ok(match backup.status {
        Status::Started => Some(JobKind::Apply),
        Status::Provisioning => build::finished_copy(shared, backup, place)?.map(|_| JobKind::Build),
        Status::Terminating => terminate::is_over(shared, place, backup).then_some(JobKind::Terminate),
        Status::Inactive | Status::Stopped => None,
    })
}

fn queue_if_due(
    shared: &Shared,
    group: Option<GroupId>,
    kind: JobKind,
    subject: &Subject,
    every_ms: u64,
) -> Result<()> {
    let job = shared.metadata.find::<Job>(&Job::id_of(group, kind, subject))?;
    if job.is_none_or(|job| is_due(&job.record.state, shared.now(), every_ms)) {
        shared.metadata.queue_job(group, kind, subject, shared.now())?;
    }
    Ok(())
}

fn is_due(state: &JobState, now: UnixMillis, every_ms: u64) -> bool {
    match state {
        JobState::Queued { .. } | JobState::Running { .. } => false,
        // One that ended in the future: the clock was set back.
        JobState::Done { at } | JobState::Failed { at } | JobState::Cancelled { at } => {
            *at > now || now.0 - at.0 >= every_ms
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_due_again_after_its_time_or_when_the_clock_was_set_back() {
        let done = JobState::Done { at: UnixMillis(1000) };
        for (now, expected) in [(1000, false), (1099, false), (1100, true), (999, true)] {
            assert_eq!(is_due(&done, UnixMillis(now), 100), expected, "{now}");
        }
        assert!(!is_due(&JobState::Queued { not_before: UnixMillis(0) }, UnixMillis(5000), 100));
    }
}
