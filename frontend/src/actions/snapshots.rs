//! Snapshots, as the blockstore has them: they are there also when the records are lost. How long they are kept is asked of
//! the same rules as the daemon's; deleting one is ordered here, carried out by the daemon a day later, and undone until
//! then.

use super::{Actor, Problem, Result, backups, happening, head_of, shown, standing, telling};
use crate::site::Parts;
use tidemark_base::UnixMillis;
use tidemark_head::HeadError;
use tidemark_head::head::HeadName;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_metadata::rules::retention::{Findings, SnapshotFacts, Worth, held_until, may_be_deleted};
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{
    BackupConfig, GroupId, Happening, JobKind, ReplicaSetId, SnapshotName, Status, Subject,
    TERMINATION_UNDO_MS,
};

/// A snapshot, and how long it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its number.
    pub(crate) id: u64,
    /// What is stored of it.
    pub(crate) snapshot: Snapshot,
    /// How long it is kept as things are.
    pub(crate) stay: Stay,
    /// The seconds that can be restored only as long as it is there.
    pub(crate) alone: Option<(UnixMillis, UnixMillis)>,
}

/// How long a snapshot is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// Until then, by retention.
    Until(UnixMillis),
    /// In any case: the last one that is as good.
    Last,
    /// Nothing expires of a backup that never ran, or whose time zone this program does not know.
    Resting,
    /// Its deletion was ordered, and is undone until then.
    Deleted(UnixMillis),
    /// The backup was terminated, which is undone until then.
    Terminated(UnixMillis),
}

impl Kept {
    /// Its name, as its ref has it.
    pub(crate) fn name(&self) -> String {
        name(self.id)
    }

    /// Whether its deletion was ordered.
    pub(crate) const fn is_deleted(&self) -> bool {
        matches!(self.stay, Stay::Deleted(_))
    }

    /// When it goes, as things are; none if it does not.
    pub(crate) const fn ends(&self) -> Option<UnixMillis> {
        match self.stay {
            Stay::Until(at) | Stay::Deleted(at) | Stay::Terminated(at) => Some(at),
            Stay::Last | Stay::Resting => None,
        }
    }
}

/// The name of a snapshot by its number.
pub(super) fn name(id: u64) -> String {
    format!("{id:016x}")
}

/// The number of a snapshot by its name; none for what is no name.
pub(crate) fn number(name: &str) -> Option<u64> {
    let shaped = name.len() == 16 && name.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    shaped.then(|| u64::from_str_radix(name, 16).ok()).flatten()
}

/// The wall second of its state, in milliseconds.
pub(crate) const fn moment(snapshot: &Snapshot) -> UnixMillis {
    UnixMillis(snapshot.at.ts.secs as u64 * 1000)
}

/// All of a replica set, newest first.
pub(crate) fn list(parts: &Parts, actor: &Actor, group: GroupId, set: ReplicaSetId) -> Result<Vec<Kept>> {
    let config = backups::get(parts, actor, group, set)?.config;
    let head = head_of(group, set)?;
    let snapshots = snapshot::list(&parts.store, &head)?;
    let facts = facts(parts, &head, &snapshots, &config)?;
    let ends = held_until(&facts, config.policy()).unwrap_or_default();
    let stay = |id: u64| match (config.terminated_at, config.deletion_of(&name(id)), ends.get(&name(id))) {
        (Some(at), ..) => Stay::Terminated(undone_until(at)),
        (_, Some(order), _) => Stay::Deleted(undone_until(order.at)),
        (.., Some(end)) if config.status != Status::Inactive => end.map_or(Stay::Last, Stay::Until),
        _ => Stay::Resting,
    };
    let line = standing::line(parts, &head);
    let alone = |id: u64| standing::lost_with(id, &snapshots, &config, line?);
    let kept = |(id, snapshot): &(u64, Snapshot)| Kept {
        id: *id,
        snapshot: snapshot.clone(),
        stay: stay(*id),
        alone: alone(*id),
    };
    Ok(snapshots.iter().rev().map(kept).collect())
}

const fn undone_until(ordered: UnixMillis) -> UnixMillis {
    UnixMillis(ordered.0.saturating_add(TERMINATION_UNDO_MS))
}

/// One of them.
pub(crate) fn get(
    parts: &Parts,
    actor: &Actor,
    (group, set): (GroupId, ReplicaSetId),
    name: &str,
) -> Result<Kept> {
    let wanted = number(name);
    let found = list(parts, actor, group, set)?.into_iter().find(|it| Some(it.id) == wanted);
    found.ok_or(MISSING)
}

const MISSING: Problem = Problem::NotFound { what: "snapshot" };

/// One that is to be restored: of the store nothing but its own ref is needed for that.
pub(super) fn to_restore(
    parts: &Parts,
    actor: &Actor,
    (group, set): (GroupId, ReplicaSetId),
    wanted: &str,
) -> Result<Snapshot> {
    let config = backups::get(parts, actor, group, set)?.config;
    let id = number(wanted).ok_or(MISSING)?;
    let found = match snapshot::get(&parts.store, &head_of(group, set)?, id) {
        Err(HeadError::NoSnapshot { .. }) => return Err(MISSING),
        found => found?,
    };
    if config.terminated_at.is_none() && config.deletion_of(wanted).is_some() {
        return Err(Problem::refused("this snapshot will be deleted: undo that first"));
    }
    Ok(found)
}

/// Orders one beside the schedule: of all that has come by now, or later. One that is being taken may be of a moment before,
/// so another is taken after it; if nothing came since the newest one, that is the one that was ordered.
pub(crate) fn order(parts: &Parts, actor: &Actor, (group, set): (GroupId, ReplicaSetId)) -> Result<()> {
    actor.require(Permission::ManageBackup, group)?;
    let backup = backups::get(parts, actor, group, set)?;
    if backup.config.status != Status::Started {
        let status = backup.config.status.as_str();
        return Err(Problem::refused(format!(
            "a snapshot is taken of a backup that is STARTED, and this one is {status}: start it, or wait for its copy"
        )));
    }
    let subject = set.to_string();
    let job = Subject::new(subject.as_str())?;
    let text = format!("{}: a snapshot was ordered", backup.set.name);
    let records = telling(parts, actor, group, "SNAPSHOT_ORDERED", Some(&subject), &text)?;
    records.order_job(Some(group), JobKind::Snapshot, &job, parts.clock.now())?;
    Ok(())
}

/// Orders the deletion of one. For a day that can be undone; the last one that is as good stays. Which seconds can be restored
/// no more without it is in what is returned, and in the event.
pub(crate) fn delete(
    parts: &Parts,
    actor: &Actor,
    id: (GroupId, ReplicaSetId),
    wanted: &str,
) -> Result<Kept> {
    actor.require(Permission::ManageRetention, id.0)?;
    let found = get(parts, actor, id, wanted)?;
    let name = SnapshotName::new(found.name())?;
    let lost = found.alone.map(|(from, until)| {
        let (from, until) = (shown(from), shown(until));
        format!("; with it go the seconds from {from} until {until}, which no other snapshot leads to")
    });
    let lost = lost.unwrap_or_default();
    let (head, now) = (head_of(id.0, id.1)?, parts.clock.now());
    let mut may_go = Ok(true);
    let mut ordered = now;
    change(parts, id, |config| {
        // Judged with the orders that the record has now, so that two at once do not delete the last two.
        may_go = snapshot::list(&parts.store, &head)
            .map_err(Problem::from)
            .and_then(|snapshots| facts(parts, &head, &snapshots, config))
            .map(|facts| may_be_deleted(&facts, name.as_str()));
        let earlier = config.deletion_of(name.as_str()).map(|it| it.at);
        ordered = earlier.unwrap_or(now);
        if !matches!(may_go, Ok(true)) || earlier.is_some() {
            return Ok(None);
        }
        config.order_deletion(&name, now)?;
        let text =
            format!("snapshot {name} will be deleted after 24 hours; until then that can be undone{lost}");
        told(actor, id.1, "SNAPSHOT_DELETION_ORDERED", &text)
    })?;
    match may_go? {
        // Not looked up again: a failure of that would say that nothing was ordered.
        true if matches!(found.stay, Stay::Terminated(_)) => Ok(found),
        true => Ok(Kept { stay: Stay::Deleted(undone_until(ordered)), ..found }),
        false => Err(Problem::refused(
            "no other snapshot is as good as this one: it stays until there is one, or the backup is terminated",
        )),
    }
}

/// Undoes that.
pub(crate) fn undelete(
    parts: &Parts,
    actor: &Actor,
    id: (GroupId, ReplicaSetId),
    wanted: &str,
) -> Result<Kept> {
    actor.require(Permission::ManageRetention, id.0)?;
    let name = SnapshotName::new(get(parts, actor, id, wanted)?.name())?;
    let now = parts.clock.now();
    change(parts, id, |config| {
        config.undo_deletion(&name, now)?;
        let text = format!("snapshot {name} stays: its deletion was undone");
        told(actor, id.1, "SNAPSHOT_DELETION_UNDONE", &text)
    })?;
    // If the daemon was just at it, it is not there any more, and whoever undoes is told so.
    get(parts, actor, id, wanted)
}

/// Changes the record of a backup, with the event that tells of it, if there is one.
fn change(
    parts: &Parts,
    (group, set): (GroupId, ReplicaSetId),
    mut change: impl FnMut(&mut BackupConfig) -> Result<Option<Happening>, tidemark_metadata::Error>,
) -> Result<()> {
    let (id, scope) = (BackupConfig::id_of(group, set), (Some(group), parts.clock.now()));
    parts.metadata.upsert_and_tell(&id, scope, |old: Option<&BackupConfig>| {
        let mut config = old.cloned().unwrap_or_else(|| BackupConfig::new(group, set));
        let happened = change(&mut config)?;
        Ok((config, happened.into_iter().collect()))
    })?;
    Ok(())
}

fn told(
    actor: &Actor,
    set: ReplicaSetId,
    code: &'static str,
    text: &str,
) -> Result<Option<Happening>, tidemark_metadata::Error> {
    happening(actor, code, Some(&set.to_string()), text).map(Some)
}

/// What the rules of retention have to know.
fn facts(
    parts: &Parts,
    head: &HeadName,
    snapshots: &[(u64, Snapshot)],
    config: &BackupConfig,
) -> Result<Vec<SnapshotFacts>> {
    let covered = snapshot::covered(&parts.store, head)?;
    let facts = snapshots.iter().map(|(id, it)| SnapshotFacts {
        name: name(*id),
        taken: moment(it),
        worth: Worth::of(Findings {
            is_damaged: it.is_damaged,
            is_dead_branch: it.is_dead_branch,
            divergences: it.known_divergences(),
            is_proven: it.proven.is_some(),
        }),
        is_proven: it.proven.is_some(),
        stood_until: covered
            .filter(|it| it.snapshot == *id)
            .map(|it| UnixMillis(u64::from(it.until.ts.secs) * 1000)),
        held: false,
        deleted: config.deletion_of(&name(*id)).map(|it| it.at),
    });
    Ok(facts.collect())
}
