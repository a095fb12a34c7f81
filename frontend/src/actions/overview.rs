//! What the page of a group tells of its backups: the four lags, each with its rule of when it is late.
//!
//! [`late`] is a pure function of the positions; reading them is apart.

use super::backups::{self, Backup};
use super::standing::{self, Copying, Matter};
use super::{Actor, Result, head_of, snapshots};
use crate::site::Parts;
use tidemark_base::UnixMillis;
use tidemark_head::head::look_up;
use tidemark_head::root::Root;
use tidemark_head::{HeadError, snapshot};
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{Agent, By, Event, GroupId, Host, ReplicaSet, Status};

const HOUR_MS: u64 = 3_600_000;
const STORE_DAMAGED: &str = "The store that keeps these backups is damaged: some of what is kept may not be readable. Whoever \
    runs this site finds on its first page what was found; restores and snapshots that are hurt say so themselves.";
const STORE_FULL: &str = "The disk of the store is too full to collect all garbage: whoever runs this site should give it more \
    room, or snapshots should be kept less long.";

/// How far each part has come, as wall times; none for what there is none of yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Positions {
    /// The last conf call of the agent that reads the set.
    pub(crate) conf: Option<UnixMillis>,
    /// The end of the oplog that is stored.
    pub(crate) oplog: Option<UnixMillis>,
    /// Where the head stands.
    pub(crate) head: Option<UnixMillis>,
    /// The last snapshot, or since it was taken until when nothing had changed.
    pub(crate) snapshot: Option<UnixMillis>,
}

/// Which of them are late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Late {
    /// The last conf call is more than an hour old.
    pub(crate) conf: bool,
    /// The oplog ends more than an hour before the last conf call.
    pub(crate) oplog: bool,
    /// The head is more than an hour behind the oplog.
    pub(crate) head: bool,
    /// The last snapshot is older than one and a half intervals.
    pub(crate) snapshot: bool,
}

impl Late {
    /// Whether anything is.
    pub(crate) const fn any(self) -> bool {
        self.conf || self.oplog || self.head || self.snapshot
    }
}

/// Judges the positions of a backup that runs. What is not there yet is not late: the status says what is going on.
pub(crate) fn late(at: Positions, interval_hours: u8, now: UnixMillis) -> Late {
    let behind = |it: Option<UnixMillis>, of: Option<UnixMillis>, ms: u64| {
        it.zip(of).is_some_and(|(it, of)| of.0.saturating_sub(it.0) > ms)
    };
    Late {
        conf: behind(at.conf, Some(now), HOUR_MS),
        oplog: behind(at.oplog, at.conf, HOUR_MS),
        head: behind(at.head, at.oplog, HOUR_MS),
        snapshot: behind(at.snapshot, Some(now), u64::from(interval_hours) * HOUR_MS * 3 / 2),
    }
}

/// A replica set on the page of its group.
#[derive(Clone, Debug)]
pub(crate) struct SetView {
    /// The set and its backup.
    pub(crate) backup: Backup,
    /// Its members.
    pub(crate) hosts: Vec<Host>,
    /// How far each part has come.
    pub(crate) at: Positions,
    /// What of it is late.
    pub(crate) late: Late,
    /// How many snapshots it has.
    pub(crate) snapshots: usize,
    /// What else somebody should look at.
    pub(crate) matters: Vec<Matter>,
    /// How far the copy is, while one is made.
    pub(crate) copying: Option<Copying>,
}

/// All replica sets of a group.
pub(crate) fn of_group(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<SetView>> {
    let found = backups::list(parts, actor, group)?;
    let open = parts.metadata.matters(Some(group))?;
    found.into_iter().map(|backup| view(parts, backup, &open)).collect()
}

/// What is wrong with the site as a whole, and what happened to it, newest first: for whoever runs it.
pub(crate) fn of_site(parts: &Parts, actor: &Actor, events: usize) -> Result<(Vec<Matter>, Vec<Event>)> {
    actor.require_on_site(Permission::ManageSite)?;
    let open = parts.metadata.matters(None)?.into_iter();
    let open = open.map(|it| Matter { since: Some(it.since), text: it.text.to_string() });
    Ok((open.collect(), parts.metadata.events(None, None, events)?))
}

/// What is wrong with the store, for those whose backups are in it. The events themselves may name what belongs to other
/// groups.
pub(crate) fn of_store(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<Matter>> {
    actor.require(Permission::View, group)?;
    let open = parts.metadata.matters(None)?.into_iter();
    let told = open.filter_map(|it| {
        let text = match it.code.as_str() {
            "STORE_DAMAGED" => STORE_DAMAGED,
            "STORE_FULL" => STORE_FULL,
            _ => return None,
        };
        Some(Matter { since: Some(it.since), text: text.to_owned() })
    });
    Ok(told.collect())
}

fn view(parts: &Parts, backup: Backup, open: &[tidemark_metadata::Matter]) -> Result<SetView> {
    let (group, set) = (backup.set.group, backup.set.id);
    let hosts = parts.metadata.all::<Host>(By::Key(&format!("{group}:{set}")))?;
    let name = head_of(group, set)?;
    let oplog = name.slices(&parts.store).tip()?.map(|tip| seconds(tip.link.at.ts.secs));
    let head = match look_up(&parts.store, &name) {
        Ok(found) => Some(seconds(Root::read(&parts.store, found.root)?.at.ts.secs)),
        Err(HeadError::NoHead { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let all = snapshot::list(&parts.store, &name)?;
    let last = all.iter().rev().find(|(_, it)| it.is_live());
    // Where nothing has changed since, no new one is taken: the last still stands.
    let covered = snapshot::covered(&parts.store, &name)?;
    let covered = covered.filter(|it| last.is_some_and(|(id, _)| *id == it.snapshot));
    let covered = covered.map(|it| seconds(it.until.ts.secs));
    let snapshot = last.map(|(_, it)| snapshots::moment(it)).max(covered);
    let at = Positions { conf: conf(parts, &backup.set)?, oplog, head, snapshot };
    let is_running = matches!(backup.config.status, Status::Started | Status::Provisioning);
    let interval = backup.config.schedule.interval_hours;
    let late = if is_running { late(at, interval, parts.clock.now()) } else { Late::default() };
    let hosts = hosts.into_iter().map(|it| it.record).collect();
    let matters = standing::matters(parts, &backup, open, &all)?;
    let copying = standing::copying(parts, &backup, &name)?;
    let snapshots = all.len();
    Ok(SetView { backup, hosts, at, late, snapshots, matters, copying })
}

const fn seconds(secs: u32) -> UnixMillis {
    UnixMillis(secs as u64 * 1000)
}

fn conf(parts: &Parts, set: &ReplicaSet) -> Result<Option<UnixMillis>> {
    let Some(active) = &set.active else { return Ok(None) };
    let agent = parts.metadata.find::<Agent>(&Agent::id_of(set.group, &active.holder))?;
    Ok(agent.map(|it| it.record.seen_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lag_has_its_own_rule() {
        let now = UnixMillis(1_000 * HOUR_MS);
        let ago = |ms: u64| Some(UnixMillis(now.0 - ms));
        let fine = Positions {
            conf: ago(HOUR_MS),
            oplog: ago(2 * HOUR_MS),
            head: ago(3 * HOUR_MS),
            snapshot: ago(9 * HOUR_MS),
        };
        assert_eq!(late(fine, 6, now), Late::default());
        assert_eq!(late(Positions::default(), 6, now), Late::default(), "what is not there yet is not late");
        let one = |at: Positions| late(at, 6, now);
        assert!(one(Positions { conf: ago(HOUR_MS + 1), ..fine }).conf);
        assert!(one(Positions { oplog: ago(2 * HOUR_MS + 1), ..fine }).oplog);
        assert!(one(Positions { head: ago(3 * HOUR_MS + 1), ..fine }).head);
        assert!(one(Positions { snapshot: ago(9 * HOUR_MS + 1), ..fine }).snapshot);
        // Each is judged by what comes before it: an agent that is silent makes no head late.
        let silent =
            Positions { conf: ago(90 * HOUR_MS), oplog: ago(90 * HOUR_MS), head: ago(90 * HOUR_MS), ..fine };
        assert_eq!(one(silent), Late { conf: true, ..Late::default() });
    }
}
