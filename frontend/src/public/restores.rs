//! `restoreJobs`: a snapshot or a second, prepared by the daemon, fetched by a link.

use super::ask::{Answer, Ask};
use super::input::Input;
use crate::actions::restores::{self, LINK, Restore, When, Wish};
use crate::actions::{Problem, Result, shown};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemark_base::{Timestamp, UnixMillis};
use tidemark_metadata::{Namespace, RestoreLink, RestoreState, RestoreTarget};

pub(super) async fn list(ask: Ask) -> Answer {
    let (group, set) = ask.set()?;
    let found = ask.run(move |parts, actor| restores::list(parts, actor, group, Some(set))).await?;
    ask.list(&found, shown_restore)
}

pub(super) async fn get(ask: Ask) -> Answer {
    let (group, id) = (ask.group()?, ask.id("jobId", "restore")?);
    let found = ask.run(move |parts, actor| restores::get(parts, actor, group, id)).await?;
    ask.one(shown_restore(&found))
}

/// What a client asks for: one of `snapshotId` and `timestamp`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewRestore {
    snapshot_id: Option<String>,
    timestamp: Option<Moment>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default)]
    users_and_roles: bool,
    #[serde(default)]
    gzip: bool,
}

/// A second, or a timestamp of the oplog.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Moment {
    /// The whole second.
    Second(String),
    /// Up to this entry.
    Entry { date: String, increment: u32 },
}

pub(super) async fn create(ask: Ask, Input(new): Input<NewRestore>) -> Answer {
    let id = ask.set()?;
    let wish = wish(new)?;
    let restore = ask.run(move |parts, actor| restores::create(parts, actor, id, wish)).await?;
    ask.list(&[restore], shown_restore)
}

fn wish(new: NewRestore) -> Result<Wish> {
    let when = match (new.snapshot_id, new.timestamp) {
        (Some(id), None) => When::Snapshot(id),
        (None, Some(Moment::Second(date))) => {
            When::Time(Timestamp { secs: second(&date)?, ordinal: u32::MAX })
        }
        (None, Some(Moment::Entry { date, increment })) => {
            When::Time(Timestamp { secs: second(&date)?, ordinal: increment })
        }
        _ => return Err(Problem::invalid("snapshotId, timestamp", "give one of them")),
    };
    let namespaces = new.namespaces.into_iter().map(Namespace::new).collect::<Result<_, _>>()?;
    Ok(Wish { when, namespaces, users_and_roles: new.users_and_roles, gzip: new.gzip })
}

/// The second of an ISO 8601 date with a zone.
fn second(text: &str) -> Result<u32> {
    let stamp = text.parse::<jiff::Timestamp>().ok();
    let second = stamp.and_then(|it| u32::try_from(it.as_second()).ok());
    second.ok_or_else(|| Problem::invalid("timestamp", "it is a date like 2026-11-22T10:00:00Z"))
}

pub(super) async fn cancel(ask: Ask) -> Answer {
    let (group, id) = (ask.group()?, ask.id("jobId", "restore")?);
    let restore = ask.run(move |parts, actor| restores::cancel(parts, actor, group, id)).await?;
    ask.one(shown_restore(&restore))
}

/// How long a link lives, and how often it may be used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewLink {
    expiration_hours: Option<u64>,
    max_downloads: Option<u32>,
}

pub(super) async fn link(ask: Ask, Input(new): Input<NewLink>) -> Answer {
    let id = (ask.group()?, ask.id("jobId", "restore")?);
    let bounds = (new.expiration_hours.unwrap_or(LINK.0), new.max_downloads.unwrap_or(LINK.1));
    let url = ask.run(move |parts, actor| restores::link(parts, actor, id, bounds)).await?;
    ask.made(json!({"url": url, "expirationHours": bounds.0, "maxDownloads": bounds.1}))
}

pub(super) async fn revoke(ask: Ask) -> Answer {
    let (group, id) = (ask.group()?, ask.id("jobId", "restore")?);
    ask.run(move |parts, actor| restores::revoke(parts, actor, group, id)).await?;
    ask.done()
}

fn shown_restore(restore: &Restore) -> Value {
    let job = &restore.job;
    let (snapshot, timestamp) = match &job.target {
        RestoreTarget::Snapshot { name } => (Some(name.as_str()), None),
        RestoreTarget::PointInTime { timestamp } => (None, Some(shown_moment(*timestamp))),
    };
    let (status, ready, error) = match &job.state {
        RestoreState::Preparing => ("IN_PROGRESS", None, None),
        RestoreState::Ready { bytes, divergences, .. } => ("FINISHED", Some((*bytes, *divergences)), None),
        RestoreState::Failed { error } => ("BROKEN", None, Some(error.as_str())),
        RestoreState::Cancelled => ("KILLED", None, None),
    };
    let (doing, parts) = restores::progress(restore);
    json!({
        "id": job.id.to_string(),
        "groupId": job.group.to_string(),
        "clusterId": job.replica_set.to_string(),
        "created": shown(job.created_at),
        "snapshotId": snapshot,
        "timestamp": timestamp,
        "pointInTime": snapshot.is_none(),
        "namespaces": job.namespaces.iter().map(Namespace::as_str).collect::<Vec<_>>(),
        "usersAndRoles": job.users_and_roles,
        "gzip": job.gzip,
        "statusName": status,
        "error": error,
        "sizeBytes": ready.map(|it| it.0),
        "isPossiblyInconsistent": ready.map(|it| it.1 > 0 || restore.is_rolled_back()),
        "isRolledBack": restore.is_rolled_back(),
        "warning": restore.warning(),
        "divergences": ready.map(|it| it.1),
        "progress": {
            "doing": doing.as_ref().map(|it| it.as_str()),
            "done": parts.map(|it| it.0),
            "total": parts.map(|it| it.1),
        },
        "delivery": {
            "methodName": "HTTP",
            "links": restore.links.iter().map(shown_link).collect::<Vec<_>>(),
        },
    })
}

fn shown_moment(at: Timestamp) -> Value {
    let date = shown(UnixMillis(u64::from(at.secs) * 1000));
    // A whole second has no entry that it ends with.
    json!({"date": date, "increment": (at.ordinal != u32::MAX).then_some(at.ordinal)})
}

/// What is known of a link: never the link.
fn shown_link(link: &RestoreLink) -> Value {
    json!({
        "created": shown(link.created_at),
        "expires": shown(link.expires_at),
        "maxDownloads": link.max_uses,
        "downloads": link.uses,
        "revoked": link.revoked_at.map(shown),
    })
}
