//! Where what belongs to a replica set is kept, and whether anything may be sent for it now.

use super::caller::OfSet;
use super::refused::{Refused, Result};
use crate::site::Parts;
use tidemark_base::protocol::{Code, Task};
use tidemark_head::head::HeadName;
use tidemark_metadata::{BackupConfig, GroupId, ReplicaSetId, Status};
use tidemark_oplog::store::SliceStore;
use tidemark_oplog::store::initial_sync::SyncStore;

/// A replica set's part of the stores.
pub(crate) struct Place {
    pub(crate) of: OfSet,
    pub(crate) config: BackupConfig,
    pub(crate) slices: SliceStore,
    pub(crate) syncs: SyncStore,
}

impl Place {
    /// The place of a set that its group knows.
    pub(crate) fn find(parts: &Parts, of: OfSet) -> Result<Self> {
        let found = parts.metadata.find::<BackupConfig>(&BackupConfig::id_of(of.group, of.set))?;
        let unknown =
            || Refused::new(Code::NotFound, "this replica set is not known yet: send a conf call first");
        let config = found.ok_or_else(unknown)?.record;
        let name = head_name(of.group, of.set);
        Ok(Self { of, config, slices: name.slices(&parts.store), syncs: name.syncs(&parts.store) })
    }

    /// The same, if its backup runs.
    pub(crate) fn running(parts: &Parts, of: OfSet) -> Result<Self> {
        let place = Self::find(parts, of)?;
        match task(place.config.status) {
            Task::Rest => {
                let status = place.config.status.as_str();
                let message = format!("the backup of this replica set is {status}: nothing is taken for it");
                Err(Refused::new(Code::Stopped, message))
            }
            Task::Copy | Task::Tail => Ok(place),
        }
    }

    /// The same, if a copy is wanted.
    pub(crate) fn copying(parts: &Parts, of: OfSet) -> Result<Self> {
        let place = Self::running(parts, of)?;
        match task(place.config.status) {
            Task::Copy => Ok(place),
            _ => Err(Refused::new(Code::OtherSync, "no copy is wanted: the backup follows the oplog")),
        }
    }

    /// The same, if this copy is the one that is wanted.
    pub(crate) fn copying_by(parts: &Parts, of: OfSet, sync: u32) -> Result<Self> {
        let place = Self::copying(parts, of)?;
        if !place.config.copies.count(sync) {
            let message = format!("copy {sync} is of no use any more: a new one was ordered since it began");
            return Err(Refused::new(Code::OtherSync, message));
        }
        Ok(place)
    }
}

/// The head of a set. The group is one of the name's parts, so no group's agent reaches another's.
pub(crate) fn head_name(group: GroupId, set: ReplicaSetId) -> HeadName {
    HeadName::new(&group.to_string(), &set.to_string()).expect("hexadecimal digits are plain")
}

/// What there is to do for a backup.
pub(crate) const fn task(status: Status) -> Task {
    match status {
        Status::Provisioning => Task::Copy,
        Status::Started => Task::Tail,
        Status::Inactive | Status::Stopped | Status::Terminating => Task::Rest,
    }
}
