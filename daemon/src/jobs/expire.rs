//! Letting go: snapshots by retention, oplog by the window, restores after a day.
//!
//! Nothing goes by a clock that is not trusted. What is decided here is decided of what is there now, and deleted by
//! compare-and-set: what somebody changes meanwhile stays until the next time.

mod oplog;

use crate::error::Result;
use crate::place::Place;
use crate::watches::News;
use crate::work::Work;
use std::collections::BTreeSet;
use tidemark_base::{ErrorKind, UnixMillis};
use tidemark_head::export::Restorable;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_metadata::rules::retention::{SnapshotFacts, expired};
use tidemark_metadata::{
    BackupConfig, By, Job, JobKind, Outcome, RestoreJob, RestoreJobId, RestoreState, RestoreTarget, Status,
    Subject,
};

const DAY_MS: u64 = 24 * 3_600_000;

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let (shared, place) = (&work.shared, Place::of(&work.job)?);
    let Some(backup) = place.backup(&shared.metadata)? else { return Ok(Outcome::Done) };
    let (may_expire, news) = shared.watches.judge((place.group, place.set), shared.clock.as_ref());
    match news {
        Some(News::Paused(pause)) => {
            shared.note(Some(place.group), "EXPIRY_PAUSED", Some(&place.subject), &pause.to_string());
        }
        Some(News::Resumed) => {
            let text = "the clocks agree again: snapshots expire as their retention says";
            shared.note(Some(place.group), "EXPIRY_RESUMED", Some(&place.subject), text);
        }
        None => {}
    }
    restores(work, &place, may_expire)?;
    // What is terminated goes as a whole, or not at all.
    if may_expire && !matches!(backup.status, Status::Terminating | Status::Inactive) {
        snapshots(work, &place, &backup)?;
        work.go_on()?;
        oplog::expire(work, &place, &backup)?;
    }
    Ok(Outcome::Done)
}

/// Lets snapshots go that no tier holds.
fn snapshots(work: &Work, place: &Place, backup: &BackupConfig) -> Result<()> {
    let (shared, now) = (&work.shared, work.now());
    let found = snapshot::list(&shared.store, &place.name)?;
    let covered = snapshot::covered(&shared.store, &place.name)?;
    let wanted = wanted(work, place)?;
    let best = found.iter().map(|(_, it)| worth(it)).max().unwrap_or(Worth::Dead);
    let base_ms = u64::from(backup.retention.base_days) * DAY_MS;
    let facts = found.iter().map(|(id, it)| {
        // What still stood a while ago is as good as one taken then.
        let stood = covered.filter(|covered| covered.snapshot == *id).map(|it| wall(it.until.ts.secs));
        SnapshotFacts {
            name: format!("{id:016x}"),
            taken: wall(it.at.ts.secs),
            // Where nothing is proven, or without a fault, the newest is still the best there is.
            restorable: worth(it) == best,
            held: wanted.contains(id) || stood.is_some_and(|stood| stood.0.saturating_add(base_ms) >= now.0),
        }
    });
    let facts: Vec<_> = facts.collect();
    for name in expired(&facts, &backup.retention, &backup.schedule.zone, now)? {
        let Ok(id) = u64::from_str_radix(&name, 16) else { continue };
        match snapshot::delete(&shared.store, &place.name, id) {
            Ok(()) => tracing::info!(head = place.name.prefix(), snapshot = id, "expired"),
            // Somebody was faster, or has changed it: it is looked at again the next time.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        forget(work, &Job::id_of(Some(place.group), JobKind::Prove, &place.proof(id)?))?;
    }
    Ok(())
}

/// How much is to be expected of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// A state that the source left.
    Dead,
    /// Something did not fit.
    Diverged,
    /// Nothing is known against it.
    Stored,
    /// All of it was read.
    Proven,
}

fn worth(snapshot: &Snapshot) -> Worth {
    match snapshot {
        it if it.is_dead_branch => Worth::Dead,
        it if it.is_clean() => Worth::Proven,
        it if it.known_divergences() > 0 => Worth::Diverged,
        _ => Worth::Stored,
    }
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

/// Lets restores go that are a day old, or that nobody wants any more.
fn restores(work: &Work, place: &Place, may_expire: bool) -> Result<()> {
    let (shared, now) = (&work.shared, work.now());
    for (id, restorable) in Restorable::list(&shared.store, &place.name)? {
        let Ok(wish) = id.parse::<RestoreJobId>() else { continue };
        let record = RestoreJob::id_of(place.group, wish);
        let state = shared.metadata.find::<RestoreJob>(&record)?.map(|it| it.record.state);
        let is_old = may_expire && now.0 >= restorable.prepared.0.saturating_add(DAY_MS);
        let is_unwanted = !matches!(state, Some(RestoreState::Preparing | RestoreState::Ready { .. }));
        if !is_old && !is_unwanted {
            continue;
        }
        if !is_unwanted {
            // First, so that no link leads to what is gone.
            shared.metadata.change::<RestoreJob, _>(&record, |it| it.set_state(RestoreState::Cancelled))?;
            shared.metadata.revoke_links(place.group, wish, now)?;
        }
        Restorable::remove(&shared.store, &place.name, &id)?;
        forget(work, &Job::id_of(Some(place.group), JobKind::Restore, &Subject::new(id)?))?;
    }
    Ok(())
}

/// Removes the job of something that is gone for good.
fn forget(work: &Work, job: &str) -> Result<()> {
    match work.shared.metadata.remove::<Job>(job) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn wall(secs: u32) -> UnixMillis {
    UnixMillis(u64::from(secs) * 1000)
}
