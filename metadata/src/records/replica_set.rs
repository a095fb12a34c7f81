//! Replica sets and their hosts, as agents report them.

use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::record::Record;
use crate::rules::lease::{Holder, Lease};
use crate::store::Collection;
use crate::words::{GroupId, HostId, HostName, ReplicaSetId, SetName, Text, form};
use serde::{Deserialize, Serialize};
use tidemark_base::limits::{MAX_PROBLEMS, MAX_SEEDS};
use tidemark_base::{OpTime, UnixMillis};

/// How long an agent is the active one of a replica set after it was last heard of.
const ACTIVE_MS: u64 = 90_000;

/// A member of a replica set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// Its group.
    pub group: GroupId,
    /// Its name or address.
    pub name: HostName,
    /// Its port.
    pub port: u16,
    /// The replica set it belongs to.
    pub replica_set: Option<ReplicaSetId>,
    /// What it last said it was, for instance `PRIMARY`.
    pub state: Text,
    /// The version of the server.
    pub version: Text,
    /// When it was last heard of.
    #[serde(with = "form::millis")]
    pub seen_at: UnixMillis,
}

impl Host {
    /// Its id: the same for the same name and port in the same group.
    #[must_use]
    pub fn host_id(&self) -> HostId {
        let address = format!("{}:{}:{}", self.group, self.name, self.port);
        let hash = blake3::derive_key("tidemark metadata v1 host id", address.as_bytes());
        let mut bytes = [0; 12];
        for (to, from) in bytes.iter_mut().zip(hash) {
            *to = from;
        }
        HostId::from_bytes(bytes)
    }
}

impl Record for Host {
    const COLLECTION: Collection = Collection::Host;
    const NAME: &'static str = "host";

    fn id(&self) -> String {
        format!("{}:{}", self.group, self.host_id())
    }

    fn key(&self) -> Option<String> {
        self.replica_set.map(|it| format!("{}:{it}", self.group))
    }

    fn check(&self) -> Result<()> {
        if self.port == 0 { Err(Error::invalid("port", "it is 1 to 65535")) } else { Ok(()) }
    }
}

/// A replica set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaSet {
    /// Its group.
    pub group: GroupId,
    /// Its own id, as its configuration has it.
    pub id: ReplicaSetId,
    /// Its name.
    pub name: SetName,
    /// Where it can be reached.
    pub seeds: Vec<Seed>,
    /// When it was first heard of.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
    /// Which agent reads it; the others stand by.
    pub active: Option<Lease>,
    /// How that agent sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sight: Option<Sight>,
}

/// A replica set as its active agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sight {
    /// When that was said.
    #[serde(with = "form::millis")]
    pub at: UnixMillis,
    /// The clock of the member that is read, then.
    #[serde(with = "form::maybe_millis")]
    pub source_clock: Option<UnixMillis>,
    /// The last entry that a majority has.
    pub majority: Option<OpTime>,
    /// The oldest entry of its oplog.
    pub oldest: Option<OpTime>,
    /// What is wrong with it.
    pub problems: Vec<Text>,
}

/// An address of a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// Name or address.
    pub host: HostName,
    /// Port.
    pub port: u16,
}

impl ReplicaSet {
    /// The id of its record.
    #[must_use]
    pub fn id_of(group: GroupId, id: ReplicaSetId) -> String {
        format!("{group}:{id}")
    }
}

impl Record for ReplicaSet {
    const COLLECTION: Collection = Collection::ReplicaSet;
    const NAME: &'static str = "replica set";

    fn id(&self) -> String {
        Self::id_of(self.group, self.id)
    }

    fn check(&self) -> Result<()> {
        if self.seeds.is_empty() || self.seeds.len() > MAX_SEEDS {
            let problem = format!("{} addresses, where 1 to {MAX_SEEDS} are allowed", self.seeds.len());
            return Err(Error::invalid("seeds", problem));
        }
        if self.sight.as_ref().is_some_and(|it| it.problems.len() > MAX_PROBLEMS) {
            return Err(Error::invalid("problems", format!("at most {MAX_PROBLEMS} are kept")));
        }
        Ok(())
    }
}

impl Metadata {
    /// Notes what an agent says of a replica set: makes it known, or brings name and addresses up to date.
    ///
    /// # Errors
    /// `Invalid` if there are no or too many addresses.
    pub fn report_replica_set(
        &self,
        group: GroupId,
        id: ReplicaSetId,
        name: &SetName,
        seeds: &[Seed],
        now: UnixMillis,
    ) -> Result<ReplicaSet> {
        self.upsert(&ReplicaSet::id_of(group, id), |old: Option<&ReplicaSet>| {
            Ok(ReplicaSet {
                group,
                id,
                name: name.clone(),
                seeds: seeds.to_vec(),
                created_at: old.map_or(now, |it| it.created_at),
                active: old.and_then(|it| it.active.clone()),
                sight: old.and_then(|it| it.sight.clone()),
            })
        })
    }

    /// Notes how the active agent of a replica set sees it.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if there are too many problems.
    pub fn note_sight(&self, group: GroupId, set: ReplicaSetId, sight: &Sight) -> Result<()> {
        self.change::<ReplicaSet, _>(&ReplicaSet::id_of(group, set), |set| {
            set.sight = Some(sight.clone());
            Ok(())
        })
    }

    /// Makes an agent the active one of a replica set, or keeps it so. Whether it is: if not, another is, and this
    /// one stands by.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn stand_for_agent(
        &self,
        group: GroupId,
        set: ReplicaSetId,
        agent: &Holder,
        now: UnixMillis,
    ) -> Result<bool> {
        self.change::<ReplicaSet, _>(&ReplicaSet::id_of(group, set), |set| {
            let mine =
                set.active.as_ref().is_none_or(|it| it.is_of(agent) || it.is_free_for(agent, now, ACTIVE_MS));
            if mine {
                set.active = Some(agent.lease(now, ACTIVE_MS));
            }
            Ok(mine)
        })
    }
}
