//! The oplog: taking slices, and telling where they end.

use super::Ingest;
use super::caller::OfSet;
use super::place::Place;
use super::refused::{Refused, Result};
use super::state::{hash_of_last, tip_message, tip_with};
use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use tidemark_base::Timestamp;
use tidemark_base::limits::MAX_BLOCK_BYTES;
use tidemark_base::protocol::{Code, End, Tip};
use tidemark_oplog::chain::Judgement;
use tidemark_oplog::slice::SliceReader;
use tidemark_oplog::store::{SliceStore, StoreError, Stored, Tip as StoredTip};

/// How many ends are told at once.
const MAX_ENDS: usize = 16;
/// How far back ends are looked for before all slices are listed, in seconds.
const NEAR_SECS: u32 = 3600;

/// `POST /agent/v1/sets/{set}/slices`
pub(crate) async fn append(
    State(ingest): State<Ingest>,
    of: OfSet,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tip>> {
    ingest.run(move |_, parts| Place::running(parts, of).map(drop)).await?;
    let body = ingest.inner.room.read(&headers, body, MAX_BLOCK_BYTES).await?;
    let room = ingest.inner.room.to_unpack().await?;
    ingest
        .run(move |inner, parts| {
            let _room = room;
            // Once more: the body may have taken a minute.
            let place = Place::running(parts, of)?;
            inner.check_space()?;
            let slices = &place.slices;
            let entry = hash_of_sent(&body.bytes)?;
            let appended = inner.appends.with(&parts.store, &*parts.clock, |session| {
                slices.append(session, &body.bytes).map(|it| (*it.tip(), it))
            });
            let (tip, appended) = appended.map_err(|error| refuse(slices, error))?;
            let reader = SliceReader::open(&body.bytes).map_err(|it| Refused::invalid(it.to_string()))?;
            if matches!(appended, tidemark_oplog::store::Appended::Now { .. }) {
                inner.metrics.slice(body.bytes.len(), reader.header().entries);
            }
            // A resend of one that others follow is answered with where the chain ends now.
            let is_last = tip.link == reader.header().end();
            let tip = if is_last { tip_with(&tip, Some(entry)) } else { tip_message(slices, &tip)? };
            Ok(Json(tip))
        })
        .await
}

/// The hash of the last entry of a slice that was sent, which must be sound.
fn hash_of_sent(slice: &[u8]) -> Result<blake3::Hash> {
    let wrong = |error: tidemark_oplog::slice::SliceError| Refused::invalid(error.to_string());
    let reader = SliceReader::open(slice).map_err(wrong)?;
    let mut plain = Vec::new();
    let last = reader.decode(&mut plain).map_err(wrong)?.iter().last();
    Ok(blake3::hash(last.expect("a slice holds an entry").as_bytes()))
}

/// A refusal with the tip, for whatever does not follow it.
fn refuse(slices: &SliceStore, error: StoreError) -> Refused {
    let StoreError::Refused { why, tip } = &error else { return error.into() };
    let code = if matches!(why, Judgement::Fork { .. }) { Code::Fork } else { Code::NotNext };
    let refused =
        Refused::new(code, format!("the slice cannot be appended: {why}; go on from {}", tip.link.at));
    match tip_message(slices, tip) {
        Ok(tip) => refused.with_tip(tip),
        Err(failed) => failed,
    }
}

/// `GET /agent/v1/sets/{set}/ends?before=secs,ordinal`
pub(crate) async fn ends(
    State(ingest): State<Ingest>,
    of: OfSet,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<End>>> {
    let before = match query.as_deref().unwrap_or_default() {
        "" => None,
        query => Some(asked(query).ok_or_else(|| {
            Refused::invalid("the query is not before=seconds,ordinal: before which entry ends are asked for")
        })?),
    };
    let room = ingest.inner.room.to_unpack().await?;
    ingest
        .run(move |_, parts| {
            let _room = room;
            let place = Place::running(parts, of)?;
            let Some(tip) = place.slices.tip()? else { return Ok(Json(Vec::new())) };
            let mut found = newest(&place.slices, &tip, before)?;
            found.truncate(MAX_ENDS);
            let mut plain = Vec::new();
            let ends = found.iter().map(|it| {
                let entry = hash_of_last(&place.slices, it, &mut plain)?.to_hex().to_string();
                Ok(End { at: it.header.last, entry })
            });
            Ok(Json(ends.collect::<Result<Vec<End>>>()?))
        })
        .await
}

/// A comma stands for itself in a query, and some clients write it otherwise.
fn asked(query: &str) -> Option<Timestamp> {
    query.strip_prefix("before=")?.replace("%2C", ",").replace("%2c", ",").parse().ok()
}

/// The slices of the line that end before an entry, newest first: at least as many as are told, if there are.
fn newest(slices: &SliceStore, tip: &StoredTip, before: Option<Timestamp>) -> Result<Vec<Stored>> {
    let last = before.unwrap_or(Timestamp::MAX);
    let to = last.min(tip.link.at.ts);
    let wanted = |line: Vec<Stored>| {
        let ended = line.into_iter().filter(|it| it.header.last.ts < last);
        let mut ended: Vec<Stored> = ended.collect();
        ended.reverse();
        ended
    };
    let near = Timestamp { secs: to.secs.saturating_sub(NEAR_SECS), ordinal: 0 };
    let from = near.max(tip.start.at.ts);
    // What lies within the hour is found by its name; a line that goes back into other chains, by listing all.
    if from < to
        && let Ok(line) = slices.line(tip, Some(from), to)
    {
        let found = wanted(line);
        if found.len() >= MAX_ENDS {
            return Ok(found);
        }
    }
    Ok(wanted(slices.line(tip, None, to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_entry_and_nothing_else() {
        let ts = Timestamp { secs: 7, ordinal: 2 };
        assert_eq!((asked("before=7,2"), asked("before=7%2C2")), (Some(ts), Some(ts)));
        for bad in ["before=", "before=7", "before=7,2&x=1", "after=7,2", "before=-7,2", "before= 7,2"] {
            assert_eq!(asked(bad), None, "{bad}");
        }
    }
}
