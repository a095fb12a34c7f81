//! Deleting what belongs to a backup that was terminated a day ago, as the time has it and as this daemon has seen.
//!
//! Everything goes while the backup is still terminating, and only then it becomes inactive: so a new one never meets
//! what is left of the old. Whoever undoes the termination while it is being carried out keeps what is not deleted yet.

use crate::error::Result;
use crate::place::Place;
use crate::shared::Shared;
use crate::watches::termination;
use crate::work::Work;
use tidemark_base::limits::MAX_PUBLISH_CHANGES;
use tidemark_blockstore::{Error, Expect, RefChange};
use tidemark_metadata::{BackupConfig, Outcome, Status};

/// How often refs that others change meanwhile are listed again. Nobody but a late proof is left to do so.
const ATTEMPTS: usize = 16;

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let (shared, place) = (&work.shared, Place::of(&work.job)?);
    for _ in 0..ATTEMPTS {
        if !may_go(work, &place)? {
            return Ok(Outcome::Done);
        }
        if delete(work, &place)? {
            let text = "everything of the terminated backup is deleted";
            shared.set_status(&place, (Status::Terminating, Status::Inactive), "BACKUP_DELETED", text)?;
            return Ok(Outcome::Done);
        }
    }
    Ok(Outcome::Released)
}

/// Whether the backup is still terminated, and for long enough, by clocks that can be trusted.
fn may_go(work: &Work, place: &Place) -> Result<bool> {
    let backup = place.backup(&work.shared.metadata)?;
    Ok(backup.is_some_and(|backup| is_over(&work.shared, place, &backup)))
}

/// Whether the termination of a backup can no longer be undone.
pub(crate) fn is_over(shared: &Shared, place: &Place, backup: &BackupConfig) -> bool {
    let order = termination(backup).filter(|_| backup.status == Status::Terminating);
    let key = (place.group, place.set);
    backup.may_be_deleted(shared.now())
        && order.is_some_and(|order| shared.watches.is_ripe(key, &order, shared.clock.as_ref()))
}

/// Deletes all refs, as far as nobody changes any and nobody undoes it; whether none is left.
fn delete(work: &Work, place: &Place) -> Result<bool> {
    let store = &work.shared.store;
    let refs = store.list_refs(&format!("{}/", place.name.prefix()))?;
    // Oplog, copies and restores first, and what could still be used last: head and snapshots.
    let prefix = place.name.prefix();
    let rank = |name: &str| {
        let rest = name.strip_prefix(prefix).unwrap_or(name);
        u8::from(rest.starts_with("/head") || rest.starts_with("/snapshot/"))
    };
    let (mut first, mut last): (Vec<_>, Vec<_>) = refs.into_iter().partition(|(name, _)| rank(name) == 0);
    first.append(&mut last);
    let total = first.len() as u64;
    for (number, batch) in first.chunks(MAX_PUBLISH_CHANGES).enumerate() {
        if !may_go(work, place)? {
            return Ok(false);
        }
        work.say("deleting", (number * MAX_PUBLISH_CHANGES) as u64, Some(total));
        work.go_on()?;
        let change = |(name, found): &(String, tidemark_blockstore::Ref)| RefChange {
            name: name.clone(),
            expect: Expect::Version(found.version),
            set: None,
        };
        let gone: Vec<_> = batch.iter().map(change).collect();
        match store.session(&[])?.publish(&gone) {
            Err(Error::RefConflict { .. }) => return Ok(false),
            other => other?,
        };
    }
    Ok(store.list_refs(&format!("{prefix}/"))?.is_empty())
}
