//! How a backup stands, in words: the four lags, each with its rule and with what to do, how far a copy is, what to look
//! at. Pure; which of it is late is decided in [`overview`](crate::actions::overview).

use super::render::{ago, count, moment, size};
use crate::actions::overview::SetView;
use crate::actions::standing::{Copying, Matter};
use tidemark_base::UnixMillis;
use tidemark_metadata::Status;

/// How far one part of a backup has come.
pub(super) struct Lag {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// When it counts as late.
    pub(super) rule: String,
    /// What to do, if it is late.
    pub(super) advice: Option<&'static str>,
}

const AGENT_IS_SILENT: &str = "On the agent's host, look at systemctl status tidemark-agent and journalctl -u \
    tidemark-agent. Nothing is lost while the source's oplog still reaches back to the end of the stored one.";
const NO_OPLOG: &str = "The agent is heard of but sends no oplog: journalctl -u tidemark-agent on its host says why. \
    Look for a replica set without a primary, and for a full disk of this server.";
const NOT_APPLIED: &str = "The daemon is behind, or does not run: its log on this server says why. The oplog is \
    stored meanwhile, and nothing is lost.";
const NO_SNAPSHOT: &str = "Look at what is late above first, then at the daemon's log and the room on this server's \
    disk. Seconds can be restored as far as oplog is stored.";

/// The four lags of a replica set.
pub(super) fn lags(view: &SetView, now: UnixMillis) -> Vec<Lag> {
    let (at, late) = (&view.at, &view.late);
    let is_running = matches!(view.backup.config.status, Status::Started | Status::Provisioning);
    let lag = |name, at: Option<UnixMillis>, rule: &str, is_late: bool, advice| {
        let value = at.map_or_else(|| "none yet".to_owned(), |at| ago(at, now));
        // At rest nothing is late.
        let rule = if is_running { rule.to_owned() } else { String::new() };
        Lag { name, value, rule, advice: is_late.then_some(advice) }
    };
    let minutes = u32::from(view.backup.config.schedule.interval_hours) * 90;
    let snapshot = match minutes % 60 {
        0 => format!("late if older than {} h, 1½ intervals", minutes / 60),
        _ => format!("late if older than {} h {} min, 1½ intervals", minutes / 60, minutes % 60),
    };
    vec![
        lag("Agent heard of", at.conf, "late if silent for 1 h", late.conf, AGENT_IS_SILENT),
        lag("Oplog stored until", at.oplog, "late if 1 h before the agent's call", late.oplog, NO_OPLOG),
        lag("Oplog applied until", at.head, "late if 1 h behind the stored oplog", late.head, NOT_APPLIED),
        lag("Newest snapshot good for", at.snapshot, &snapshot, late.snapshot, NO_SNAPSHOT),
    ]
}

const AWAITED: &str =
    "Waiting for an agent to begin the copy. It asks every few seconds: if this stays, look at its log.";
const AT_REST: &str = "At rest: nothing is read from the source. Start it before the source's oplog has moved on, or \
    everything has to be copied anew. Snapshots still go by their retention: lengthen it to keep them.";

/// In one sentence, how a backup stands.
pub(super) fn summary(view: &SetView) -> String {
    match (view.backup.config.status, &view.copying) {
        (Status::Inactive, _) => "Not backed up.".to_owned(),
        (Status::Stopped, _) => AT_REST.to_owned(),
        (Status::Terminating, _) => String::new(),
        (_, Some(copying)) => copy_so_far(copying),
        _ if view.late.any() || !view.matters.is_empty() => "Running, but something needs a look.".to_owned(),
        _ if view.snapshots == 0 => {
            "Running. The first snapshot is taken as soon as the copy is consistent.".to_owned()
        }
        _ => "Running, and all of it keeps up.".to_owned(),
    }
}

fn copy_so_far(copying: &Copying) -> String {
    match copying {
        Copying::Awaited => AWAITED.to_owned(),
        Copying::Sent { collections, done, documents, bytes } => {
            let (documents, bytes) = (count(*documents), size(*bytes));
            format!(
                "Copying: {done} of {collections} collections complete, {documents} documents so far ({bytes})."
            )
        }
        Copying::Built { doing, done, total } => {
            let doing =
                doing.as_ref().map_or("the copy is complete, and the head is built of it", |it| it.as_str());
            let parts =
                total.filter(|it| *it > 0).map(|total| format!(" ({} %)", done.saturating_mul(100) / total));
            format!("Preparing: {doing}{}.", parts.unwrap_or_default())
        }
    }
}

/// Something to look at, as a line.
pub(super) fn matter(matter: &Matter) -> String {
    let since = matter.since.map(|it| format!("Since {}: ", moment(it)));
    format!("{}{}", since.unwrap_or_default(), matter.text)
}
