//! What is backed up and how: one record for each replica set, and the life of a backup.
//!
//! A backup is ended in two steps: it is stopped, then terminated, and for a day that can be undone. A change
//! that is not in the table ([`Status`]) is refused, whoever asks.

mod deletions;
mod status;

pub use deletions::DeletedSnapshot;
pub use status::{Ordered, Status};

use super::Happening;
use crate::error::{Error, Result};
use crate::metadata::{Batch, Metadata};
use crate::record::Record;
use crate::rules::retention::{Policy, Retention};
use crate::rules::schedule::Schedule;
use crate::secret::{Sealed, SealingKey, Secret};
use crate::store::Collection;
use crate::words::{GroupId, Namespace, ReplicaSetId, form};
use serde::{Deserialize, Serialize};
use tidemark_base::limits::MAX_NAMESPACES;
use tidemark_base::{Entropy, UnixMillis};

/// For how long a termination can be undone, and the deletion of a snapshot.
pub const TERMINATION_UNDO_MS: u64 = 24 * 3_600_000;
/// How far back any second can be restored, if nothing else is said, in hours.
pub const PITR_WINDOW_HOURS: u16 = 24;

/// Which member the agent reads from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SyncSource {
    /// A secondary if there is one.
    #[default]
    Secondary,
    /// The primary.
    Primary,
    /// This member.
    Member(super::Seed),
}

/// Which of the copies that agents have made count. A new order for a copy makes all before it worthless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Copies {
    /// Each: none was ordered yet.
    #[default]
    All,
    /// None that was begun so far: one is wanted.
    None,
    /// The one with this number, and later ones.
    From(u32),
}

impl Copies {
    /// Whether the copy with this number counts.
    #[must_use]
    pub const fn count(self, number: u32) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::From(first) => number >= first,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn are_all(&self) -> bool {
        *self == Self::All
    }
}

/// The backup of a replica set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupConfig {
    /// Its group.
    pub group: GroupId,
    /// Its replica set.
    pub replica_set: ReplicaSetId,
    /// Where it stands.
    pub status: Status,
    /// When it was terminated; none in any other status.
    #[serde(with = "form::maybe_millis")]
    pub terminated_at: Option<UnixMillis>,
    /// When snapshots are taken.
    pub schedule: Schedule,
    /// How long they are kept.
    pub retention: Retention,
    /// How far back any second can be restored, in hours.
    pub pitr_window_hours: u16,
    /// What is left out.
    pub excluded_namespaces: Vec<Namespace>,
    /// Which member is read.
    pub sync_source: SyncSource,
    /// How to connect, for an agent whose own file does not say it. Sealed.
    pub connection: Option<Sealed>,
    /// Which copies count.
    #[serde(default, skip_serializing_if = "Copies::are_all")]
    pub copies: Copies,
    /// Snapshots whose deletion was ordered, until they are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted_snapshots: Vec<DeletedSnapshot>,
    /// How much a copy may read from the source in a second; none if as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle_bytes_per_second: Option<u64>,
}

impl BackupConfig {
    /// A backup that was never started.
    #[must_use]
    pub fn new(group: GroupId, replica_set: ReplicaSetId) -> Self {
        Self {
            group,
            replica_set,
            status: Status::Inactive,
            terminated_at: None,
            schedule: Schedule::default(),
            retention: Retention::default(),
            pitr_window_hours: PITR_WINDOW_HOURS,
            excluded_namespaces: Vec::new(),
            sync_source: SyncSource::default(),
            connection: None,
            copies: Copies::All,
            deleted_snapshots: Vec::new(),
            throttle_bytes_per_second: None,
        }
    }

    /// The id of its record.
    #[must_use]
    pub fn id_of(group: GroupId, replica_set: ReplicaSetId) -> String {
        format!("{group}:{replica_set}")
    }

    /// Changes the status.
    ///
    /// # Errors
    /// `Invalid` if the table does not have the change; from terminating to inactive also before the time for
    /// second thoughts is over.
    pub fn set_status(&mut self, next: Status, ordered: Ordered, now: UnixMillis) -> Result<()> {
        let (from, to) = (self.status.as_str(), next.as_str());
        if !self.status.may_become(next, ordered) {
            let advice = match (self.status, next) {
                (Status::Started | Status::Provisioning, Status::Terminating) => "stop it first",
                (Status::Terminating, _) => "stop it to undo the termination",
                _ => "look at its present status",
            };
            return Err(Error::refused(format!("a backup that is {from} cannot become {to}"), advice));
        }
        if next == Status::Inactive && !self.may_be_deleted(now) {
            let advice = "wait until it can no longer be undone";
            return Err(Error::refused("a termination can be undone for 24 hours", advice));
        }
        self.terminated_at = (next == Status::Terminating).then_some(now);
        self.status = next;
        if next == Status::Provisioning {
            self.copies = Copies::None;
        }
        if next == Status::Inactive {
            // The next backup numbers its snapshots from the beginning.
            self.deleted_snapshots.clear();
        }
        Ok(())
    }

    /// Orders a new copy, since what there is of the source cannot be gone on with; whether anything changed. One that
    /// has just been ordered, and not begun, is not ordered again.
    ///
    /// # Errors
    /// `Invalid` if the backup is at rest: nobody copies then.
    pub fn order_copy(&mut self, now: UnixMillis) -> Result<bool> {
        match self.status {
            Status::Provisioning => Ok(std::mem::replace(&mut self.copies, Copies::None) != Copies::None),
            _ => self.set_status(Status::Provisioning, Ordered::ByService, now).map(|()| true),
        }
    }

    /// Whether it was terminated long enough ago to be deleted, as the time has it: whoever deletes for good asks for more
    /// ([`crate::rules::second_thoughts`]).
    #[must_use]
    pub fn may_be_deleted(&self, now: UnixMillis) -> bool {
        self.terminated_at.is_some_and(|it| is_past_undoing(it, now))
    }

    /// What keeps its snapshots.
    #[must_use]
    pub const fn policy(&self) -> Policy<'_> {
        let (retention, zone) = (&self.retention, &self.schedule.zone);
        Policy { retention, zone, window_hours: self.pitr_window_hours }
    }

    /// Sets how to connect; nothing leaves it to the agent's own file.
    pub fn set_connection(
        &mut self,
        connection: Option<&Secret>,
        key: &SealingKey,
        entropy: &mut dyn Entropy,
    ) {
        self.connection = connection.map(|it| key.seal(&self.place(), it, entropy));
    }

    /// How to connect: for the conf call of an agent of this group, and nobody else.
    ///
    /// # Errors
    /// As [`SealingKey::open`].
    pub fn open_connection(&self, key: &SealingKey) -> Result<Option<Secret>> {
        self.connection.as_ref().map(|it| key.open(&self.place(), it)).transpose()
    }

    fn place(&self) -> String {
        format!("backupConfig {}", self.id())
    }
}

/// Whether what was ordered then can no longer be undone.
const fn is_past_undoing(ordered: UnixMillis, now: UnixMillis) -> bool {
    now.0 >= ordered.0.saturating_add(TERMINATION_UNDO_MS)
}

impl Metadata {
    /// Orders a new copy of a replica set, and notes why, both or neither; whether anything changed: see
    /// [`BackupConfig::order_copy`].
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if the backup is at rest.
    pub fn order_copy(
        &self,
        group: GroupId,
        set: ReplicaSetId,
        now: UnixMillis,
        why: &Happening,
    ) -> Result<bool> {
        let id = BackupConfig::id_of(group, set);
        self.repeat(Collection::BackupConfig, &id, || {
            let stored = self.get::<BackupConfig>(&id)?;
            let mut config = stored.record.clone();
            if !config.order_copy(now)? {
                return Ok(false);
            }
            let mut batch = Batch::new();
            batch.replace(&stored, &config)?;
            self.add_event(&mut batch, Some(group), now, why)?;
            self.commit(&batch).map(|_| true)
        })
    }
}

impl Record for BackupConfig {
    const COLLECTION: Collection = Collection::BackupConfig;
    const NAME: &'static str = "backup";

    fn id(&self) -> String {
        Self::id_of(self.group, self.replica_set)
    }

    fn check(&self) -> Result<()> {
        self.schedule.check()?;
        self.retention.check()?;
        if self.pitr_window_hours == 0 || self.pitr_window_hours > 24 * 31 {
            return Err(Error::invalid("point-in-time window", "it is 1 to 744 hours"));
        }
        if self.excluded_namespaces.len() > MAX_NAMESPACES {
            let problem = format!("{} of them, at most {MAX_NAMESPACES}", self.excluded_namespaces.len());
            return Err(Error::invalid("excluded namespaces", problem));
        }
        self.check_deletions()?;
        if self.throttle_bytes_per_second == Some(0) {
            return Err(Error::invalid("throttle", "nothing could ever be copied"));
        }
        if (self.status == Status::Terminating) != self.terminated_at.is_some() {
            return Err(Error::invalid("time of termination", "it is there exactly while terminating"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
