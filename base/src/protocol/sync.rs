//! Initial syncs: what is copied, and how far the copy is.

use super::{Task, Tip};
use crate::{CollectionUuid, OpTime, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a replica set stands, durably: `GET /agent/v1/sets/{id}`. An agent goes on from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetState {
    /// What there is to do.
    pub task: Task,
    /// The end of its oplog; none if none was begun.
    pub tip: Option<Tip>,
    /// The last copy; none if none was begun.
    pub sync: Option<Sync>,
}

/// A copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sync {
    /// Its number, from 1.
    pub number: u32,
    /// The entry of the source's oplog at which it began.
    pub at: OpTime,
    /// The entry it ended at: no copy has seen anything behind it. None while it is under way.
    pub until: Option<Timestamp>,
    /// Whether it is of use: a new one has not been ordered since.
    pub is_wanted: bool,
    /// Its collections.
    pub collections: Vec<SyncCollection>,
}

/// How far the copy of a collection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncCollection {
    /// Which.
    pub uuid: CollectionUuid,
    /// The database it was in when it was described.
    pub database: String,
    /// The name it had then.
    pub name: String,
    /// The scan that is under way, from 1.
    pub scan: u32,
    /// The batch of it that is expected next, from 0.
    pub next: u32,
    /// Whether the scan has come to its end.
    pub is_done: bool,
    /// Documents in all batches.
    pub documents: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// Where the scan may be gone on with.
    pub resume: Option<ResumePoint>,
}

/// Where a scan may be gone on with: on that member only, since record ids differ between members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumePoint {
    /// The member, as the agent names it.
    pub node: String,
    /// Its token, in base64.
    pub token: String,
}

/// Begins a copy, and the oplog after it: `POST /agent/v1/sets/{id}/syncs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginSync {
    /// The last copy as the agent knows it.
    pub after: Option<u32>,
    /// The entry of the source's oplog at which this one begins.
    pub at: OpTime,
}

/// Begins the next scan of a collection: `POST …/collections/{uuid}/rescan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rescan {
    /// The scan that cannot be gone on with.
    pub scan: u32,
}

/// Ends the scan of a collection: `POST …/collections/{uuid}/end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndScan {
    /// The scan.
    pub scan: u32,
    /// How many batches it had.
    pub batches: u32,
}

/// Ends a copy: `POST /agent/v1/sets/{id}/syncs/{number}/end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndSync {
    /// An entry behind everything that the copies can have seen.
    pub until: Timestamp,
}
