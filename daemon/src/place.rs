//! What a job is about: a group's replica set, its backup, and its head.

use crate::error::{DaemonError, Result};
use tidemark_head::head::HeadName;
use tidemark_metadata::{BackupConfig, GroupId, Job, Metadata, ReplicaSetId, Subject};

/// A replica set's place in metadata and store.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) group: GroupId,
    pub(crate) set: ReplicaSetId,
    /// As jobs and events name it.
    pub(crate) subject: Subject,
    pub(crate) name: HeadName,
}

impl Place {
    pub(crate) fn new(group: GroupId, set: ReplicaSetId) -> Result<Self> {
        let subject = Subject::new(set.to_string())?;
        let name = HeadName::new(&group.to_string(), subject.as_str())?;
        Ok(Self { group, set, subject, name })
    }

    /// That of a job whose subject is a replica set.
    pub(crate) fn of(job: &Job) -> Result<Self> {
        let set: Option<ReplicaSetId> = job.subject.as_str().parse().ok();
        match (job.group, set) {
            (Some(group), Some(set)) => Self::new(group, set),
            _ => Err(bad_subject(job)),
        }
    }

    /// The subject of the proof of a snapshot.
    pub(crate) fn proof(&self, id: u64) -> Result<Subject> {
        Ok(Subject::new(format!("{}:{id:016x}", self.subject))?)
    }

    /// That of a job whose subject is a snapshot's proof, and the snapshot.
    pub(crate) fn of_proof(job: &Job) -> Result<(Self, u64)> {
        let parts = job.subject.as_str().split_once(':');
        let set = parts.and_then(|(set, _)| set.parse().ok());
        let id = parts.and_then(|(_, id)| u64::from_str_radix(id, 16).ok());
        match (job.group, set, id) {
            (Some(group), Some(set), Some(id)) => Ok((Self::new(group, set)?, id)),
            _ => Err(bad_subject(job)),
        }
    }

    /// The backup, if there is one.
    pub(crate) fn backup(&self, metadata: &Metadata) -> Result<Option<BackupConfig>> {
        let id = BackupConfig::id_of(self.group, self.set);
        Ok(metadata.find::<BackupConfig>(&id)?.map(|stored| stored.record))
    }
}

pub(crate) fn bad_subject(job: &Job) -> DaemonError {
    use tidemark_metadata::Record;
    DaemonError::BadSubject { job: job.id() }
}
