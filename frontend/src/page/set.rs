//! The page of a replica set: its snapshots, and the forms for restores, what is copied, schedule and retention. It does not load itself
//! again, so that nothing that was typed is lost.

use super::error::Shown;
use super::render::{Top, moment, page, size};
use crate::actions::backups::Backup;
use crate::actions::snapshots::{self, Kept, Stay};
use crate::actions::source::source_name;
use crate::actions::{Problem, Result, backups, groups, standing};
use crate::login::doors::Desk;
use crate::login::person::Person;
use crate::site::Parts;
use askama::Template;
use axum::extract::{Path, State};
use tidemark_base::UnixMillis;
use tidemark_head::snapshot::Snapshot;
use tidemark_metadata::rules::clock_watch::NEWS;
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{GroupId, ReplicaSet, ReplicaSetId, Status};

#[derive(Template)]
#[template(path = "set.html")]
struct SetPage {
    top: Top,
    group: String,
    group_name: String,
    id: String,
    status: &'static str,
    is_new: bool,
    /// From when until when any second can be restored.
    window: Option<(String, String)>,
    /// Names of sources, what they are called, and which is chosen.
    sources: Vec<(String, String, bool)>,
    is_connected: bool,
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
    /// Whether it is what a restore takes if nothing else is said.
    is_first_choice: bool,
    size: String,
    new: String,
    until: String,
    is_deleted: bool,
    /// From when until when seconds can be restored only as long as it is there.
    alone: Option<(String, String)>,
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
    let (keep, now) = (&config.retention, site.clock.now());
    let window = standing::window(site, actor, (group, set))?;
    Ok(SetPage {
        top: Top::at(backup.set.name.as_str(), person, now),
        group: group.to_string(),
        group_name: groups::get(site, actor, group)?.name.to_string(),
        id: set.to_string(),
        status: config.status.as_str(),
        is_new: config.status == Status::Inactive,
        window: window.map(|(from, until)| (moment(from), moment(until))),
        sources: sources(&backup),
        is_connected: config.connection.is_some(),
        snapshots: rows(&snapshots),
        is_silent: is_silent(&backup.set, now),
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

/// What can be copied from: the usual two, each member, and what is chosen now.
fn sources(backup: &Backup) -> Vec<(String, String, bool)> {
    let chosen = source_name(&backup.config.sync_source);
    let usual = [("SECONDARY", "a secondary, if there is one"), ("PRIMARY", "the primary")];
    let mut sources: Vec<_> = usual.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    sources.extend(
        backup.set.seeds.iter().map(|it| format!("{}:{}", it.host, it.port)).map(|it| (it.clone(), it)),
    );
    if !sources.iter().any(|(name, _)| *name == chosen) {
        sources.push((chosen.clone(), chosen.clone()));
    }
    sources
        .into_iter()
        .map(|(name, text)| (name == chosen, name, text))
        .map(|(is, name, text)| (name, text, is))
        .collect()
}

/// The newest that nothing is known against is what a restore takes, if nothing else is said.
fn rows(snapshots: &[Kept]) -> Vec<SnapshotRow> {
    let mut rows: Vec<SnapshotRow> = snapshots.iter().map(row).collect();
    if let Some(first) = rows.iter_mut().find(|it| !it.is_doubtful && !it.is_deleted) {
        first.is_first_choice = true;
    }
    rows
}

fn row(kept: &Kept) -> SnapshotRow {
    let snapshot = &kept.snapshot;
    let state = match snapshot {
        Snapshot { is_damaged: true, .. } => "damaged: not all of it can be read",
        Snapshot { is_dead_branch: true, .. } => "rolled back on the source",
        it if it.known_divergences() > 0 => "differs from the source",
        Snapshot { proven: Some(_), .. } => "proven",
        Snapshot { proven: None, .. } => "stored, not proven yet",
    };
    SnapshotRow {
        name: kept.name(),
        at: moment(snapshots::moment(snapshot)),
        state,
        is_doubtful: !snapshot.is_live() || snapshot.known_divergences() > 0,
        is_first_choice: false,
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
        alone: kept.alone.map(|(from, until)| (moment(from), moment(until))),
    }
}
