//! Which snapshots may go: those that retention no longer keeps, and those whose deletion was ordered a day ago.
//!
//! Both are decided by [`tidemark_metadata::rules::retention`], of the facts that the page decides of, too. A snapshot's
//! ref goes first, then the order to delete it, together with the event: what a crash leaves of that is found again.

use super::forget;
use crate::error::Result;
use crate::place::Place;
use crate::watches::deletion;
use crate::work::Work;
use std::collections::BTreeSet;
use tidemark_base::{ErrorKind, UnixMillis};
use tidemark_head::snapshot;
use tidemark_metadata::rules::retention::{Findings, SnapshotFacts, Worth, expired, may_be_deleted};
use tidemark_metadata::{
    BackupConfig, By, DeletedSnapshot, Job, JobKind, RestoreJob, RestoreState, RestoreTarget,
};

/// Lets snapshots go that no rule keeps.
pub(super) fn expire(work: &Work, place: &Place, backup: &BackupConfig) -> Result<()> {
    for name in expired(&facts(work, place, backup)?, backup.policy(), work.now())? {
        delete(work, place, &name)?;
    }
    Ok(())
}

/// Deletes those whose deletion can no longer be undone, unless nothing as good would be left.
pub(super) fn delete_ordered(work: &Work, place: &Place, backup: &BackupConfig) -> Result<()> {
    let shared = &work.shared;
    for order in &backup.deleted_snapshots {
        let facts = facts(work, place, backup)?;
        if let Some(found) = facts.iter().find(|it| it.name == order.name.as_str()) {
            let is_ripe =
                shared.watches.is_ripe((place.group, place.set), &deletion(order), shared.clock.as_ref());
            let may_go =
                is_ripe && order.is_due(work.now()) && !found.held && may_be_deleted(&facts, &found.name);
            if !may_go || !still_ordered(work, place, order)? {
                continue;
            }
            if !delete(work, place, &found.name)? {
                continue;
            }
        }
        note_deleted(work, place, order)?;
    }
    Ok(())
}

/// Whether nobody has undone it since this began.
fn still_ordered(work: &Work, place: &Place, order: &DeletedSnapshot) -> Result<bool> {
    let now = place.backup(&work.shared.metadata)?;
    Ok(now.is_some_and(|it| it.deletion_of(order.name.as_str()) == Some(order)))
}

/// Forgets an order that was carried out, and tells people in the same batch.
fn note_deleted(work: &Work, place: &Place, order: &DeletedSnapshot) -> Result<()> {
    let text = format!("snapshot {} is deleted, as it was ordered", order.name);
    let telling = work.shared.telling(place.group, "SNAPSHOT_DELETED", &place.subject, &text)?;
    let id = BackupConfig::id_of(place.group, place.set);
    telling.change::<BackupConfig, _>(&id, |backup| {
        backup.forget_deletion(&order.name);
        Ok(())
    })?;
    Ok(())
}

/// Whether it is gone.
fn delete(work: &Work, place: &Place, name: &str) -> Result<bool> {
    let Ok(id) = u64::from_str_radix(name, 16) else { return Ok(false) };
    match snapshot::delete(&work.shared.store, &place.name, id) {
        Ok(()) => tracing::info!(head = place.name.prefix(), snapshot = id, "deleted"),
        // Somebody was faster.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        // It has changed meanwhile, by a proof say: it is looked at again the next time.
        Err(error) if error.kind() == ErrorKind::Conflict => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    forget(work, &Job::id_of(Some(place.group), JobKind::Prove, &place.proof(id)?))?;
    Ok(true)
}

/// What retention has to know.
fn facts(work: &Work, place: &Place, backup: &BackupConfig) -> Result<Vec<SnapshotFacts>> {
    let store = &work.shared.store;
    let covered = snapshot::covered(store, &place.name)?;
    let wanted = wanted(work, place)?;
    let facts = snapshot::list(store, &place.name)?.into_iter().map(|(id, it)| {
        let name = format!("{id:016x}");
        let covered = covered.filter(|covered| covered.snapshot == id);
        SnapshotFacts {
            taken: wall(it.at.ts.secs),
            worth: Worth::of(Findings {
                is_damaged: it.is_damaged,
                is_dead_branch: it.is_dead_branch,
                divergences: it.known_divergences(),
                is_proven: it.proven.is_some(),
            }),
            is_proven: it.proven.is_some(),
            stood_until: covered.map(|it| wall(it.until.ts.secs)),
            held: wanted.contains(&id),
            deleted: backup.deletion_of(&name).map(|it| it.at),
            name,
        }
    });
    Ok(facts.collect())
}

/// The snapshots of which restores are being prepared.
fn wanted(work: &Work, place: &Place) -> Result<BTreeSet<u64>> {
    let wishes = work.shared.metadata.all::<RestoreJob>(By::IdPrefix(&format!("{}:", place.group)))?;
    let mine = wishes.into_iter().map(|it| it.record).filter(|it| it.replica_set == place.set);
    let preparing = mine.filter(|it| it.state == RestoreState::Preparing);
    let snapshots = preparing.filter_map(|it| match it.target {
        RestoreTarget::Snapshot { name } => u64::from_str_radix(name.as_str(), 16).ok(),
        RestoreTarget::PointInTime { .. } => None,
    });
    Ok(snapshots.collect())
}

fn wall(secs: u32) -> UnixMillis {
    UnixMillis(u64::from(secs) * 1000)
}
