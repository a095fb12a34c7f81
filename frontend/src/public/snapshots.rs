//! Snapshots of a replica set. They go by retention, or one by one: that is undone for a day by `{"deleted": false}`, and
//! answered with the snapshot, which says in `secondsLostWithIt` what can be restored no more without it.

use super::ask::{Answer, Ask};
use super::input::Input;
use crate::actions::snapshots::{self, Kept};
use crate::actions::{Problem, shown};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidemark_base::UnixMillis;
use tidemark_metadata::{GroupId, ReplicaSetId};

pub(super) async fn list(ask: Ask) -> Answer {
    let (group, set) = ask.set()?;
    let kept = ask.run(move |parts, actor| snapshots::list(parts, actor, group, set)).await?;
    ask.list(&kept, |it| shown_snapshot(it, group, set))
}

/// There is nothing to choose yet: the body is `{}`.
pub(super) async fn order(ask: Ask, Input(choices): Input<Map<String, Value>>) -> Answer {
    let id = ask.set()?;
    if !choices.is_empty() {
        return Err(Problem::invalid("body", "it is {}: there is nothing to choose").into());
    }
    ask.run(move |parts, actor| snapshots::order(parts, actor, id)).await?;
    ask.done()
}

pub(super) async fn get(ask: Ask) -> Answer {
    let (id, name) = (ask.set()?, ask.name("snapshotId").to_owned());
    let kept = ask.run(move |parts, actor| snapshots::get(parts, actor, id, &name)).await?;
    ask.one(shown_snapshot(&kept, id.0, id.1))
}

pub(super) async fn delete(ask: Ask) -> Answer {
    let (id, name) = (ask.set()?, ask.name("snapshotId").to_owned());
    let kept = ask.run(move |parts, actor| snapshots::delete(parts, actor, id, &name)).await?;
    ask.one(shown_snapshot(&kept, id.0, id.1))
}

/// What can be changed of a snapshot.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Change {
    deleted: bool,
}

pub(super) async fn change(ask: Ask, Input(change): Input<Change>) -> Answer {
    let (id, name) = (ask.set()?, ask.name("snapshotId").to_owned());
    let kept = ask.run(move |parts, actor| {
        if change.deleted {
            snapshots::delete(parts, actor, id, &name)
        } else {
            snapshots::undelete(parts, actor, id, &name)
        }
    });
    ask.one(shown_snapshot(&kept.await?, id.0, id.1))
}

fn shown_snapshot(kept: &Kept, group: GroupId, set: ReplicaSetId) -> Value {
    let snapshot = &kept.snapshot;
    let moment = shown(snapshots::moment(snapshot));
    json!({
        "id": kept.name(),
        "groupId": group.to_string(),
        "clusterId": set.to_string(),
        "created": {"date": moment, "increment": snapshot.at.ts.ordinal},
        "complete": true,
        "stateName": match (snapshot.is_damaged, snapshot.proven) {
            (true, _) => "DAMAGED",
            (false, Some(_)) => "PROVEN",
            (false, None) => "STORED",
        },
        "isPossiblyInconsistent": !snapshot.is_live() || snapshot.known_divergences() > 0,
        "isRolledBack": snapshot.is_dead_branch,
        "divergences": snapshot.known_divergences(),
        "deleted": kept.is_deleted(),
        "expires": kept.ends().map(shown),
        "secondsLostWithIt": kept.alone.map(|(from, until)| json!({"from": shown(from), "until": shown(until)})),
        "parts": [{
            "clusterId": set.to_string(),
            "typeName": "REPLICA_SET",
            "createdTime": shown(snapshot.taken),
            "completedTime": shown(UnixMillis(snapshot.taken.0.saturating_add(snapshot.took_ms))),
            "dataSizeBytes": snapshot.proven.map(|it| it.document_bytes),
            "documents": snapshot.proven.map(|it| it.documents),
            "collections": snapshot.collections,
            "storageSizeBytes": snapshot.run_bytes,
            "newSizeBytes": snapshot.new_run_bytes,
        }],
    })
}
