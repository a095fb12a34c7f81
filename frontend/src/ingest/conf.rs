//! The conf call: an agent says what it sees, and is told what to do.
//!
//! Sets, hosts and the agent are made known by it. Of several agents that see one set one is active, by a lease that its
//! calls renew; the others stand by. How to connect is told to the active one alone, if it was set here at all.

use super::Ingest;
use super::caller::{Caller, OfSet};
use super::place::{Place, task};
use super::refused::{Refused, Result};
use super::seen::{note_agent, note_set, note_sight};
use super::state::ensure_build;
use crate::site::Parts;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use std::collections::BTreeSet;
use tidemark_base::limits::MAX_SETS_OF_A_CALL;
use tidemark_base::protocol::{
    Address, ConfRequest, ConfResponse, Connection, Role, SetOrder, SetReport, SyncSource, Task,
};
use tidemark_metadata::rules::lease::Holder;
use tidemark_metadata::{BackupConfig, GroupId, Standing, SyncSource as StoredSource};

/// How long an agent waits between calls, in milliseconds, while all it sees is being tailed,
const NEXT_MS: u64 = 30_000;
/// and while something may be ordered soon, or is on its way.
const SOON_MS: u64 = 5_000;

/// `POST /agent/v1/conf`
pub(crate) async fn conf(
    State(ingest): State<Ingest>,
    Caller { group }: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ConfResponse>> {
    let request: ConfRequest = ingest.inner.room.read_json(&headers, body).await?;
    ingest
        .run(move |inner, parts| {
            inner.appends.rest(&*parts.clock);
            answer(parts, group, &request).map(Json)
        })
        .await
}

fn answer(parts: &Parts, group: GroupId, request: &ConfRequest) -> Result<ConfResponse> {
    let ids: BTreeSet<&str> = request.sets.iter().map(|it| it.id.as_str()).collect();
    if request.sets.len() > MAX_SETS_OF_A_CALL || ids.len() < request.sets.len() {
        let message = format!("a call names up to {MAX_SETS_OF_A_CALL} replica sets, each once");
        return Err(Refused::invalid(message));
    }
    let incarnation = incarnation(&request.incarnation)?;
    let name = note_agent(parts, group, request)?;
    let agent = Holder { name, incarnation };
    let sets = if request.is_check { &[] } else { request.sets.as_slice() };
    let orders: Vec<SetOrder> =
        sets.iter().map(|it| order(parts, group, &agent, it)).collect::<Result<_>>()?;
    let is_calm = !orders.is_empty() && orders.iter().all(|it| it.task == Task::Tail);
    Ok(ConfResponse {
        group: group.to_string(),
        clock_ms: parts.clock.now().0,
        next_ms: if is_calm { NEXT_MS } else { SOON_MS },
        sets: orders,
    })
}

/// Which start of an agent calls.
pub(super) fn incarnation(digits: &str) -> Result<[u8; 8]> {
    let mut incarnation = [0; 8];
    hex::decode_to_slice(digits, &mut incarnation)
        .map_err(|_| Refused::invalid("incarnation is not 16 hexadecimal digits"))?;
    Ok(incarnation)
}

/// What is to be done about a set.
fn order(parts: &Parts, group: GroupId, agent: &Holder, report: &SetReport) -> Result<SetOrder> {
    let of = OfSet { group, set: report.id.parse()? };
    note_set(parts, of, report)?;
    let standing = parts.metadata.stand_for_agent(group, of.set, agent, parts.clock.now())?;
    let is_active = standing == Standing::Active;
    if standing == Standing::Twin {
        // Neither can know of the other: whoever set them up is the only one who can mend it.
        tracing::warn!(
            %group, set = %of.set, agent = %agent.name,
            "two agents run under one name: the later one reads the set, this one stands by; give each its own name"
        );
    }
    if is_active {
        note_sight(parts, of, report)?;
    }
    let place = Place::find(parts, of)?;
    if let Some(sync) = place.syncs.state()? {
        ensure_build(parts, &place, &sync)?;
    }
    let config = place.config;
    Ok(SetOrder {
        id: report.id.clone(),
        role: if is_active { Role::Active } else { Role::Standby },
        task: task(config.status),
        excluded_namespaces: config.excluded_namespaces.iter().map(ToString::to_string).collect(),
        sync_source: source(&config.sync_source),
        throttle_bytes_per_second: config.throttle_bytes_per_second,
        connection: if is_active { connection(parts, &config) } else { None },
    })
}

/// How to connect, if it was set here. What does not open keeps nobody from the rest: its owner sees that the agent
/// cannot connect, and the log says why.
fn connection(parts: &Parts, config: &BackupConfig) -> Option<Connection> {
    let opened = config.open_connection(&parts.sealing);
    let opened =
        opened.inspect_err(|error| tracing::error!(%error, "a connection that was set here does not open"));
    let secret = opened.ok().flatten()?;
    // The parser's words may quote what it reads.
    let parsed = serde_json::from_slice(secret.reveal());
    parsed
        .inspect_err(|_| tracing::error!("a connection that was set here is not understood: set it again"))
        .ok()
}

fn source(stored: &StoredSource) -> SyncSource {
    match stored {
        StoredSource::Secondary => SyncSource::Secondary,
        StoredSource::Primary => SyncSource::Primary,
        StoredSource::Member(it) => SyncSource::Member(Address { host: it.host.to_string(), port: it.port }),
    }
}
