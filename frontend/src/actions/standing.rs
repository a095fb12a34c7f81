//! What of a backup somebody should look at, how far its copy is, and which seconds can be restored: what lags do not say.
//!
//! [`open_matters`] is a pure function of the events: what was noted as wrong, and not noted as over since. The rest is
//! read from the stores. Used by [`overview`](super::overview) and the page of a replica set.

use super::backups::Backup;
use super::{Actor, Result, backups, head_of, snapshots};
use crate::site::Parts;
use tidemark_base::UnixMillis;
use tidemark_head::head::HeadName;
use tidemark_head::{HeadError, snapshot};
use tidemark_metadata::{Event, GroupId, Job, JobKind, JobState, ReplicaSetId, Status, Subject, Text};

/// How many of a group's events are looked through for what is still open.
const EVENTS: usize = 300;
/// Codes of events that stand until one of the others is noted of the same set. Without room no snapshot is taken, so
/// one that was taken tells of room, too.
const MATTERS: [(&str, &[&str]); 4] = [
    ("SPACE_LOW", &["SPACE_BACK", "SNAPSHOT_TAKEN"]),
    ("EXPIRY_PAUSED", &["EXPIRY_RESUMED"]),
    ("RESYNC_REQUIRED", &["BACKUP_STARTED"]),
    ("COPY_ORDERED", &["BACKUP_STARTED"]),
];

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

/// The newest events of a group, as many as are looked through.
pub(super) fn events(parts: &Parts, group: GroupId) -> Result<Vec<Event>> {
    Ok(parts.metadata.events(Some(group), None, EVENTS)?)
}

/// What somebody should look at, the source's own problems first.
pub(super) fn matters(parts: &Parts, backup: &Backup, events: &[Event]) -> Result<Vec<Matter>> {
    let config = &backup.config;
    if !matches!(config.status, Status::Started | Status::Provisioning) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    if let Some(sight) = &backup.set.sight {
        let said = |it: &Text| Matter { since: None, text: format!("The agent says: {it}") };
        found.extend(sight.problems.iter().map(said));
    }
    found.extend(open_matters(events, &config.replica_set.to_string()));
    for kind in [JobKind::Build, JobKind::Apply, JobKind::Expire] {
        found.extend(work(parts, config.group, config.replica_set, kind)?.and_then(|job| failure(&job)));
    }
    Ok(found)
}

/// What was noted of a set and is not over, of events that come newest first.
fn open_matters(events: &[Event], set: &str) -> Vec<Matter> {
    let own = |it: &&Event| it.what.subject.as_ref().is_some_and(|subject| subject.as_str() == set);
    let open = MATTERS.iter().filter_map(|(code, ends)| {
        let of_it = |it: &&Event| it.what.code.as_str() == *code || ends.contains(&it.what.code.as_str());
        let last = events.iter().filter(own).find(of_it)?;
        let is_open = last.what.code.as_str() == *code;
        is_open.then(|| Matter { since: Some(last.at), text: last.what.text.to_string() })
    });
    open.collect()
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
    let slices = name.slices(&parts.store);
    let Some(tip) = slices.tip()? else { return Ok(None) };
    let begins = slices.line_start(&tip)?.at.ts;
    let snapshots = snapshot::list(&parts.store, &name)?;
    // From the first root that the oplog goes on from.
    let first = snapshots.iter().map(|(_, it)| it).filter(|it| !it.is_dead_branch && it.at.ts >= begins);
    let first = first.min_by_key(|it| it.at.ts).map(snapshots::moment);
    let last = UnixMillis(u64::from(tip.link.at.ts.secs) * 1000);
    Ok(first.map(|first| (first, last.max(first))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_metadata::{Code, Happening};

    fn event(number: u64, code: &str, subject: &str) -> Event {
        let (code, subject) = (Code::new(code).unwrap(), Subject::new(subject).unwrap());
        let what = Happening { code, subject: Some(subject), actor: None, text: Text::fit("why") };
        Event { group: None, number, at: UnixMillis(number), what }
    }

    #[test]
    fn what_was_noted_stands_until_it_is_noted_as_over_of_the_same_set() {
        let low = event(1, "SPACE_LOW", "a");
        let open = |events: &[&Event]| {
            let newest_first: Vec<Event> = events.iter().rev().map(|it| (*it).clone()).collect();
            open_matters(&newest_first, "a").len()
        };
        assert_eq!(open(&[&low]), 1);
        assert_eq!(open(&[&low, &event(2, "SPACE_BACK", "b")]), 1, "another set's");
        assert_eq!(open(&[&low, &event(2, "SPACE_BACK", "a")]), 0);
        assert_eq!(open(&[&low, &event(2, "SNAPSHOT_TAKEN", "a")]), 0);
        assert_eq!(open(&[&low, &event(2, "SPACE_BACK", "a"), &event(3, "SPACE_LOW", "a")]), 1);
        let ordered = event(2, "COPY_ORDERED", "a");
        assert_eq!(open(&[&low, &ordered]), 2);
        assert_eq!(open(&[&low, &ordered, &event(3, "BACKUP_STARTED", "a")]), 1);
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
