//! Parts of pages, made of what was read: lags, buttons, restores, keys, events. Pure.

use super::render::{ago, moment, size};
use crate::actions::overview::SetView;
use crate::actions::restores::{Restore, progress};
use crate::actions::shown;
use tidemark_base::UnixMillis;
use tidemark_metadata::{Event, RestoreState, RestoreTarget, Status};

/// How far one part of a backup has come.
pub(super) struct Lag {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) is_late: bool,
}

/// The four lags of a replica set.
pub(super) fn lags(view: &SetView, now: UnixMillis) -> Vec<Lag> {
    let (at, late) = (&view.at, &view.late);
    let lag = |name, at: Option<UnixMillis>, is_late| {
        let value = at.map_or_else(|| "none yet".to_owned(), |at| ago(at, now));
        Lag { name, value, is_late }
    };
    vec![
        lag("Agent last heard of", at.conf, late.conf),
        lag("Oplog stored until", at.oplog, late.oplog),
        lag("Applied until", at.head, late.head),
        lag("Last snapshot stands for", at.snapshot, late.snapshot),
    ]
}

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
    let anew = || confirmed(Status::Provisioning, "Copy anew", "Everything is copied again; snapshots stay");
    match status {
        Status::Inactive => vec![button(Status::Started, "Start")],
        Status::Provisioning => vec![button(Status::Stopped, "Stop")],
        Status::Started => vec![button(Status::Stopped, "Stop"), anew()],
        Status::Stopped => {
            let all = "All snapshots and the oplog go; it can be undone for 24 hours";
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
        RestoreTarget::Snapshot { name } => format!("snapshot {name}"),
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
        RestoreState::Ready { bytes, .. } => format!("ready, {} unpacked", size(*bytes)),
        RestoreState::Failed { error } => format!("cannot be prepared: {error}"),
        RestoreState::Cancelled => "cancelled".to_owned(),
    };
    let warning = match &job.state {
        RestoreState::Ready { divergences, .. } if *divergences > 0 => Some(format!(
            "This is not quite what the source had: {divergences} changes did not fit the copy. Some documents in it may \
             be missing, old, or deleted on the source. If an earlier snapshot that is proven will do, restore that."
        )),
        _ => None,
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
        warning,
        progress: parts.filter(|_| is_preparing),
        is_preparing,
        is_ready: matches!(job.state, RestoreState::Ready { .. }),
        is_failed: matches!(job.state, RestoreState::Failed { .. }),
        links: links.collect(),
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
        Self { at: shown(event.at), text: event.what.text.to_string(), who }
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
                // Starting for the first time becomes a copy.
                let to = if (status, to) == (Status::Inactive, Status::Started) {
                    Status::Provisioning
                } else {
                    to
                };
                assert!(status.may_become(to, Ordered::ByUser), "{status:?} {}", button.label);
            }
        }
    }
}
