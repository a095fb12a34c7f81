//! Letting go: snapshots by retention, oplog by the window, restores after a day.
//!
//! Nothing goes by a clock that is not trusted. What is decided here is decided of what is there now, and deleted by
//! compare-and-set: what somebody changes meanwhile stays until the next time.

mod oplog;
mod snapshots;

use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::ErrorKind;
use tidemark_head::export::Restorable;
use tidemark_metadata::rules::clock_watch::Pause;
use tidemark_metadata::{Job, JobKind, Outcome, RestoreJob, RestoreJobId, RestoreState, Status, Subject};

const DAY_MS: u64 = 24 * 3_600_000;
const EXPIRY_PAUSED: &str = "EXPIRY_PAUSED";

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let (shared, place) = (&work.shared, Place::of(&work.job)?);
    let Some(backup) = place.backup(&shared.metadata)? else { return Ok(Outcome::Done) };
    let verdict = shared.watches.judge((place.group, place.set), shared.clock.as_ref());
    tell(work, &place, verdict)?;
    let may_expire = verdict.is_ok();
    restores(work, &place, may_expire)?;
    // What is terminated goes as a whole, or not at all. What is stopped goes by its retention like all else.
    if matches!(backup.status, Status::Terminating | Status::Inactive) {
        return Ok(Outcome::Done);
    }
    if may_expire {
        snapshots::expire(work, &place, &backup)?;
        work.go_on()?;
    }
    // What a person ordered has proofs of its own.
    snapshots::delete_ordered(work, &place, &backup)?;
    if may_expire {
        work.go_on()?;
        oplog::expire(work, &place, &backup)?;
    }
    Ok(Outcome::Done)
}

/// Tells people when the verdict is another than the one they were told last, by whichever daemon that was.
fn tell(work: &Work, place: &Place, verdict: Result<(), Pause>) -> Result<()> {
    let (shared, group, subject) = (&work.shared, Some(place.group), Some(&place.subject));
    match verdict {
        Ok(()) => {
            let text = "the clocks agree again: snapshots expire as their retention says";
            shared.note_end(group, subject, EXPIRY_PAUSED, ("EXPIRY_RESUMED", text))?;
        }
        Err(_) if shared.metadata.is_open(group, EXPIRY_PAUSED, subject)? => {}
        // After each start, until an agent calls.
        Err(Pause::NoSource)
            if !shared.watches.is_settled((place.group, place.set), shared.clock.as_ref()) => {}
        Err(pause) => {
            shared.note(group, EXPIRY_PAUSED, subject, &pause.to_string());
        }
    }
    Ok(())
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
