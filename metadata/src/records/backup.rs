//! What is backed up and how: one record for each replica set, and the life of a backup.
//!
//! A backup is ended in two steps: it is stopped, then terminated, and for a day that can be undone. A change
//! that is not in the table below is refused, whoever asks.

use super::Happening;
use crate::error::{Error, Result};
use crate::metadata::{Batch, Metadata};
use crate::record::Record;
use crate::rules::retention::Retention;
use crate::rules::schedule::Schedule;
use crate::secret::{Sealed, SealingKey, Secret};
use crate::store::Collection;
use crate::words::{GroupId, Namespace, ReplicaSetId, form};
use serde::{Deserialize, Serialize};
use tidemark_base::limits::MAX_NAMESPACES;
use tidemark_base::{Entropy, UnixMillis};

/// For how long a termination can be undone.
pub const TERMINATION_UNDO_MS: u64 = 24 * 3_600_000;
/// How far back any second can be restored, if nothing else is said, in hours.
pub const PITR_WINDOW_HOURS: u16 = 24;

/// Where a backup stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Never started, or ended for good.
    Inactive,
    /// The first copy is being made, or a new one.
    Provisioning,
    /// Following the oplog.
    Started,
    /// At rest; snapshots stay.
    Stopped,
    /// Everything will be deleted; undone until then by stopping.
    Terminating,
}

/// Who wants a change of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// A person or an API client.
    ByUser,
    /// The service: work has been done, or cannot go on.
    ByService,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Inactive, Self::Provisioning, Self::Started, Self::Stopped, Self::Terminating];

    /// Whether this change is in the table.
    #[must_use]
    pub const fn may_become(self, next: Self, ordered: Ordered) -> bool {
        use Status::{Inactive, Provisioning, Started, Stopped, Terminating};
        match ordered {
            // Start; resync; stop; resume; terminate; undo.
            Ordered::ByUser => matches!(
                (self, next),
                (Inactive | Started, Provisioning)
                    | (Provisioning | Started | Terminating, Stopped)
                    | (Stopped, Started | Provisioning | Terminating)
            ),
            // The copy is complete; a new one is needed; everything is deleted.
            Ordered::ByService => {
                matches!(
                    (self, next),
                    (Provisioning, Started) | (Started, Provisioning) | (Terminating, Inactive)
                )
            }
        }
    }

    /// The name that people know.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "INACTIVE",
            Self::Provisioning => "PROVISIONING",
            Self::Started => "STARTED",
            Self::Stopped => "STOPPED",
            Self::Terminating => "TERMINATING",
        }
    }
}

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

    /// Whether it was terminated long enough ago to be deleted. By a clock that went steadily: see
    /// [`crate::rules::clock_watch::ClockWatch::steady`].
    #[must_use]
    pub fn may_be_deleted(&self, now: UnixMillis) -> bool {
        self.terminated_at.is_some_and(|it| now.0 >= it.0.saturating_add(TERMINATION_UNDO_MS))
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
mod tests {
    use super::*;
    use Status::{Inactive, Provisioning, Started, Stopped, Terminating};

    fn config() -> BackupConfig {
        BackupConfig::new(GroupId::from_bytes([1; 12]), ReplicaSetId::from_bytes([2; 12]))
    }

    #[test]
    fn the_whole_table_of_changes() {
        let allowed = |ordered| {
            let all = Status::ALL.into_iter().flat_map(|from| Status::ALL.map(|to| (from, to)));
            all.filter(move |(from, to)| from.may_become(*to, ordered)).collect::<Vec<_>>()
        };
        assert_eq!(
            allowed(Ordered::ByUser),
            [
                (Inactive, Provisioning),
                (Provisioning, Stopped),
                (Started, Provisioning),
                (Started, Stopped),
                (Stopped, Provisioning),
                (Stopped, Started),
                (Stopped, Terminating),
                (Terminating, Stopped),
            ]
        );
        assert_eq!(
            allowed(Ordered::ByService),
            [(Provisioning, Started), (Started, Provisioning), (Terminating, Inactive)]
        );
    }

    #[test]
    fn a_termination_can_be_undone_for_a_day() {
        let mut backup = config();
        let now = UnixMillis(1000);
        for (next, ordered) in
            [(Provisioning, Ordered::ByUser), (Started, Ordered::ByService), (Stopped, Ordered::ByUser)]
        {
            backup.set_status(next, ordered, now).unwrap();
        }
        backup.set_status(Terminating, Ordered::ByUser, now).unwrap();
        backup.check().unwrap();
        let day = UnixMillis(1000 + TERMINATION_UNDO_MS);
        assert!(!backup.may_be_deleted(UnixMillis(day.0 - 1)) && backup.may_be_deleted(day));
        let mut early = backup.clone();
        let error = early.set_status(Inactive, Ordered::ByService, UnixMillis(day.0 - 1)).unwrap_err();
        assert!(error.to_string().contains("24 hours"), "{error}");
        let mut undone = backup.clone();
        undone.set_status(Stopped, Ordered::ByUser, now).unwrap();
        assert_eq!((undone.status, undone.terminated_at, undone.may_be_deleted(day)), (Stopped, None, false));
        backup.set_status(Inactive, Ordered::ByService, day).unwrap();
        assert_eq!((backup.status, backup.terminated_at), (Inactive, None));
    }

    #[test]
    fn what_the_table_lacks_is_refused_and_changes_nothing() {
        let mut backup = config();
        for next in [Started, Stopped, Terminating, Inactive] {
            let before = backup.clone();
            assert!(backup.set_status(next, Ordered::ByUser, UnixMillis(0)).is_err());
            assert_eq!(backup, before);
        }
        backup.set_status(Provisioning, Ordered::ByUser, UnixMillis(0)).unwrap();
        let error = backup.set_status(Terminating, Ordered::ByUser, UnixMillis(0)).unwrap_err();
        assert!(error.to_string().contains("stop it first"), "{error}");
    }

    #[test]
    fn an_order_for_a_copy_makes_those_before_it_worthless() {
        let mut backup = config();
        assert!(backup.copies.count(1));
        backup.set_status(Provisioning, Ordered::ByUser, UnixMillis(0)).unwrap();
        assert!(!backup.copies.count(1) && !backup.copies.count(u32::MAX));
        backup.copies = Copies::From(3);
        assert!(!backup.copies.count(2) && backup.copies.count(3) && backup.copies.count(4));
        assert!(backup.order_copy(UnixMillis(0)).unwrap());
        assert!(!backup.order_copy(UnixMillis(0)).unwrap(), "ordered and not begun");
        backup.copies = Copies::From(4);
        backup.set_status(Started, Ordered::ByService, UnixMillis(0)).unwrap();
        assert_eq!(backup.copies, Copies::From(4));
        assert!(backup.order_copy(UnixMillis(0)).unwrap());
        assert_eq!((backup.status, backup.copies), (Provisioning, Copies::None));
        backup.set_status(Stopped, Ordered::ByUser, UnixMillis(0)).unwrap();
        assert!(backup.order_copy(UnixMillis(0)).is_err());
    }

    #[test]
    fn a_connection_is_sealed_for_its_own_backup() {
        let key = SealingKey::from_bytes(&[5; 32]);
        let secret = Secret::new(b"mongodb://backup:hunter2@db1/".to_vec()).unwrap();
        let mut backup = config();
        backup.set_connection(Some(&secret), &key, &mut tidemark_base::SeededEntropy::new(1));
        assert_eq!(backup.open_connection(&key).unwrap(), Some(secret));
        let text = crate::record::encode(&backup).unwrap();
        assert!(!text.contains("hunter2") && !format!("{backup:?}").contains("hunter2"));
        let moved = BackupConfig { group: GroupId::from_bytes([9; 12]), ..backup };
        assert!(moved.open_connection(&key).is_err(), "another group's record does not open it");
    }

    #[test]
    fn fields_that_contradict_each_other_are_refused() {
        let many = vec![Namespace::new("a.b").unwrap(); MAX_NAMESPACES + 1];
        for bad in [
            BackupConfig { pitr_window_hours: 0, ..config() },
            BackupConfig { pitr_window_hours: 745, ..config() },
            BackupConfig { excluded_namespaces: many, ..config() },
            BackupConfig { terminated_at: Some(UnixMillis(1)), ..config() },
            BackupConfig { status: Terminating, ..config() },
            BackupConfig { throttle_bytes_per_second: Some(0), ..config() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        config().check().unwrap();
    }
}
