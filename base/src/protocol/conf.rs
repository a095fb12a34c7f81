//! The conf call: agents say what they see, and are told what to do.

use crate::OpTime;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an agent says, about once in half a minute: `POST /agent/v1/conf`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfRequest {
    /// What it calls itself: made once where it is installed.
    pub agent: String,
    /// Made anew at each start, 16 hexadecimal digits: what a former life held is free.
    pub incarnation: String,
    /// The host it runs on.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Its clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// Whether it only looks if all is well: nothing of it is noted then.
    pub is_check: bool,
    /// The replica sets that it can see.
    pub sets: Vec<SetReport>,
}

/// A replica set as an agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetReport {
    /// `settings.replicaSetId` of its configuration, 24 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its members, as its configuration names them.
    pub members: Vec<Member>,
    /// The clock of the member that is read, in milliseconds since 1970.
    pub source_clock_ms: Option<u64>,
    /// The last entry that a majority has.
    pub majority: Option<OpTime>,
    /// The oldest entry of its oplog.
    pub oldest: Option<OpTime>,
    /// What is wrong with it, in words.
    pub problems: Vec<String>,
}

/// A member of a replica set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its state, for instance `PRIMARY`.
    pub state: String,
    /// The version of the server; empty if it is not known.
    pub version: String,
}

/// An agent ends, and reads a replica set no longer: `POST /agent/v1/sets/{id}/release`. Answered with `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRequest {
    /// What it calls itself, as in its conf calls.
    pub agent: String,
    /// Which start of it.
    pub incarnation: String,
}

/// What an agent is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfResponse {
    /// The group of its key, 24 hexadecimal digits. An agent that was set up for another one stops.
    pub group: String,
    /// The server's clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// After how many milliseconds it should ask again.
    pub next_ms: u64,
    /// Orders for the sets it reported.
    pub sets: Vec<SetOrder>,
}

/// What is to be done about a replica set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetOrder {
    /// Which.
    pub id: String,
    /// Whether this agent reads it.
    pub role: Role,
    /// What there is to do.
    pub task: Task,
    /// Databases and collections that are left out.
    pub excluded_namespaces: Vec<String>,
    /// Which member is copied.
    pub sync_source: SyncSource,
    /// How fast a copy may go, in bytes of documents per second.
    pub throttle_bytes_per_second: Option<u64>,
    /// How to connect, where that was set here and not in the agent's own file.
    pub connection: Option<Connection>,
}

/// Whether an agent reads a replica set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// It does.
    Active,
    /// Another does; this one takes over when it is told.
    Standby,
}

/// What there is to do about a replica set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// Nothing: its backup is not started, or was stopped.
    Rest,
    /// Copy everything, and tail the oplog meanwhile.
    Copy,
    /// Tail the oplog.
    Tail,
}

/// Which member is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SyncSource {
    /// A secondary if there is one.
    Secondary,
    /// The primary.
    Primary,
    /// This member.
    Member(Address),
}

/// Where a server can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// How to connect to a replica set.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connection {
    /// Where.
    pub seeds: Vec<Address>,
    /// As whom; empty for nobody.
    pub user: String,
    /// With which password.
    pub password: String,
    /// The database that knows the user.
    pub auth_source: String,
    /// Who vouches for the servers, as PEM; none for a connection without TLS.
    pub ca_pem: Option<String>,
}

impl fmt::Debug for Connection {
    /// Without anything that opens a door.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}
