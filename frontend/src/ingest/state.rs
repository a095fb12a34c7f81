//! How a replica set stands, as an agent is told it: the tip with the hash of its entry, the copy, the task.

use super::Ingest;
use super::caller::OfSet;
use super::place::{Place, task};
use super::refused::Result;
use crate::site::Parts;
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemark_base::protocol::{ResumePoint, SetState, Sync, SyncCollection, Task, Tip};
use tidemark_base::{CollectionUuid, Timestamp};
use tidemark_metadata::{Job, JobKind, JobState, Subject};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::slice::Digest;
use tidemark_oplog::store::initial_sync::{Progress, SyncState};
use tidemark_oplog::store::{SliceStore, StoreError, Stored, Tip as StoredTip};

/// `GET /agent/v1/sets/{set}`
pub(crate) async fn state(State(ingest): State<Ingest>, of: OfSet) -> Result<Json<SetState>> {
    // The last slice is read for the hash of its entry.
    let room = ingest.inner.room.to_unpack().await?;
    ingest
        .run(move |_, parts| {
            let _room = room;
            set_state(parts, of).map(Json)
        })
        .await
}

/// Where a set stands.
pub(crate) fn set_state(parts: &Parts, of: OfSet) -> Result<SetState> {
    let place = Place::find(parts, of)?;
    let sync = place.syncs.state()?;
    if let Some(sync) = &sync {
        ensure_build(parts, &place, sync)?;
    }
    let sync = sync.map(|it| sync_message(&place, &it)).transpose()?;
    let tip = place.slices.tip()?.map(|tip| tip_message(&place.slices, &tip)).transpose()?;
    Ok(SetState { task: task(place.config.status), tip, sync })
}

/// The tip, with the hash of its entry.
pub(crate) fn tip_message(slices: &SliceStore, tip: &StoredTip) -> Result<Tip> {
    let entry = match last_slice(slices, tip)? {
        Some(stored) => Some(hash_of_last(slices, &stored, &mut Vec::new())?),
        None => None,
    };
    Ok(tip_with(tip, entry))
}

/// The same, where the hash is known.
pub(crate) fn tip_with(tip: &StoredTip, entry: Option<blake3::Hash>) -> Tip {
    Tip {
        chain: tip.chain.0,
        at: tip.link.at,
        digest: tip.link.digest.to_string(),
        entry: entry.map(|it| it.to_hex().to_string()),
    }
}

/// The slice that ends at the tip: of its own chain, or of the one that it goes on from.
fn last_slice(slices: &SliceStore, tip: &StoredTip) -> Result<Option<Stored>> {
    if tip.link.digest == Digest::NONE {
        return Ok(None);
    }
    let line = match slices.line(tip, Some(before(tip.link.at.ts)), tip.link.at.ts) {
        // A chain that goes on from another, of which nothing is left.
        Err(StoreError::NotCovered { .. }) => return Ok(None),
        line => line?,
    };
    Ok(line.last().filter(|it| it.header.end() == tip.link).copied())
}

/// The hash by which an agent knows the last entry of a slice again. `plain` is for its memory.
pub(crate) fn hash_of_last(
    slices: &SliceStore,
    stored: &Stored,
    plain: &mut Vec<u8>,
) -> Result<blake3::Hash> {
    let last = slices.read(stored, plain)?.iter().last();
    Ok(blake3::hash(last.expect("a slice holds an entry").as_bytes()))
}

/// The timestamp before this one.
pub(crate) const fn before(ts: Timestamp) -> Timestamp {
    Timestamp::from_u64(ts.to_u64().saturating_sub(1))
}

/// A copy, and how far it is.
pub(crate) fn sync_message(place: &Place, sync: &SyncState) -> Result<Sync> {
    let found = place.syncs.collections(sync.number)?;
    let collections = found.into_iter().map(|(uuid, progress, it)| collection_message(uuid, progress, it));
    Ok(Sync {
        number: sync.number,
        at: sync.begin,
        until: sync.until,
        is_wanted: place.config.copies.count(sync.number),
        collections: collections.collect(),
    })
}

/// A collection, and how far its copy is.
pub(crate) fn collection_message(
    uuid: CollectionUuid,
    progress: Progress,
    described: Collection,
) -> SyncCollection {
    let Progress { scan, next, is_done, documents, bytes, resume } = progress;
    let resume = resume.map(|it| ResumePoint { node: it.node, token: STANDARD.encode(it.token) });
    let Collection { database, name, .. } = described;
    SyncCollection { uuid, database, name, scan, next, is_done, documents, bytes, resume }
}

/// Sees to it that a head is built of a copy that has ended: also when whoever noted its end died before this.
///
/// The job is read before the status: a build that is done has set the status first, so what is queued here is never
/// one that was done already. One that has failed for good stays so, until the next copy.
pub(crate) fn ensure_build(parts: &Parts, place: &Place, sync: &SyncState) -> Result<()> {
    let wanted = sync.until.is_some() && place.config.copies.count(sync.number);
    if !wanted || task(place.config.status) != Task::Copy {
        return Ok(());
    }
    let subject = Subject::new(place.of.set.to_string())?;
    let job = parts.metadata.find::<Job>(&Job::id_of(Some(place.of.group), JobKind::Build, &subject))?;
    let failed = |job: &Job| matches!(job.state, JobState::Failed { .. });
    if job.is_some_and(|it| it.record.is_open() || failed(&it.record)) {
        return Ok(());
    }
    queue_build(parts, place)
}

/// Queues the build of a head, if its copy is still what is wanted.
pub(crate) fn queue_build(parts: &Parts, place: &Place) -> Result<()> {
    let now = Place::find(parts, place.of)?.config;
    if task(now.status) == Task::Copy && now.copies == place.config.copies {
        let subject = Subject::new(place.of.set.to_string())?;
        parts.metadata.queue_job(Some(place.of.group), JobKind::Build, &subject, parts.clock.now())?;
    }
    Ok(())
}
