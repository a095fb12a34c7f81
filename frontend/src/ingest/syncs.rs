//! Copies: begun together with the oplog that goes with them, filled batch by batch, ended.

use super::caller::{OfCollection, OfSet, OfSync};
use super::place::Place;
use super::refused::{Refused, Result};
use super::state::{collection_message, queue_build, sync_message};
use super::{Ingest, Inner};
use crate::site::Parts;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemark_base::CollectionUuid;
use tidemark_base::limits::{MAX_BLOCK_BYTES, MAX_DESCRIPTION_BYTES};
use tidemark_base::protocol::{
    BeginSync, Code, EndScan, EndSync, MAX_RESUME_HEADER_BYTES, RESUME_HEADER, Rescan, ResumePoint, Sync,
    SyncCollection,
};
use tidemark_blockstore::Session;
use tidemark_metadata::{BackupConfig, Copies};
use tidemark_oplog::initial_sync::{BatchId, BatchReader};
use tidemark_oplog::names::{check_collection, check_database};
use tidemark_oplog::store::initial_sync::{Kept, Progress, Resume, SyncStoreError, read_description};

/// `POST /agent/v1/sets/{set}/syncs`
pub(crate) async fn begin(
    State(ingest): State<Ingest>,
    of: OfSet,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Sync>> {
    ingest.run(move |_, parts| Place::copying(parts, of).map(drop)).await?;
    let BeginSync { after, at } = ingest.inner.room.read_json(&headers, body).await?;
    if after == Some(u32::MAX) {
        return Err(Refused::invalid("there is no copy with a number after that"));
    }
    ingest
        .run(move |inner, parts| {
            let place = Place::copying(parts, of)?;
            inner.check_space()?;
            refuse_if_complete(&place, after)?;
            // Both in one publish: a copy's oplog never begins elsewhere.
            let begun = inner.appends.with(&parts.store, &*parts.clock, |session| {
                place.syncs.begin_with_log(session, &place.slices, after, at)
            });
            let (state, _) = begun?;
            // Only now does it count. A crash before this leaves a copy that is of no use: it is begun again.
            let id = BackupConfig::id_of(of.group, of.set);
            parts.metadata.change::<BackupConfig, _>(&id, |config| {
                if config.copies == Copies::None && place.config.copies == Copies::None {
                    config.copies = Copies::From(state.number);
                }
                Ok(())
            })?;
            let place = Place::copying(parts, of)?;
            sync_message(&place, &state).map(Json)
        })
        .await
}

/// A copy that is complete and counts is not thrown away for a new one that nobody has ordered.
fn refuse_if_complete(place: &Place, after: Option<u32>) -> Result<()> {
    match place.syncs.state()? {
        Some(last) if after == Some(last.number) && last.until.is_some() => {
            if place.config.copies.count(last.number) {
                let message = format!("copy {} is complete: a head is being built of it", last.number);
                return Err(Refused::new(Code::OtherSync, message));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `PUT …/syncs/{sync}/collections/{uuid}`
pub(crate) async fn describe(
    State(ingest): State<Ingest>,
    OfCollection { of, sync, uuid }: OfCollection,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SyncCollection>> {
    ingest.run(move |_, parts| Place::copying_by(parts, of, sync).map(drop)).await?;
    let body = ingest.inner.room.read(&headers, body, MAX_DESCRIPTION_BYTES).await?;
    ingest
        .run(move |inner, parts| {
            let invalid = |error: &dyn std::fmt::Display| {
                Refused::invalid(format!("collection {uuid} cannot be described so: {error}"))
            };
            let described = read_description(&body.bytes).map_err(|it| invalid(&it))?;
            check_database(&described.database).map_err(|it| invalid(&it))?;
            check_collection(&described.database, &described.name).map_err(|it| invalid(&it))?;
            inner.check_space()?;
            step(inner, parts, OfCollection { of, sync, uuid }, |place, session| {
                place.syncs.describe(session, sync, uuid, &described)
            })
        })
        .await
}

/// `POST …/syncs/{sync}/collections/{uuid}/batches`
pub(crate) async fn append(
    State(ingest): State<Ingest>,
    OfCollection { of, sync, uuid }: OfCollection,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SyncCollection>> {
    ingest.run(move |_, parts| Place::copying_by(parts, of, sync).map(drop)).await?;
    let resume = resume_point(&headers)?;
    let body = ingest.inner.room.read(&headers, body, MAX_BLOCK_BYTES).await?;
    let room = ingest.inner.room.to_unpack().await?;
    ingest
        .run(move |inner, parts| {
            let _room = room;
            let header =
                *BatchReader::open(&body.bytes).map_err(|it| Refused::invalid(it.to_string()))?.header();
            if (header.id.sync, header.id.collection) != (sync, uuid) {
                return Err(Refused::invalid(format!(
                    "the path is that of another batch: this is {}",
                    header.id
                )));
            }
            inner.check_space()?;
            step(inner, parts, OfCollection { of, sync, uuid }, |place, session| {
                let kept = place.syncs.append(session, &body.bytes, resume.as_ref())?;
                if matches!(kept, Kept::Now(_)) {
                    inner.metrics.batch(body.bytes.len(), header.documents);
                }
                Ok(kept.progress().clone())
            })
        })
        .await
}

/// The point to go on from that came beside a batch.
fn resume_point(headers: &HeaderMap) -> Result<Option<Resume>> {
    let Some(value) = headers.get(RESUME_HEADER) else { return Ok(None) };
    let wrong = || Refused::invalid(format!("the header {RESUME_HEADER} is not a resume point in base64"));
    if value.len() > MAX_RESUME_HEADER_BYTES {
        let message = format!("the header {RESUME_HEADER} is longer than {MAX_RESUME_HEADER_BYTES} bytes");
        return Err(Refused::invalid(message));
    }
    let json = STANDARD.decode(value.as_bytes()).map_err(|_| wrong())?;
    let ResumePoint { node, token } = serde_json::from_slice(&json).map_err(|_| wrong())?;
    let token = STANDARD.decode(token).map_err(|_| wrong())?;
    Ok(Some(Resume { node, token }))
}

/// `POST …/syncs/{sync}/collections/{uuid}/rescan`
pub(crate) async fn rescan(
    State(ingest): State<Ingest>,
    OfCollection { of, sync, uuid }: OfCollection,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SyncCollection>> {
    let Rescan { scan } = ingest.inner.room.read_json(&headers, body).await?;
    ingest
        .run(move |inner, parts| {
            step(inner, parts, OfCollection { of, sync, uuid }, |place, session| {
                place.syncs.rescan(session, sync, uuid, scan)
            })
        })
        .await
}

/// `POST …/syncs/{sync}/collections/{uuid}/end`
pub(crate) async fn end_scan(
    State(ingest): State<Ingest>,
    OfCollection { of, sync, uuid }: OfCollection,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SyncCollection>> {
    let EndScan { scan, batches } = ingest.inner.room.read_json(&headers, body).await?;
    ingest
        .run(move |inner, parts| {
            let next = BatchId { sync, collection: uuid, scan, number: batches };
            step(inner, parts, OfCollection { of, sync, uuid }, |place, session| {
                place.syncs.end_scan(session, next)
            })
        })
        .await
}

/// Does something to a collection of the copy that is wanted, and tells how far it is then; so, too, if it is refused
/// because another batch is expected.
fn step(
    inner: &Inner,
    parts: &Parts,
    OfCollection { of, sync, uuid }: OfCollection,
    work: impl FnOnce(&Place, &Session) -> Result<Progress, SyncStoreError>,
) -> Result<Json<SyncCollection>> {
    let place = Place::copying_by(parts, of, sync)?;
    let done = inner.appends.with(&parts.store, &*parts.clock, |session| work(&place, session));
    match done {
        Ok(_) => collection(&place, sync, uuid).map(Json),
        Err(error @ (SyncStoreError::Refused { .. } | SyncStoreError::Ended { .. })) => {
            let refused = Refused::from(error);
            Err(match collection(&place, sync, uuid) {
                Ok(collection) => refused.with_collection(collection),
                Err(failed) => failed,
            })
        }
        Err(error) => Err(error.into()),
    }
}

fn collection(place: &Place, sync: u32, uuid: CollectionUuid) -> Result<SyncCollection> {
    let found = place.syncs.collection(sync, uuid)?;
    let (progress, described) = found.ok_or(SyncStoreError::NoCollection { sync, uuid })?;
    Ok(collection_message(uuid, progress, described))
}

/// `POST …/syncs/{sync}/end`
pub(crate) async fn end(
    State(ingest): State<Ingest>,
    OfSync { of, sync }: OfSync,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Sync>> {
    let EndSync { until } = ingest.inner.room.read_json(&headers, body).await?;
    ingest
        .run(move |inner, parts| {
            // Asked again after the head was built, it is as it was said.
            let place = Place::running(parts, of)?;
            let ended = |it: &tidemark_oplog::store::initial_sync::SyncState| {
                it.number == sync && it.until == Some(until)
            };
            if let Some(state) = place.syncs.state()?.filter(ended) {
                super::state::ensure_build(parts, &place, &state)?;
                return sync_message(&place, &state).map(Json);
            }
            let place = Place::copying_by(parts, of, sync)?;
            let reached = place.slices.tip()?.is_some_and(|tip| tip.link.at.ts >= until);
            if !reached {
                let message =
                    format!("copy {sync} cannot end: the oplog that was sent does not reach {until} yet");
                return Err(Refused::new(Code::NotDone, message));
            }
            let state = inner
                .appends
                .with(&parts.store, &*parts.clock, |session| place.syncs.end(session, sync, until))?;
            // A crash before this is made good by whoever asks next how the set stands.
            queue_build(parts, &place)?;
            sync_message(&place, &state).map(Json)
        })
        .await
}
