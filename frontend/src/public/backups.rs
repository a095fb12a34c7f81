//! `backupConfigs` and their `snapshotSchedule`. How an agent connects is written and never read.

use super::ask::{Answer, Ask};
use super::input::Input;
use crate::actions::backups::{self, Backup, Changes};
use crate::actions::source::{Said, source_name, source_of};
use crate::actions::{Problem, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemark_metadata::{Namespace, Status, Zone};

pub(super) async fn list(ask: Ask) -> Answer {
    let group = ask.group()?;
    let backups = ask.run(move |parts, actor| backups::list(parts, actor, group)).await?;
    ask.list(&backups, shown_config)
}

pub(super) async fn get(ask: Ask) -> Answer {
    let (group, set) = ask.set()?;
    let backup = ask.run(move |parts, actor| backups::get(parts, actor, group, set)).await?;
    ask.one(shown_config(&backup))
}

fn shown_config(backup: &Backup) -> Value {
    let Backup { set, config } = backup;
    json!({
        "groupId": set.group.to_string(),
        "clusterId": set.id.to_string(),
        "replicaSetName": set.name.as_str(),
        "statusName": config.status.as_str(),
        "excludedNamespaces": config.excluded_namespaces.iter().map(Namespace::as_str).collect::<Vec<_>>(),
        "syncSource": source_name(&config.sync_source),
        "throttleBytesPerSecond": config.throttle_bytes_per_second,
        "connectionProvided": config.connection.is_some(),
    })
}

/// What a client may change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Patch {
    status_name: Option<String>,
    excluded_namespaces: Option<Vec<String>>,
    sync_source: Option<String>,
    /// 0 is as fast as it goes.
    throttle_bytes_per_second: Option<u64>,
    username: Option<String>,
    password: Option<String>,
    auth_source: Option<String>,
    ssl_ca_pem: Option<String>,
    seeds: Option<Vec<String>>,
    /// False forgets what was set; that it is there cannot be ordered.
    connection_provided: Option<bool>,
}

pub(super) async fn change(ask: Ask, Input(patch): Input<Patch>) -> Answer {
    let id = ask.set()?;
    let changes = changes(patch)?;
    let backup = ask.run(move |parts, actor| backups::change(parts, actor, id, &changes)).await?;
    ask.one(shown_config(&backup))
}

fn changes(patch: Patch) -> Result<Changes> {
    let namespaces = |it: Vec<String>| it.into_iter().map(Namespace::new).collect::<Result<Vec<_>, _>>();
    let excluded_namespaces = patch.excluded_namespaces.map(namespaces).transpose()?;
    let status = patch.status_name.as_deref().map(status).transpose()?;
    let sync_source = patch.sync_source.as_deref().map(source_of).transpose()?;
    if patch.connection_provided == Some(true) {
        let problem = "it is set by username and its like, and only forgotten by this: take false";
        return Err(Problem::invalid("connectionProvided", problem));
    }
    let connection = Said {
        is_forgotten: patch.connection_provided == Some(false),
        seeds: patch.seeds,
        user: patch.username,
        password: patch.password,
        auth_source: patch.auth_source,
        ca_pem: patch.ssl_ca_pem,
    };
    let connection = connection.whole()?;
    let throttle_bytes_per_second = patch.throttle_bytes_per_second;
    Ok(Changes {
        status,
        excluded_namespaces,
        sync_source,
        throttle_bytes_per_second,
        connection,
        ..Changes::default()
    })
}

/// A status that somebody may wish for.
fn status(name: &str) -> Result<Status> {
    let wishes = [Status::Started, Status::Stopped, Status::Terminating, Status::Provisioning];
    let found = wishes.into_iter().find(|it| it.as_str() == name);
    let problem = "take STARTED, STOPPED, TERMINATING, or PROVISIONING to copy everything anew";
    found.ok_or_else(|| Problem::invalid("statusName", problem))
}

pub(super) async fn schedule(ask: Ask) -> Answer {
    let (group, set) = ask.set()?;
    let backup = ask.run(move |parts, actor| backups::get(parts, actor, group, set)).await?;
    ask.one(shown_schedule(&backup))
}

fn shown_schedule(Backup { set, config }: &Backup) -> Value {
    json!({
        "groupId": set.group.to_string(),
        "clusterId": set.id.to_string(),
        "snapshotIntervalHours": config.schedule.interval_hours,
        "referenceHourOfDay": config.schedule.reference_hour,
        "referenceTimeZone": config.schedule.zone.as_str(),
        "snapshotRetentionDays": config.retention.base_days,
        "dailySnapshotRetentionDays": config.retention.daily_days,
        "weeklySnapshotRetentionWeeks": config.retention.weekly_weeks,
        "monthlySnapshotRetentionMonths": config.retention.monthly_months,
        "pointInTimeWindowHours": config.pitr_window_hours,
    })
}

/// What a client may change of the schedule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SchedulePatch {
    snapshot_interval_hours: Option<u8>,
    reference_hour_of_day: Option<u8>,
    reference_time_zone: Option<String>,
    snapshot_retention_days: Option<u16>,
    daily_snapshot_retention_days: Option<u16>,
    weekly_snapshot_retention_weeks: Option<u16>,
    monthly_snapshot_retention_months: Option<u16>,
    point_in_time_window_hours: Option<u16>,
}

pub(super) async fn change_schedule(ask: Ask, Input(patch): Input<SchedulePatch>) -> Answer {
    let id = ask.set()?;
    let zone = patch.reference_time_zone.as_deref().map(Zone::new).transpose().map_err(Problem::from)?;
    let changes = Changes {
        interval_hours: patch.snapshot_interval_hours,
        reference_hour: patch.reference_hour_of_day,
        zone,
        pitr_window_hours: patch.point_in_time_window_hours,
        retention: [
            patch.snapshot_retention_days,
            patch.daily_snapshot_retention_days,
            patch.weekly_snapshot_retention_weeks,
            patch.monthly_snapshot_retention_months,
        ],
        ..Changes::default()
    };
    let backup = ask.run(move |parts, actor| backups::change(parts, actor, id, &changes)).await?;
    ask.one(shown_schedule(&backup))
}
