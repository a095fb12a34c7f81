//! The oplog: where it ends in the store, and what to do when the source's no longer goes on from there.

use crate::OpTime;
use serde::{Deserialize, Serialize};

/// The durable end of a replica set's oplog in the store: what an agent goes on from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tip {
    /// The number of its chain; a new one begins after a fork or a new copy.
    pub chain: u32,
    /// The last entry.
    pub at: OpTime,
    /// The digest that the next slice must name, 64 hexadecimal digits.
    pub digest: String,
    /// BLAKE3 of the last entry's BSON, in hexadecimal digits, to compare with the source's; none where a chain begins.
    pub entry: Option<String>,
}

/// The end of a slice: `GET /agent/v1/sets/{id}/ends?before={ts}` answers with some, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct End {
    /// Its last entry.
    pub at: OpTime,
    /// BLAKE3 of that entry's BSON, in hexadecimal digits.
    pub entry: String,
}

/// The source has rolled back: its oplog goes on from an earlier entry. `POST /agent/v1/sets/{id}/fork`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForkRequest {
    /// The chain as the agent knows it.
    pub chain: u32,
    /// Where it ends.
    pub tip: OpTime,
    /// The newest end of a slice that the source has, too.
    pub common: End,
}

/// The source's oplog cannot be gone on with at all: `POST /agent/v1/sets/{id}/lost`. A new copy is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LostRequest {
    /// The chain as the agent knows it; one that is no longer the present one is lost already.
    pub chain: u32,
    /// Where it ends.
    pub tip: OpTime,
    /// Why.
    pub reason: LostReason,
    /// The same in words, with the positions it was seen at.
    pub detail: String,
}

/// Why an oplog cannot be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LostReason {
    /// The source no longer has the entries after the tip.
    FellOff,
    /// The source has no entry of those that are stored.
    NoCommonPoint,
}
