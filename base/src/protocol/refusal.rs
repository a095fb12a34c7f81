//! What is answered instead, when something cannot be done.

use super::{SyncCollection, Tip};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refusal {
    /// Why, for programs.
    pub code: Code,
    /// Why, and what to do, for people.
    pub message: String,
    /// With [`Code::NotNext`], [`Code::Fork`]: the end of the oplog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tip: Option<Tip>,
    /// With [`Code::OtherBatch`]: how far the collection is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<SyncCollection>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Code {
    /// No key, or one that is unknown (401).
    UnknownKey,
    /// It is not understood, or not sound (400).
    Invalid,
    /// There is no such thing (404).
    NotFound,
    /// A slice leaves a gap after the tip or overlaps with what is there (409).
    NotNext,
    /// A slice, or a fork, does not go on from what is there (409).
    Fork,
    /// A batch is not the one that is expected (409).
    OtherBatch,
    /// The copy is not the present one, or has ended (409).
    OtherSync,
    /// Something is still missing from the copy (409).
    NotDone,
    /// The backup is not started, or was stopped (409).
    Stopped,
    /// Another agent, or a later start of this one, reads the replica set (409).
    NotActive,
    /// A body is too large (413).
    TooLarge,
    /// It took too long (408).
    TooSlow,
    /// Too many requests at once, or others came first: try again later (429, 503).
    Busy,
    /// The store has no room left (507).
    NoSpace,
    /// The fault is the server's (500).
    Internal,
}
