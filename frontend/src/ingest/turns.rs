//! When the source's oplog no longer goes on from the tip: it rolled back to a common point, or is lost.

use super::caller::OfSet;
use super::place::{Place, task};
use super::refused::{Refused, Result};
use super::state::{before, hash_of_last, set_state, tip_message};
use super::{Ingest, Inner};
use crate::site::Parts;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use tidemark_base::protocol::{Code, End, ForkRequest, LostReason, LostRequest, SetState, Task, Tip};
use tidemark_metadata::{Code as EventCode, Happening, Subject, Text};
use tidemark_oplog::store::{ChainNumber, StoreError, Stored, Tip as StoredTip};

/// `POST /agent/v1/sets/{set}/fork`
pub(crate) async fn fork(
    State(ingest): State<Ingest>,
    of: OfSet,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tip>> {
    let request: ForkRequest = ingest.inner.room.read_json(&headers, body).await?;
    let room = ingest.inner.room.to_unpack().await?;
    ingest
        .run(move |inner, parts| {
            let _room = room;
            let place = Place::running(parts, of)?;
            let tip = forked(inner, parts, &place, &request)?;
            tip_message(&place.slices, &tip).map(Json)
        })
        .await
}

/// Begins a new chain at the end of the slice that the source has, too.
fn forked(inner: &Inner, parts: &Parts, place: &Place, request: &ForkRequest) -> Result<StoredTip> {
    let no_chain = || StoreError::NoChain { prefix: String::new() };
    let tip = place.slices.tip()?.ok_or_else(no_chain)?;
    let ForkRequest { chain, tip: asked, common } = request;
    if chain.checked_add(1) == Some(tip.chain.0) && tip.start.at == common.at {
        // It is so: asked again.
        return Ok(tip);
    }
    if (ChainNumber(*chain), *asked) != (tip.chain, tip.link.at) {
        return Err(refused(place, &tip, "the oplog has gone on or turned since: look at its end again"));
    }
    if common.at == tip.link.at {
        return Ok(tip);
    }
    let slice = common_slice(place, &tip, common)?;
    order_copy_if_it_saw_more(parts, place, common)?;
    let link = slice.header.end();
    let restarted =
        inner.appends.with(&parts.store, &*parts.clock, |session| place.slices.restart(session, &tip, link));
    let begun = match restarted {
        Err(StoreError::OtherChain(other)) => {
            return Err(refused(place, &other, "somebody else was faster: look at its end again"));
        }
        begun => begun?,
    };
    let text = format!(
        "the source rolled back from {} to {}: the backup goes on from there, and what came after is of a branch that \
         was left",
        tip.link.at, common.at
    );
    parts.metadata.note(
        Some(place.of.group),
        parts.clock.now(),
        &happening(place.of, "OPLOG_FORKED", &text)?,
    )?;
    Ok(begun)
}

/// The slice of the line that ends with the entry that the source has.
fn common_slice(place: &Place, tip: &StoredTip, common: &End) -> Result<Stored> {
    let wrong = |why: &str| refused(place, tip, why);
    if common.at.ts > tip.link.at.ts {
        return Err(wrong("the common point lies behind the end of the oplog"));
    }
    let line = match place.slices.line(tip, Some(before(common.at.ts)), common.at.ts) {
        Err(StoreError::NotCovered { .. }) => {
            return Err(wrong("the oplog here does not reach back to the common point"));
        }
        line => line?,
    };
    let slice = line.last().filter(|it| it.header.last == common.at);
    let slice = *slice.ok_or_else(|| wrong("no slice ends at the common point: ask for ends"))?;
    let entry = hash_of_last(&place.slices, &slice, &mut Vec::new())?;
    if entry.to_hex().as_str() != common.entry {
        return Err(wrong("the entry at the common point is another one here: ask for earlier ends"));
    }
    Ok(slice)
}

/// A copy that may have seen what the source has rolled back since is of no use; and whoever sees that the copy no
/// longer counts begins a new one, so this is noted before the chain is begun.
fn order_copy_if_it_saw_more(parts: &Parts, place: &Place, common: &End) -> Result<()> {
    if task(place.config.status) != Task::Copy {
        return Ok(());
    }
    let saw_more = place.syncs.state()?.is_some_and(|it| it.until.is_none_or(|until| until > common.at.ts));
    if saw_more {
        let text = format!("the source rolled back to {} while it was copied: it is copied anew", common.at);
        let why = happening(place.of, "COPY_ORDERED", &text)?;
        parts.metadata.order_copy(place.of.group, place.of.set, parts.clock.now(), &why)?;
    }
    Ok(())
}

fn refused(place: &Place, tip: &StoredTip, why: &str) -> Refused {
    match tip_message(&place.slices, tip) {
        Ok(tip) => Refused::new(Code::Fork, why).with_tip(tip),
        Err(failed) => failed,
    }
}

/// `POST /agent/v1/sets/{set}/lost`
pub(crate) async fn lost(
    State(ingest): State<Ingest>,
    of: OfSet,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SetState>> {
    let request: LostRequest = ingest.inner.room.read_json(&headers, body).await?;
    let room = ingest.inner.room.to_unpack().await?;
    ingest
        .run(move |_, parts| {
            let _room = room;
            let place = Place::running(parts, of)?;
            let tip = place.slices.tip()?;
            // A chain that is no longer the present one is lost already.
            let Some(tip) = tip.filter(|tip| tip.chain.0 == request.chain) else {
                return set_state(parts, of).map(Json);
            };
            if tip.link.at != request.tip {
                let refused =
                    Refused::new(Code::NotNext, "the oplog has gone on since: look at its end again");
                return Err(refused.with_tip(tip_message(&place.slices, &tip)?));
            }
            let why = match request.reason {
                LostReason::FellOff => "the source no longer has the oplog after what was backed up",
                LostReason::NoCommonPoint => {
                    "the source's oplog has nothing in common with what was backed up"
                }
            };
            let text = format!("{why}: a new copy is made; earlier snapshots stay. {}", request.detail);
            let why = happening(of, "COPY_ORDERED", &text)?;
            parts.metadata.order_copy(of.group, of.set, parts.clock.now(), &why)?;
            set_state(parts, of).map(Json)
        })
        .await
}

/// Something that happened to a set, in words that may come from outside.
fn happening(of: OfSet, code: &str, text: &str) -> Result<Happening> {
    Ok(Happening {
        code: EventCode::new(code)?,
        subject: Some(Subject::new(of.set.to_string())?),
        actor: None,
        text: Text::fit(text),
    })
}
