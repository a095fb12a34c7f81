//! Agents as they report themselves. Which of them is active for a replica set is in the set's record.

use crate::record::Record;
use crate::store::Collection;
use crate::words::{GroupId, HostName, Subject, Text, form};
use serde::{Deserialize, Serialize};
use tidemark_base::UnixMillis;

/// An agent that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agent {
    /// The group of its key.
    pub group: GroupId,
    /// What it calls itself: made once where it is installed.
    pub agent: Subject,
    /// The host it runs on.
    pub host: HostName,
    /// Its version.
    pub version: Text,
    /// When it last asked what to do.
    #[serde(with = "form::millis")]
    pub seen_at: UnixMillis,
    /// How far its clock was from ours then, in milliseconds; positive if its clock is ahead.
    pub clock_ahead_ms: i64,
}

impl Agent {
    /// The id of its record.
    #[must_use]
    pub fn id_of(group: GroupId, agent: &Subject) -> String {
        format!("{group}:{agent}")
    }
}

impl Record for Agent {
    const COLLECTION: Collection = Collection::Agent;
    const NAME: &'static str = "agent";

    fn id(&self) -> String {
        Self::id_of(self.group, &self.agent)
    }
}
