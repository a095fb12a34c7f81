//! What is backed up and how: status, filters, connection, schedule, retention. The daemon looks at the status by
//! itself; nothing is queued here.

use super::{Actor, Problem, Result, groups, happening};
use crate::site::Parts;
use tidemark_base::protocol::Connection;
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{
    BackupConfig, Copies, GroupId, Happening, Namespace, Ordered, ReplicaSet, ReplicaSetId, Secret, Status,
    SyncSource, Zone,
};

/// A replica set and its backup.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    /// The set.
    pub(crate) set: ReplicaSet,
    /// Its backup; one that was never started if nothing is known of it.
    pub(crate) config: BackupConfig,
}

/// All of a group.
pub(crate) fn list(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<Backup>> {
    let sets = groups::sets(parts, actor, group)?;
    sets.into_iter().map(|set| with_config(parts, set)).collect()
}

/// One of them.
pub(crate) fn get(parts: &Parts, actor: &Actor, group: GroupId, set: ReplicaSetId) -> Result<Backup> {
    with_config(parts, groups::set(parts, actor, group, set)?)
}

fn with_config(parts: &Parts, set: ReplicaSet) -> Result<Backup> {
    let found = parts.metadata.find::<BackupConfig>(&BackupConfig::id_of(set.group, set.id))?;
    let config = found.map_or_else(|| BackupConfig::new(set.group, set.id), |it| it.record);
    Ok(Backup { set, config })
}

/// How the agent is to connect.
#[derive(Debug, Default)]
pub(crate) enum Connecting {
    /// As it does.
    #[default]
    AsItIs,
    /// As its own file says: what was set is forgotten.
    ByItsOwnFile,
    /// So; without seeds, those that it reported.
    So(Connection),
}

/// What is to be different; what is not given stays.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Start, stop, terminate, copy anew.
    pub(crate) status: Option<Status>,
    /// What is left out.
    pub(crate) excluded_namespaces: Option<Vec<Namespace>>,
    /// Which member is read.
    pub(crate) sync_source: Option<SyncSource>,
    /// How much a copy may read in a second; 0 for as fast as it goes.
    pub(crate) throttle_bytes_per_second: Option<u64>,
    /// How the agent connects.
    pub(crate) connection: Connecting,
    /// Hours between snapshots.
    pub(crate) interval_hours: Option<u8>,
    /// An hour of the day at which one is taken.
    pub(crate) reference_hour: Option<u8>,
    /// Whose clock counts.
    pub(crate) zone: Option<Zone>,
    /// How far back any second can be restored, in hours.
    pub(crate) pitr_window_hours: Option<u16>,
    /// How long snapshots are kept: days, then the first of each day, week and month.
    pub(crate) retention: [Option<u16>; 4],
}

impl Changes {
    fn permissions(&self) -> Vec<Permission> {
        let mut needed = vec![Permission::ManageBackup];
        if self.status == Some(Status::Terminating) {
            needed.push(Permission::Terminate);
        }
        if self.retention.iter().any(Option::is_some) {
            needed.push(Permission::ManageRetention);
        }
        needed
    }
}

/// Changes a backup: all that was asked for, or nothing.
pub(crate) fn change(
    parts: &Parts,
    actor: &Actor,
    (group, set): (GroupId, ReplicaSetId),
    changes: &Changes,
) -> Result<Backup> {
    for permission in changes.permissions() {
        actor.require(permission, group)?;
    }
    let set = groups::set(parts, actor, group, set)?;
    let connection = match &changes.connection {
        Connecting::AsItIs => None,
        Connecting::ByItsOwnFile => Some(None),
        Connecting::So(it) => Some(Some(sealed_later(it, &set)?)),
    };
    let now = parts.clock.now();
    let mut is_unfit = false;
    let (id, scope) = (BackupConfig::id_of(group, set.id), (Some(group), now));
    let config = parts.metadata.upsert_and_tell(&id, scope, |old: Option<&BackupConfig>| {
        let mut config = old.cloned().unwrap_or_else(|| BackupConfig::new(group, set.id));
        let left_out = config.excluded_namespaces.clone();
        // What is so already is no change.
        let next = changes.status.map(|wish| step(config.status, wish)).filter(|it| *it != config.status);
        if let Some(next) = next {
            config.set_status(next, Ordered::ByUser, now)?;
        }
        merge(&mut config, changes);
        is_unfit = config.excluded_namespaces != left_out && !may_leave_out_else(&mut config);
        if is_unfit {
            return Ok((old.cloned().unwrap_or(config), Vec::new()));
        }
        if let Some(secret) = &connection {
            parts.with_entropy(|entropy| {
                config.set_connection(secret.as_ref(), &parts.sealing, entropy);
            });
        }
        let told = told(actor, &set, old, &config)?;
        Ok((config, told))
    })?;
    if is_unfit {
        return Err(Problem::refused(
            "what is left out can be changed only with a new copy of everything: order that first, or in the same change \
             (by the box of the form, or statusName PROVISIONING)",
        ));
    }
    Ok(Backup { set, config })
}

/// Starting what was never started begins with a copy, and while that is being made there is nothing more to start.
const fn step(from: Status, wish: Status) -> Status {
    match (from, wish) {
        (Status::Inactive | Status::Provisioning, Status::Started) => Status::Provisioning,
        _ => wish,
    }
}

/// What is left out is left out when everything is copied: heads that were made otherwise do not fit, and copies that
/// were begun otherwise no longer count. Whether it can be changed now.
fn may_leave_out_else(config: &mut BackupConfig) -> bool {
    if config.status == Status::Provisioning {
        config.copies = Copies::None;
    }
    matches!(config.status, Status::Inactive | Status::Provisioning)
}

fn merge(config: &mut BackupConfig, changes: &Changes) {
    fn take<T: Clone>(to: &mut T, from: Option<&T>) {
        if let Some(from) = from {
            *to = from.clone();
        }
    }
    take(&mut config.excluded_namespaces, changes.excluded_namespaces.as_ref());
    take(&mut config.sync_source, changes.sync_source.as_ref());
    if let Some(rate) = changes.throttle_bytes_per_second {
        config.throttle_bytes_per_second = (rate > 0).then_some(rate);
    }
    take(&mut config.schedule.interval_hours, changes.interval_hours.as_ref());
    take(&mut config.schedule.reference_hour, changes.reference_hour.as_ref());
    take(&mut config.schedule.zone, changes.zone.as_ref());
    take(&mut config.pitr_window_hours, changes.pitr_window_hours.as_ref());
    let [base, daily, weekly, monthly] = &changes.retention;
    take(&mut config.retention.base_days, base.as_ref());
    take(&mut config.retention.daily_days, daily.as_ref());
    take(&mut config.retention.weekly_weeks, weekly.as_ref());
    take(&mut config.retention.monthly_months, monthly.as_ref());
}

/// What is sealed: the agent reads it as its protocol has it.
fn sealed_later(connection: &Connection, set: &ReplicaSet) -> Result<Secret> {
    let mut connection = connection.clone();
    if connection.seeds.is_empty() {
        let own = set.seeds.iter();
        connection.seeds = own
            .map(|it| tidemark_base::protocol::Address { host: it.host.to_string(), port: it.port })
            .collect();
    }
    if connection.ca_pem.as_deref().is_some_and(|it| !it.contains("-----BEGIN CERTIFICATE-----")) {
        return Err(Problem::invalid("sslCaPem", "it is no certificate in PEM"));
    }
    let text = serde_json::to_vec(&connection)
        .map_err(|_| Problem::invalid("connection", "it cannot be written down"))?;
    Ok(Secret::new(text)?)
}

/// What is told of a change; of the connection only that it changed.
fn told(
    actor: &Actor,
    set: &ReplicaSet,
    old: Option<&BackupConfig>,
    new: &BackupConfig,
) -> Result<Vec<Happening>, tidemark_metadata::Error> {
    let subject = set.id.to_string();
    let before = old.cloned().unwrap_or_else(|| BackupConfig::new(set.group, set.id));
    let mut told = Vec::new();
    let mut say = |code, text: String| -> Result<(), tidemark_metadata::Error> {
        told.push(happening(actor, code, Some(&subject), &text)?);
        Ok(())
    };
    if before.status != new.status {
        let (from, to) = (before.status.as_str(), new.status.as_str());
        say("BACKUP_STATUS_CHANGED", format!("{}: {from} → {to}", set.name))?;
    }
    if before.connection != new.connection {
        let how = match new.connection {
            Some(_) => "was set",
            None => "is what the agent's own file says: what was set was deleted",
        };
        say("BACKUP_CONNECTION_CHANGED", format!("{}: how to connect {how}", set.name))?;
    }
    if is_set_otherwise(&before, new) {
        say("BACKUP_CONFIG_CHANGED", format!("{}: schedule, retention or filters were changed", set.name))?;
    }
    Ok(told)
}

fn is_set_otherwise(before: &BackupConfig, new: &BackupConfig) -> bool {
    before.excluded_namespaces != new.excluded_namespaces
        || before.sync_source != new.sync_source
        || before.throttle_bytes_per_second != new.throttle_bytes_per_second
        || before.schedule != new.schedule
        || before.pitr_window_hours != new.pitr_window_hours
        || before.retention != new.retention
}
