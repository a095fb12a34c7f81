//! Building a head of a copy that has ended.
//!
//! The copy is taken in, the head is made or put in the place of the old one, and only then the backup is started and
//! the copy let go. Whatever stops it, it begins anew: until the copy is let go, all of it is there.

use crate::error::Result;
use crate::place::Place;
use crate::shared::Shared;
use crate::work::Work;
use tidemark_head::import::{Import, of_sync_and_tell};
use tidemark_metadata::{BackupConfig, JobKind, Namespace, Outcome, Status};
use tidemark_oplog::filter::Filter;
use tidemark_oplog::store::initial_sync::SyncState;

/// The copy that a head is to be built of: it has ended, and counts.
pub(crate) fn finished_copy(
    shared: &Shared,
    backup: &BackupConfig,
    place: &Place,
) -> Result<Option<SyncState>> {
    let copy = place.name.syncs(&shared.store).state()?;
    Ok(copy.filter(|copy| copy.until.is_some() && backup.copies.count(copy.number)))
}

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let (shared, place) = (&work.shared, Place::of(&work.job)?);
    let Some(backup) = place.backup(&shared.metadata)? else { return Ok(Outcome::Done) };
    if backup.status != Status::Provisioning {
        return Ok(Outcome::Done);
    }
    let Some(copy) = finished_copy(shared, &backup, &place)? else { return Ok(Outcome::Done) };
    build(work, &place, &backup, &copy)?;
    let text = format!("the copy is complete, and the oplog is followed from {} on", copy.begin);
    shared.set_status(&place, (Status::Provisioning, Status::Started), "BACKUP_STARTED", &text)?;
    shared.metadata.queue_job(Some(place.group), JobKind::Apply, &place.subject, shared.now())?;
    place.name.syncs(&shared.store).remove(&shared.store.session(&[])?, copy.number)?;
    Ok(Outcome::Done)
}

fn build(work: &Work, place: &Place, backup: &BackupConfig, copy: &SyncState) -> Result<()> {
    let shared = &work.shared;
    let syncs = place.name.syncs(&shared.store);
    let excluded = backup.excluded_namespaces.iter().map(Namespace::as_str);
    let filter = Filter::new(excluded, [] as [&str; 0])?;
    let total = syncs.collections(copy.number)?.iter().map(|(_, progress, _)| progress.bytes).sum();
    let mut import = Import::begin(&shared.store, copy.begin, filter, shared.config.import_bytes)?;
    of_sync_and_tell(&mut import, &syncs, copy, &mut |copied| {
        work.say("building the head", copied.bytes, Some(total));
        work.go_on()
    })?;
    import.replace(&place.name, copy.until)?;
    Ok(())
}
