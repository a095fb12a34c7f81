//! Snapshots, as the blockstore has them: they are there also when the records are lost.

use super::{Actor, Problem, Result, backups, head_of};
use crate::site::Parts;
use std::collections::BTreeMap;
use tidemark_base::UnixMillis;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_metadata::rules::retention::{SnapshotFacts, held_until};
use tidemark_metadata::{BackupConfig, GroupId, ReplicaSetId};

/// A snapshot, and until when it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its number.
    pub(crate) id: u64,
    /// What is stored of it.
    pub(crate) snapshot: Snapshot,
    /// Until when it is kept as things are; none for the last one that can be restored, and if the schedule's zone is
    /// one that this program does not know.
    pub(crate) until: Option<UnixMillis>,
}

impl Kept {
    /// Its name, as its ref has it.
    pub(crate) fn name(&self) -> String {
        name(self.id)
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
    let backup = backups::get(parts, actor, group, set)?;
    let snapshots = snapshot::list(&parts.store, &head_of(group, set)?)?;
    let ends = ends(&snapshots, &backup.config);
    let last = snapshots.iter().rev().find(|(_, it)| !it.is_dead_branch).map(|(id, _)| *id);
    let kept = snapshots.into_iter().rev().map(|(id, snapshot)| {
        let until = ends.get(&name(id)).copied().filter(|_| last != Some(id));
        Kept { id, snapshot, until }
    });
    Ok(kept.collect())
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
    found.ok_or(Problem::NotFound { what: "snapshot" })
}

fn ends(snapshots: &[(u64, Snapshot)], config: &BackupConfig) -> BTreeMap<String, UnixMillis> {
    let facts = snapshots.iter().map(|(id, it)| SnapshotFacts {
        name: name(*id),
        taken: moment(it),
        restorable: !it.is_dead_branch,
        held: false,
    });
    held_until(&facts.collect::<Vec<_>>(), &config.retention, &config.schedule.zone).unwrap_or_default()
}
