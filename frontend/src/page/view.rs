//! Parts of pages, made of what was read: buttons, restores, agents, keys, events. Pure.

use super::render::{ago, moment, size};
use crate::actions::restores::{Restore, progress};
use crate::actions::snapshots;
use tidemark_base::UnixMillis;
use tidemark_metadata::{Agent, Event, RestoreState, RestoreTarget, Status};

/// What can be done about a backup as it stands.
pub(super) struct Button {
    pub(super) status: &'static str,
    pub(super) label: &'static str,
    /// What has to be confirmed, where there is no way back for long.
    pub(super) confirm: Option<&'static str>,
}

/// The changes of status that a person may make.
pub(super) fn buttons(status: Status) -> Vec<Button> {
    let button = |to: Status, label| Button { status: to.as_str(), label, confirm: None };
    let confirmed = |to: Status, label, text| Button { status: to.as_str(), label, confirm: Some(text) };
    let anew = || {
        confirmed(
            Status::Provisioning,
            "Copy anew",
            "Copy everything again. Snapshots stay; other seconds before the new copy can no longer be restored",
        )
    };
    match status {
        // By the form of its own page, where it is said what is copied.
        Status::Inactive => Vec::new(),
        Status::Provisioning => vec![button(Status::Stopped, "Stop")],
        Status::Started => vec![button(Status::Stopped, "Stop"), anew()],
        Status::Stopped => {
            let all = "Delete all snapshots and the oplog, after 24 hours in which this can be undone";
            vec![button(Status::Started, "Start"), anew(), confirmed(Status::Terminating, "Terminate", all)]
        }
        Status::Terminating => vec![button(Status::Stopped, "Undo the termination")],
    }
}

/// A restore.
pub(super) struct RestoreRow {
    pub(super) id: String,
    pub(super) set: String,
    pub(super) what: String,
    pub(super) asked: String,
    pub(super) state: String,
    /// What whoever restores must know first.
    pub(super) warning: Option<String>,
    pub(super) progress: Option<(u64, u64)>,
    pub(super) is_preparing: bool,
    pub(super) is_ready: bool,
    pub(super) is_failed: bool,
    pub(super) links: Vec<String>,
}

/// A restore of a replica set of this name.
pub(super) fn restore_row(restore: &Restore, set: String, now: UnixMillis) -> RestoreRow {
    let job = &restore.job;
    let mut what = match &job.target {
        RestoreTarget::Snapshot { name } => match &restore.snapshot {
            Some(snapshot) => format!("snapshot of {}", moment(snapshots::moment(snapshot))),
            None => format!("snapshot {name}, which is gone"),
        },
        RestoreTarget::PointInTime { timestamp } => moment(UnixMillis(u64::from(timestamp.secs) * 1000)),
    };
    if !job.namespaces.is_empty() {
        let names: Vec<&str> = job.namespaces.iter().map(|it| it.as_str()).collect();
        what.push_str(&format!(", only {}", names.join(", ")));
    }
    let (doing, parts) = progress(restore);
    let state = match &job.state {
        RestoreState::Preparing => {
            format!("being prepared{}", doing.map(|it| format!(": {it}")).unwrap_or_default())
        }
        RestoreState::Ready { bytes, .. } => {
            format!("ready: {} unpacked, kept for a day. Make a link to fetch it.", size(*bytes))
        }
        RestoreState::Failed { error } => {
            format!("cannot be prepared: {error}. Choose another snapshot or second.")
        }
        RestoreState::Cancelled => "cancelled".to_owned(),
    };
    let links = restore.links.iter().map(|it| {
        let state = if it.is_good(now) { "good" } else { "dead" };
        format!("{state}, used {} of {} times, until {}", it.uses, it.max_uses, moment(it.expires_at))
    });
    let is_preparing = job.state == RestoreState::Preparing;
    RestoreRow {
        id: job.id.to_string(),
        set,
        what,
        asked: moment(job.created_at),
        state,
        warning: restore.warning(),
        progress: parts.filter(|_| is_preparing),
        is_preparing,
        is_ready: matches!(job.state, RestoreState::Ready { .. }),
        is_failed: matches!(job.state, RestoreState::Failed { .. }),
        links: links.collect(),
    }
}

/// An agent that was heard of.
pub(super) struct AgentRow {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) version: String,
    pub(super) seen: String,
    /// If its clock is off.
    pub(super) clock: Option<String>,
}

/// How far an agent's clock may be off before the page says so, in milliseconds.
const CLOCK_OFF_MS: u64 = 60_000;

impl AgentRow {
    pub(super) fn of(agent: &Agent, now: UnixMillis) -> Self {
        let off_ms = agent.clock_ahead_ms.unsigned_abs();
        let side = if agent.clock_ahead_ms > 0 { "ahead" } else { "behind" };
        let clock = format!("its clock is {} s {side}", off_ms / 1000);
        Self {
            name: agent.agent.to_string(),
            host: agent.host.to_string(),
            version: agent.version.to_string(),
            seen: ago(agent.seen_at, now),
            clock: (off_ms > CLOCK_OFF_MS).then_some(clock),
        }
    }
}

/// A key, without what opens anything.
pub(super) struct KeyRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) made: String,
}

impl KeyRow {
    pub(super) fn new(id: String, name: &str, role: &str, made: UnixMillis) -> Self {
        Self { id, name: name.to_owned(), role: role.to_owned(), made: moment(made) }
    }
}

/// An event.
pub(super) struct EventRow {
    pub(super) at: String,
    pub(super) text: String,
    pub(super) who: String,
}

impl EventRow {
    pub(super) fn of(event: &Event) -> Self {
        let who = event.what.actor.as_ref().map_or_else(String::new, ToString::to_string);
        Self { at: moment(event.at), text: event.what.text.to_string(), who }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_metadata::Ordered;

    #[test]
    fn every_button_is_a_change_that_a_person_may_make() {
        for status in Status::ALL {
            for button in buttons(status) {
                let to = Status::ALL.into_iter().find(|it| it.as_str() == button.status).unwrap();
                assert!(status.may_become(to, Ordered::ByUser), "{status:?} {}", button.label);
            }
        }
    }
}
