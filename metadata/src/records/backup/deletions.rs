//! Snapshots that somebody wants deleted: noted in their backup's record, and undone there for a day.
//!
//! The front-end notes and undoes, the daemon deletes and forgets. The notes are in the record, not in the store of
//! blocks, so that whoever loses the records loses an order to delete and no snapshot. Which of them may be deleted at
//! all is [`crate::rules::retention::may_be_deleted`].

use super::{BackupConfig, Status, is_past_undoing};
use crate::error::{Error, Result};
use crate::words::{SnapshotName, form};
use serde::{Deserialize, Serialize};
use tidemark_base::UnixMillis;
use tidemark_base::limits::MAX_DELETED_SNAPSHOTS;

/// A snapshot whose deletion was ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletedSnapshot {
    /// Which.
    pub name: SnapshotName,
    /// When that was ordered.
    #[serde(with = "form::millis")]
    pub at: UnixMillis,
}

impl DeletedSnapshot {
    /// Whether it can no longer be undone, as the time has it: see [`BackupConfig::may_be_deleted`].
    #[must_use]
    pub const fn is_due(&self, now: UnixMillis) -> bool {
        is_past_undoing(self.at, now)
    }
}

impl BackupConfig {
    /// When the deletion of a snapshot was ordered, if it was.
    #[must_use]
    pub fn deletion_of(&self, name: &str) -> Option<&DeletedSnapshot> {
        self.deleted_snapshots.iter().find(|it| it.name.as_str() == name)
    }

    /// Orders the deletion of a snapshot. Ordered already, it is as it was.
    ///
    /// # Errors
    /// `Invalid` while too many wait, or if everything will be deleted anyway.
    pub fn order_deletion(&mut self, name: &SnapshotName, now: UnixMillis) -> Result<()> {
        if self.deletion_of(name.as_str()).is_some() {
            return Ok(());
        }
        match self.status {
            Status::Terminating => {
                let advice = "wait, or undo the termination first";
                return Err(Error::refused("everything of this backup will be deleted", advice));
            }
            // No daemon works for it.
            Status::Inactive => {
                return Err(Error::refused("this backup was never started", "start it first"));
            }
            Status::Provisioning | Status::Started | Status::Stopped => {}
        }
        if self.deleted_snapshots.len() >= MAX_DELETED_SNAPSHOTS {
            let what = format!("{MAX_DELETED_SNAPSHOTS} snapshots wait for their deletion already");
            return Err(Error::refused(what, "shorten the retention instead, or wait"));
        }
        self.deleted_snapshots.push(DeletedSnapshot { name: name.clone(), at: now });
        Ok(())
    }

    /// Undoes that.
    ///
    /// # Errors
    /// `Invalid` if nobody ordered it, or its day is over: the daemon may be at it.
    pub fn undo_deletion(&mut self, name: &SnapshotName, now: UnixMillis) -> Result<()> {
        match self.deletion_of(name.as_str()) {
            None => Err(Error::refused("the deletion of this snapshot was not ordered", "look again")),
            Some(order) if order.is_due(now) => Err(Error::refused(
                "the day in which this deletion could be undone is over",
                "restore another one",
            )),
            Some(_) => {
                self.forget_deletion(name);
                Ok(())
            }
        }
    }

    /// Forgets an order, since the snapshot is gone.
    pub fn forget_deletion(&mut self, name: &SnapshotName) {
        self.deleted_snapshots.retain(|it| it.name != *name);
    }

    pub(super) fn check_deletions(&self) -> Result<()> {
        if self.deleted_snapshots.len() > MAX_DELETED_SNAPSHOTS {
            let problem = format!("at most {MAX_DELETED_SNAPSHOTS} at once");
            return Err(Error::invalid("snapshots to be deleted", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Ordered, TERMINATION_UNDO_MS};
    use super::*;
    use crate::record::Record as _;
    use crate::words::{GroupId, ReplicaSetId};

    fn name(number: usize) -> SnapshotName {
        SnapshotName::new(format!("{number:016x}")).unwrap()
    }

    #[test]
    fn the_deletion_of_a_snapshot_is_undone_for_a_day() {
        let mut backup = BackupConfig::new(GroupId::from_bytes([1; 12]), ReplicaSetId::from_bytes([2; 12]));
        assert!(backup.order_deletion(&name(1), UnixMillis(0)).is_err(), "never started");
        backup.status = Status::Stopped;
        backup.order_deletion(&name(1), UnixMillis(1000)).unwrap();
        backup.order_deletion(&name(1), UnixMillis(5000)).unwrap();
        let order = backup.deletion_of(name(1).as_str()).unwrap().clone();
        assert_eq!(order.at, UnixMillis(1000), "the first order counts");
        assert!(!order.is_due(UnixMillis(999 + TERMINATION_UNDO_MS)));
        assert!(order.is_due(UnixMillis(1000 + TERMINATION_UNDO_MS)));
        assert!(backup.undo_deletion(&name(1), UnixMillis(1000 + TERMINATION_UNDO_MS)).is_err(), "too late");
        backup.undo_deletion(&name(1), UnixMillis(999 + TERMINATION_UNDO_MS)).unwrap();
        assert!(backup.deletion_of(name(1).as_str()).is_none());
        assert!(backup.undo_deletion(&name(1), UnixMillis(5000)).is_err());
        for number in 0..MAX_DELETED_SNAPSHOTS {
            backup.order_deletion(&name(number), UnixMillis(0)).unwrap();
        }
        assert!(backup.order_deletion(&name(MAX_DELETED_SNAPSHOTS), UnixMillis(0)).is_err());
        backup.check().unwrap();
        assert!(crate::record::encode(&backup).unwrap().len() < tidemark_base::limits::MAX_RECORD_BYTES / 2);
    }

    #[test]
    fn the_next_backup_begins_without_orders_of_the_last() {
        let mut backup = BackupConfig::new(GroupId::from_bytes([1; 12]), ReplicaSetId::from_bytes([2; 12]));
        backup.status = Status::Stopped;
        backup.order_deletion(&name(1), UnixMillis(0)).unwrap();
        backup.set_status(Status::Terminating, Ordered::ByUser, UnixMillis(0)).unwrap();
        assert!(backup.order_deletion(&name(2), UnixMillis(0)).is_err());
        backup.set_status(Status::Inactive, Ordered::ByService, UnixMillis(TERMINATION_UNDO_MS)).unwrap();
        assert_eq!(backup.deleted_snapshots, []);
    }
}
