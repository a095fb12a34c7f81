//! A backup of a replica set by a whole installation, as an operator sees it: its status, snapshots, events, restores.

use crate::state::State;
use mongodb::sync::Client;
use serde_json::{Value, json};
use std::time::Duration;
use tidemark_base::Timestamp;
use tidemark_testkit::live::tools::Target;
use tidemark_testkit::live::{Mongod, ReplicaSet};
use tidemark_testkit::service::{Installation, restore_into, wait_for};
use tidemark_testkit::workload::Stage;

pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A replica set that an agent has made known.
pub(crate) struct Backup {
    pub(crate) installation: Installation,
    set: String,
}

impl Backup {
    /// Waits until an agent has made a set known, and starts its backup.
    pub(crate) fn start(installation: Installation) -> Self {
        let backup = Self::known(installation);
        backup.change(&json!({"statusName": "STARTED"}));
        backup
    }

    /// Waits until an agent has made a set known.
    pub(crate) fn known(installation: Installation) -> Self {
        let path = format!("/groups/{}/clusters", installation.group);
        let set = wait_for("the replica set to be known", PATIENCE, || {
            let sets = installation.api.get(&path)?;
            Ok(sets.pointer("/results/0/id").and_then(Value::as_str).map(ToOwned::to_owned))
        });
        Self { installation, set: set.unwrap() }
    }

    fn config(&self) -> String {
        format!("/groups/{}/backupConfigs/{}", self.installation.group, self.set)
    }

    /// Changes how it is backed up.
    pub(crate) fn change(&self, changes: &Value) {
        self.installation.api.patch(&self.config(), changes).unwrap();
    }

    fn of_set(&self, rest: &str) -> String {
        format!("/groups/{}/clusters/{}/{rest}", self.installation.group, self.set)
    }

    fn results(&self, path: &str) -> Vec<Value> {
        let found = self.installation.api.get(&format!("{path}?itemsPerPage=500")).unwrap();
        found.get("results").and_then(Value::as_array).cloned().unwrap()
    }

    /// Waits for a status.
    pub(crate) fn await_status(&self, wanted: &str) {
        wait_for(&format!("the status {wanted}"), PATIENCE, || {
            let config = self.installation.api.get(&self.config())?;
            Ok((config.get("statusName").and_then(Value::as_str) == Some(wanted)).then_some(()))
        })
        .unwrap();
    }

    /// What events there are: their kinds and texts, newest first.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let events = self.results(&format!("/groups/{}/events", self.installation.group));
        let field = |event: &Value, name: &str| event.get(name).and_then(Value::as_str).unwrap().to_owned();
        events.iter().map(|it| (field(it, "eventTypeName"), field(it, "text"))).collect()
    }

    /// The texts of the events of a kind.
    pub(crate) fn told(&self, kind: &str) -> Vec<String> {
        self.events().into_iter().filter(|(it, _)| it == kind).map(|(_, text)| text).collect()
    }

    /// Waits until there are more events of a kind than so many; the newest one's text.
    pub(crate) fn await_event(&self, kind: &str, more_than: usize) -> String {
        wait_for(&format!("an event {kind}"), PATIENCE, || {
            let told = self.told(kind);
            Ok((told.len() > more_than).then(|| told.into_iter().next().unwrap()))
        })
        .unwrap_or_else(|error| panic!("{error}; there are {:#?}", self.events()))
    }

    /// The agents that have called.
    pub(crate) fn agents(&self) -> Vec<Value> {
        self.results(&format!("/groups/{}/agents", self.installation.group))
    }

    /// The name of the agent that works.
    pub(crate) fn active_agent(&self) -> Option<String> {
        let agents = self.agents();
        let is_active = |it: &&Value| it.get("stateName").and_then(Value::as_str) == Some("ACTIVE");
        agents.iter().find(is_active).and_then(|it| Some(it.get("id")?.as_str()?.to_owned()))
    }

    /// All snapshots, newest first.
    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        self.results(&self.of_set("snapshots")).iter().map(Snapshot::of).collect()
    }

    /// Orders snapshots until there is one of this moment or a later one.
    pub(crate) fn snapshot_since(&self, at: Timestamp) -> Snapshot {
        let path = self.of_set("snapshots");
        wait_for(&format!("a snapshot since {at}"), PATIENCE, || {
            let newest = self.snapshots().into_iter().find(|it| !it.is_rolled_back);
            if let Some(found) = newest.filter(|it| it.at >= at) {
                return Ok(Some(found));
            }
            // Refused while a copy is made.
            let _ = self.installation.api.post(&path, &json!({}));
            Ok(None)
        })
        .unwrap_or_else(|error| panic!("{error}; there are {:#?}", self.events()))
    }

    /// Waits until all snapshots are proven; nothing in them may be in doubt.
    pub(crate) fn await_proofs(&self) {
        wait_for("all snapshots to be proven", PATIENCE, || {
            Ok(self.snapshots().iter().all(|it| it.is_proven).then_some(()))
        })
        .unwrap();
        assert!(self.snapshots().iter().all(|it| it.divergences == 0), "{:?}", self.snapshots());
    }

    /// What a server holds that this is restored into. What is not there yet comes with the oplog.
    pub(crate) fn restored(&self, wish: &Value) -> State {
        self.restored_and(wish, State::now)
    }

    /// What is found in a server that this is restored into.
    pub(crate) fn restored_and(&self, wish: &Value, look: impl FnOnce(&Client) -> State) -> State {
        // As the source may be started: what such a one makes of a clustered collection, no other takes.
        let target = Mongod::standalone(&Stage::options()).unwrap();
        let mut refused = String::new();
        let restored = wait_for("a restore", PATIENCE, || {
            match restore_into(&self.installation, &self.set, wish, &Target::from(&target)) {
                Ok(_) => Ok(Some(())),
                Err(error) => {
                    refused = error.to_string();
                    Ok(None)
                }
            }
        });
        restored.unwrap_or_else(|error| panic!("{error}: {refused}"));
        look(&target.client().unwrap())
    }

    /// What is restored of now is what the source holds, which nobody writes to.
    #[track_caller]
    pub(crate) fn assert_is_as(&self, source: &ReplicaSet, what: &str) {
        let at = source.wait_majority_committed().unwrap().ts;
        let held = State::now(&source.client().unwrap());
        assert!(held.len() > 0);
        held.assert_same(&self.restored(&json!({"timestamp": moment(at)})), what);
    }
}

/// A moment as the API takes it.
pub(crate) fn moment(at: Timestamp) -> Value {
    let date = bson::DateTime::from_millis(i64::from(at.secs) * 1000).try_to_rfc3339_string().unwrap();
    json!({"date": date, "increment": at.ordinal})
}

/// A snapshot as the API shows it.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) is_proven: bool,
    pub(crate) is_rolled_back: bool,
    pub(crate) divergences: u64,
}

impl Snapshot {
    fn of(shown: &Value) -> Self {
        let text = |path: &str| shown.pointer(path).and_then(Value::as_str).unwrap();
        let number = |path: &str| shown.pointer(path).and_then(Value::as_u64).unwrap();
        let date = bson::DateTime::parse_rfc3339_str(text("/created/date")).unwrap();
        let secs = u32::try_from(date.timestamp_millis() / 1000).unwrap();
        Self {
            id: text("/id").to_owned(),
            at: Timestamp { secs, ordinal: u32::try_from(number("/created/increment")).unwrap() },
            is_proven: text("/stateName") == "PROVEN",
            is_rolled_back: shown["isRolledBack"] == true,
            divergences: number("/divergences"),
        }
    }

    /// The wish to have it restored.
    pub(crate) fn wish(&self) -> Value {
        json!({"snapshotId": self.id})
    }
}
