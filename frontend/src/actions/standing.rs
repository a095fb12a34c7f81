//! What of a backup somebody should look at, how far its copy is, and which seconds can be restored: what lags do not say.
//!
//! What was noted as wrong, and not as over since, is a record ([`tidemark_metadata::Matter`]); the rest is read from the
//! stores. Used by [`overview`](super::overview) and the page of a replica set.

use super::backups::Backup;
use super::{Actor, Result, backups, head_of, snapshots};
use crate::site::Parts;
use tidemark_base::{Timestamp, UnixMillis};
use tidemark_head::HeadError;
use tidemark_head::head::HeadName;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_metadata::{BackupConfig, GroupId, Job, JobKind, JobState, ReplicaSetId, Status, Subject, Text};

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matter {
    /// Since when, if that is known.
    pub(crate) since: Option<UnixMillis>,
    /// What, in words that may come from outside.
    pub(crate) text: String,
}

/// How far a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Copying {
    /// No agent has begun it.
    Awaited,
    /// An agent sends it.
    Sent { collections: usize, done: usize, documents: u64, bytes: u64 },
    /// All of it is here, and the head is made of it.
    Built { doing: Option<Text>, done: u64, total: Option<u64> },
}

/// What somebody should look at, the source's own problems first; `open` is what is open of the group.
pub(super) fn matters(
    parts: &Parts,
    backup: &Backup,
    open: &[tidemark_metadata::Matter],
    all: &[(u64, Snapshot)],
) -> Result<Vec<Matter>> {
    let config = &backup.config;
    let mut found = Vec::new();
    if matches!(config.status, Status::Started | Status::Provisioning) {
        if let Some(sight) = &backup.set.sight {
            let said = |it: &Text| Matter { since: None, text: format!("The agent says: {it}") };
            found.extend(sight.problems.iter().map(said));
        }
        let set = config.replica_set.to_string();
        let own = open.iter().filter(|it| it.subject.as_ref().is_some_and(|of| of.as_str() == set));
        found.extend(own.map(|it| Matter { since: Some(it.since), text: it.text.to_string() }));
        for kind in [JobKind::Build, JobKind::Apply, JobKind::Expire] {
            found.extend(work(parts, config.group, config.replica_set, kind)?.and_then(|job| failure(&job)));
        }
    }
    found.extend(damage(all));
    Ok(found)
}

/// That snapshots are damaged, if some are.
fn damage(all: &[(u64, Snapshot)]) -> Option<Matter> {
    let damaged = all.iter().filter(|(_, it)| it.is_damaged).count();
    let text = format!(
        "{damaged} of {} snapshots could not be read whole when they were checked: run `tidemark store verify` on the \
         store, and look at this server's disk; if that finds nothing, it may be a document that is broken at the source: the \
         group's events name it. If the newest is among them, order a new copy.",
        all.len()
    );
    (damaged > 0).then_some(Matter { since: None, text })
}

/// Why work waits or was given up.
fn failure(job: &Job) -> Option<Matter> {
    let error = job.last_error.as_ref()?;
    let what = match job.kind {
        JobKind::Build => "The head cannot be built of the copy",
        JobKind::Apply => "Oplog cannot be applied",
        _ => "What has expired cannot be removed",
    };
    match job.state {
        JobState::Queued { .. } => {
            let text = format!("{what}: {error}. It is tried again and again ({} failures).", job.failures);
            Some(Matter { since: None, text })
        }
        JobState::Failed { at } => {
            Some(Matter { since: Some(at), text: format!("{what}: {error}. It was given up.") })
        }
        _ => None,
    }
}

fn work(parts: &Parts, group: GroupId, set: ReplicaSetId, kind: JobKind) -> Result<Option<Job>> {
    let id = Job::id_of(Some(group), kind, &Subject::new(set.to_string())?);
    Ok(parts.metadata.find::<Job>(&id)?.map(|it| it.record))
}

/// How far the copy of a backup is, while one is made.
pub(super) fn copying(parts: &Parts, backup: &Backup, name: &HeadName) -> Result<Option<Copying>> {
    let config = &backup.config;
    if config.status != Status::Provisioning {
        return Ok(None);
    }
    let syncs = name.syncs(&parts.store);
    let sync = syncs.state().map_err(HeadError::from)?.filter(|it| config.copies.count(it.number));
    let Some(sync) = sync else { return Ok(Some(Copying::Awaited)) };
    if sync.until.is_some() {
        let progress = work(parts, config.group, config.replica_set, JobKind::Build)?.map(|it| it.progress);
        let progress = progress.unwrap_or_default();
        let (done, total) = (progress.done, progress.total);
        return Ok(Some(Copying::Built { doing: progress.doing, done, total }));
    }
    let collections = syncs.collections(sync.number).map_err(HeadError::from)?;
    Ok(Some(Copying::Sent {
        collections: collections.len(),
        done: collections.iter().filter(|(_, it, _)| it.is_done).count(),
        documents: collections.iter().map(|(_, it, _)| it.documents).sum(),
        bytes: collections.iter().map(|(_, it, _)| it.bytes).sum(),
    }))
}

/// From when until when any second can be restored; none if no second can.
pub(crate) fn window(
    parts: &Parts,
    actor: &Actor,
    (group, set): (GroupId, ReplicaSetId),
) -> Result<Option<(UnixMillis, UnixMillis)>> {
    backups::get(parts, actor, group, set)?;
    let name = head_of(group, set)?;
    let Some((begins, until)) = line(parts, &name) else { return Ok(None) };
    let snapshots = snapshot::list(&parts.store, &name)?;
    // From the first root that the oplog goes on from.
    let first = bases(&snapshots, begins).map(|(_, it)| snapshots::moment(it)).min();
    Ok(first.map(|first| (first, until.max(first))))
}

/// Where the oplog begins, and until when it reaches; none if there is none, or it cannot be told: that is no reason to
/// hide snapshots that can be read.
pub(super) fn line(parts: &Parts, name: &HeadName) -> Option<(Timestamp, UnixMillis)> {
    read_line(parts, name).unwrap_or_else(|error| {
        tracing::warn!(head = name.prefix(), "which seconds can be restored cannot be told: {error}");
        None
    })
}

fn read_line(parts: &Parts, name: &HeadName) -> Result<Option<(Timestamp, UnixMillis)>, HeadError> {
    let slices = name.slices(&parts.store);
    let Some(tip) = slices.tip()? else { return Ok(None) };
    let until = UnixMillis(u64::from(tip.link.at.ts.secs) * 1000);
    Ok(Some((slices.line_start(&tip)?.at.ts, until)))
}

/// The snapshots from which the oplog is gone on with to restore a second.
fn bases(all: &[(u64, Snapshot)], begins: Timestamp) -> impl Iterator<Item = (u64, &Snapshot)> {
    all.iter().filter(move |(_, it)| it.is_live() && it.at.ts >= begins).map(|(id, it)| (*id, it))
}

/// The seconds that can be restored only as long as a snapshot is there: from its own until the next one's that stays, or
/// to the end. None if an earlier one is there to begin at.
pub(super) fn lost_with(
    id: u64,
    all: &[(u64, Snapshot)],
    config: &BackupConfig,
    (begins, until): (Timestamp, UnixMillis),
) -> Option<(UnixMillis, UnixMillis)> {
    let (_, own) = bases(all, begins).find(|(it, _)| *it == id)?;
    let stays = |other: u64| other != id && config.deletion_of(&snapshots::name(other)).is_none();
    let first =
        bases(all, begins).filter(|(other, _)| stays(*other)).map(|(_, it)| it).min_by_key(|it| it.at.ts);
    match first {
        Some(first) if first.at.ts <= own.at.ts => None,
        Some(first) => Some((snapshots::moment(own), snapshots::moment(first))),
        None => Some((snapshots::moment(own), until.max(snapshots::moment(own)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::{BlockId, BlockKind, OpTime};
    use tidemark_blockstore::RefVersion;
    use tidemark_head::Diverged;
    use tidemark_metadata::SnapshotName;

    fn taken(secs: u32) -> Snapshot {
        Snapshot {
            root: BlockId::of(BlockKind::Node, b"root"),
            version: RefVersion(1),
            at: OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 },
            taken: UnixMillis(0),
            took_ms: 0,
            is_dead_branch: false,
            is_damaged: false,
            collections: 0,
            run_bytes: 0,
            new_run_bytes: 0,
            diverged: Diverged::NONE,
            proven: None,
        }
    }

    #[test]
    fn what_goes_with_a_snapshot_is_what_no_other_leads_to() {
        let mut config = BackupConfig::new(GroupId::from_bytes([1; 12]), ReplicaSetId::from_bytes([2; 12]));
        let line = (Timestamp { secs: 20, ordinal: 0 }, UnixMillis(99_000));
        let mut all = vec![(1, taken(10)), (2, taken(30)), (3, taken(40)), (4, taken(50))];
        let lost = |id, all: &[_], config: &BackupConfig| {
            lost_with(id, all, config, line).map(|(from, until)| (from.0 / 1000, until.0 / 1000))
        };
        assert_eq!(lost(1, &all, &config), None, "the oplog after it is gone");
        assert_eq!(lost(2, &all, &config), Some((30, 40)));
        assert_eq!(lost(3, &all, &config), None, "restored from the one before");
        assert_eq!(lost(2, &all[..2], &config), Some((30, 99)), "all of them");
        config.status = Status::Started;
        config.order_deletion(&SnapshotName::new(snapshots::name(3)).unwrap(), UnixMillis(0)).unwrap();
        assert_eq!(lost(2, &all, &config), Some((30, 50)), "the third goes, too");
        all[3].1.is_damaged = true;
        assert_eq!(lost(2, &all, &config), Some((30, 99)), "nothing begins at what is damaged");
        assert_eq!(lost(4, &all, &config), None);
        all[1].1.is_dead_branch = true;
        assert_eq!(lost(2, &all, &config), None);
    }

    #[test]
    fn damaged_snapshots_are_told_of_until_they_are_gone() {
        let mut all = vec![(1, taken(10)), (2, taken(30))];
        assert_eq!(damage(&all), None);
        all[0].1.is_damaged = true;
        assert!(damage(&all).unwrap().text.starts_with("1 of 2 snapshots could not be read"));
    }

    #[test]
    fn work_that_fails_says_why_while_it_waits() {
        let mut job = Job::new(None, JobKind::Apply, Subject::new("a").unwrap(), UnixMillis(0));
        assert_eq!(failure(&job), None);
        (job.last_error, job.failures) = (Some(Text::fit("the disk is full")), 3);
        let said = failure(&job).unwrap().text;
        assert_eq!(
            said,
            "Oplog cannot be applied: the disk is full. It is tried again and again (3 failures)."
        );
        job.state = JobState::Done { at: UnixMillis(1) };
        assert_eq!(failure(&job), None);
    }
}
