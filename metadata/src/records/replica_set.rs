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
/// So many runs of an agent that gave way are remembered.
const MOST_FORMER: usize = 8;

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
    /// Runs of agents that gave way to a later run of their name. Who still calls as one of them is a second agent of
    /// that name, not a former life.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Run>,
}

/// A start of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Run(#[serde(with = "form::digits")] pub [u8; 8]);

/// What an agent is for a replica set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It reads it.
    Active,
    /// Another does.
    Standby,
    /// Another of its name does, which began later: two of one name run at once.
    Twin,
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
        if self.former.len() > MOST_FORMER {
            return Err(Error::invalid("former runs of an agent", format!("at most {MOST_FORMER} are kept")));
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
                former: old.map_or_else(Vec::new, |it| it.former.clone()),
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

    /// Makes an agent the active one of a replica set, or keeps it so; what it is then. A new run of the active agent
    /// takes over at once, and the run before it never comes back while the new one is heard of: so of two agents
    /// that run under one name the later one is active, and not both in turn.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn stand_for_agent(
        &self,
        group: GroupId,
        set: ReplicaSetId,
        agent: &Holder,
        now: UnixMillis,
    ) -> Result<Standing> {
        self.change::<ReplicaSet, _>(&ReplicaSet::id_of(group, set), |set| Ok(set.stand(agent, now)))
    }

    /// Ends the lease of the active agent of a replica set, which ends: whoever calls next is active at once. False, and
    /// nothing is changed, if another is active, or another run of it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn release_agent(
        &self,
        group: GroupId,
        set: ReplicaSetId,
        agent: &Holder,
        now: UnixMillis,
    ) -> Result<bool> {
        self.change::<ReplicaSet, _>(&ReplicaSet::id_of(group, set), |set| Ok(set.release(agent, now)))
    }
}

impl ReplicaSet {
    fn stand(&mut self, agent: &Holder, now: UnixMillis) -> Standing {
        let run = Run(agent.incarnation);
        if let Some(lease) = self.active.as_ref().filter(|it| !it.is_of(agent)) {
            let gave_way = self.former.contains(&run);
            if !lease.is_over(now, ACTIVE_MS) && (gave_way || !lease.is_free_for(agent, now, ACTIVE_MS)) {
                let is_twin = gave_way && lease.holder == agent.name;
                return if is_twin { Standing::Twin } else { Standing::Standby };
            }
            let before = Run(lease.incarnation);
            if lease.holder == agent.name {
                self.former.push(before);
                let surplus = self.former.len().saturating_sub(MOST_FORMER);
                self.former.drain(..surplus);
            } else {
                self.former.clear();
            }
            self.former.retain(|it| *it != run);
        }
        self.active = Some(agent.lease(now, ACTIVE_MS));
        Standing::Active
    }

    /// The lease stays, over, so that it is still known who was the last to read the set.
    fn release(&mut self, agent: &Holder, now: UnixMillis) -> bool {
        let own = self.active.as_mut().filter(|it| it.is_of(agent));
        own.map(|lease| lease.until = lease.until.min(now)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Subject;

    fn set() -> ReplicaSet {
        ReplicaSet {
            group: GroupId::from_bytes([1; 12]),
            id: ReplicaSetId::from_bytes([2; 12]),
            name: SetName::new("rs0").unwrap(),
            seeds: vec![Seed { host: HostName::new("db1").unwrap(), port: 27017 }],
            created_at: UnixMillis(0),
            active: None,
            sight: None,
            former: Vec::new(),
        }
    }

    fn agent(name: &str, run: u8) -> Holder {
        Holder { name: Subject::new(name).unwrap(), incarnation: [run; 8] }
    }

    #[test]
    fn of_two_agents_of_one_name_the_later_one_is_active_and_not_both_in_turn() {
        let mut set = set();
        let (first, twin) = (agent("a", 1), agent("a", 2));
        assert_eq!(set.stand(&first, UnixMillis(0)), Standing::Active);
        assert_eq!(set.stand(&twin, UnixMillis(10)), Standing::Active, "as if the first had ended");
        for now in (20..10 * ACTIVE_MS).step_by(30_000) {
            assert_eq!(set.stand(&first, UnixMillis(now)), Standing::Twin);
            assert_eq!(set.stand(&twin, UnixMillis(now + 10)), Standing::Active);
        }
        assert_eq!(set.stand(&agent("b", 3), UnixMillis(10 * ACTIVE_MS)), Standing::Standby);
        // The later one ends: the first takes over when the lease is over, as any would.
        let over = UnixMillis(12 * ACTIVE_MS);
        assert_eq!(set.stand(&first, over), Standing::Active);
        assert_eq!(set.stand(&twin, UnixMillis(over.0 + 10)), Standing::Twin);
        assert_eq!(set.stand(&agent("a", 4), UnixMillis(over.0 + 20)), Standing::Active, "a new life");
        assert_eq!(set.stand(&first, UnixMillis(over.0 + 30)), Standing::Twin);
    }

    #[test]
    fn an_agent_that_ends_makes_room_for_another_and_for_no_run_of_its_own_that_went_before() {
        let mut set = set();
        let (first, second, other) = (agent("a", 1), agent("a", 2), agent("b", 3));
        assert!(!set.release(&first, UnixMillis(0)), "nothing is its own yet");
        set.stand(&first, UnixMillis(0));
        set.stand(&second, UnixMillis(10));
        assert!(!set.release(&first, UnixMillis(20)) && !set.release(&other, UnixMillis(20)));
        assert_eq!(set.stand(&other, UnixMillis(30)), Standing::Standby);
        assert!(set.release(&second, UnixMillis(40)) && set.release(&second, UnixMillis(50)), "told twice");
        assert_eq!(set.active.as_ref().unwrap().until, UnixMillis(40));
        assert_eq!(set.stand(&other, UnixMillis(60)), Standing::Active);
        assert!(!set.release(&second, UnixMillis(70)), "late");
        assert_eq!(set.stand(&second, UnixMillis(80)), Standing::Standby);
    }

    #[test]
    fn the_memory_of_former_runs_is_bounded() {
        let mut set = set();
        for run in 0..100 {
            assert_eq!(set.stand(&agent("a", run), UnixMillis(run.into())), Standing::Active);
            set.check().unwrap();
        }
        assert_eq!(set.former.len(), MOST_FORMER);
        assert_eq!(set.stand(&agent("b", 1), UnixMillis(2 * ACTIVE_MS)), Standing::Active);
        assert_eq!(set.former, []);
    }
}
