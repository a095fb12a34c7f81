//! The page of a replica set: its snapshots, and the forms for restores, schedule and retention. It does not load itself
//! again, so that nothing that was typed is lost.

use super::error::Shown;
use super::render::{Top, moment, page, size};
use crate::actions::snapshots::{self, Kept, Stay};
use crate::actions::{Problem, Result, backups};
use crate::login::doors::Desk;
use crate::login::person::Person;
use crate::site::Parts;
use askama::Template;
use axum::extract::{Path, State};
use tidemark_base::UnixMillis;
use tidemark_metadata::rules::clock_watch::NEWS;
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{GroupId, ReplicaSet, ReplicaSetId};

#[derive(Template)]
#[template(path = "set.html")]
struct SetPage {
    top: Top,
    group: String,
    id: String,
    status: &'static str,
    snapshots: Vec<SnapshotRow>,
    /// Whether nothing expires because no agent is heard of.
    is_silent: bool,
    interval_hours: u8,
    reference_hour: u8,
    zone: String,
    retention: [u16; 4],
    pitr_window_hours: u16,
    excluded: String,
    may_manage: bool,
    may_restore: bool,
    may_delete: bool,
}

struct SnapshotRow {
    name: String,
    at: String,
    state: &'static str,
    is_doubtful: bool,
    size: String,
    new: String,
    until: String,
    is_deleted: bool,
}

pub(super) async fn one(
    State(desk): State<Desk>,
    Path((group, set)): Path<(String, String)>,
    person: Person,
) -> Shown {
    let group: GroupId = group.parse().map_err(|_| Problem::NotInGroup)?;
    let set: ReplicaSetId = set.parse().map_err(|_| Problem::NotFound { what: "replica set" })?;
    let shown = desk.site.run(move |site| read(site, &person, group, set)).await?;
    Ok(page(&shown))
}

fn read(site: &Parts, person: &Person, group: GroupId, set: ReplicaSetId) -> Result<SetPage> {
    let actor = &person.actor;
    let backup = backups::get(site, actor, group, set)?;
    let snapshots = snapshots::list(site, actor, group, set)?;
    let config = &backup.config;
    let excluded: Vec<&str> = config.excluded_namespaces.iter().map(|it| it.as_str()).collect();
    let keep = &config.retention;
    Ok(SetPage {
        top: Top::of(backup.set.name.as_str(), person),
        group: group.to_string(),
        id: set.to_string(),
        status: config.status.as_str(),
        snapshots: snapshots.iter().map(row).collect(),
        is_silent: is_silent(&backup.set, site.clock.now()),
        interval_hours: config.schedule.interval_hours,
        reference_hour: config.schedule.reference_hour,
        zone: config.schedule.zone.as_str().to_owned(),
        retention: [keep.base_days, keep.daily_days, keep.weekly_weeks, keep.monthly_months],
        pitr_window_hours: config.pitr_window_hours,
        excluded: excluded.join(" "),
        may_manage: actor.may(Permission::ManageBackup, group),
        may_restore: actor.may(Permission::Restore, group),
        may_delete: actor.may(Permission::ManageRetention, group),
    })
}

/// Whether the daemon has nobody to check its clock with: see [`tidemark_metadata::rules::clock_watch`].
fn is_silent(set: &ReplicaSet, now: UnixMillis) -> bool {
    let news_ms = u64::try_from(NEWS.as_millis()).unwrap_or(u64::MAX);
    set.sight.as_ref().is_none_or(|it| now.0 > it.at.0.saturating_add(news_ms))
}

fn row(kept: &Kept) -> SnapshotRow {
    let snapshot = &kept.snapshot;
    let state = match (snapshot.is_dead_branch, snapshot.proven.is_some(), snapshot.known_divergences()) {
        (true, ..) => "rolled back on the source",
        (_, _, 1..) => "differs from the source",
        (_, true, _) => "proven",
        (_, false, _) => "stored",
    };
    SnapshotRow {
        name: kept.name(),
        at: moment(snapshots::moment(snapshot)),
        state,
        is_doubtful: snapshot.is_dead_branch || snapshot.known_divergences() > 0,
        size: size(snapshot.run_bytes),
        new: size(snapshot.new_run_bytes),
        until: match kept.stay {
            Stay::Until(at) => moment(at),
            Stay::Last => "the last one stays".to_owned(),
            Stay::Resting => "nothing expires".to_owned(),
            Stay::Deleted(at) => format!("will be deleted after {}", moment(at)),
            Stay::Terminated(at) => format!("goes with the backup after {}", moment(at)),
        },
        is_deleted: kept.is_deleted(),
    }
}
