//! How far each backup is, read from the stores: for metrics.
//!
//! What is told are moments, not lags: whoever scrapes knows what time it is. A set that cannot be read is left out, and
//! the log says why.

use crate::ingest::head_name;
use crate::site::Parts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tidemark_head::head::look_up;
use tidemark_head::root::Root;
use tidemark_head::{HeadError, snapshot};
use tidemark_metadata::{BackupConfig, By, Error, GroupId, ReplicaSet, ReplicaSetId};

/// Most sets that are told of.
const MAX_SETS: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Set {
    group: String,
    set: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    group: String,
    set: String,
    status: &'static str,
}

#[derive(Default)]
struct Gauges {
    status: Family<Standing, Gauge>,
    agent: Family<Set, Gauge>,
    oplog: Family<Set, Gauge>,
    head: Family<Set, Gauge>,
    snapshot: Family<Set, Gauge>,
}

/// The figures of all sets, or of the first thousand.
pub(super) fn figures(parts: &Parts) -> Result<Registry, Error> {
    let gauges = Gauges::default();
    for config in parts.metadata.page::<BackupConfig>(By::IdPrefix(""), None, MAX_SETS)? {
        let BackupConfig { group, replica_set, status, .. } = config.record;
        let (of, set) = (group.to_string(), replica_set.to_string());
        let standing = Standing { group: of.clone(), set: set.clone(), status: status.as_str() };
        gauges.status.get_or_create(&standing).set(1);
        let labels = Set { group: of, set };
        let found = parts.metadata.find::<ReplicaSet>(&ReplicaSet::id_of(group, replica_set))?;
        if let Some(sight) = found.and_then(|it| it.record.sight) {
            gauges.agent.get_or_create(&labels).set(i64::try_from(sight.at.0 / 1000).unwrap_or(i64::MAX));
        }
        if let Err(error) = gauges.fill(parts, group, replica_set, &labels) {
            tracing::error!(%error, set = labels.set, "a set cannot be told of");
        }
    }
    let mut registry = Registry::with_prefix("tidemark_set");
    registry.register("status", "1 for the status of the backup", gauges.status);
    registry.register("agent_seen_seconds", "When its agent was last heard of, since 1970", gauges.agent);
    registry.register("oplog_seconds", "The last oplog entry that is stored, since 1970", gauges.oplog);
    registry.register("head_seconds", "Up to when oplog is in the head, since 1970", gauges.head);
    registry.register("snapshot_seconds", "The newest snapshot, since 1970", gauges.snapshot);
    Ok(registry)
}

impl Gauges {
    fn fill(&self, parts: &Parts, group: GroupId, set: ReplicaSetId, labels: &Set) -> Result<(), HeadError> {
        let name = head_name(group, set);
        if let Some(tip) = name.slices(&parts.store).tip()? {
            self.oplog.get_or_create(labels).set(tip.link.at.ts.secs.into());
        }
        match look_up(&parts.store, &name) {
            Ok(found) => {
                let root = Root::read(&parts.store, found.root)?;
                self.head.get_or_create(labels).set(root.at.ts.secs.into());
            }
            Err(HeadError::NoHead { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some((_, newest)) = snapshot::list(&parts.store, &name)?.last() {
            self.snapshot.get_or_create(labels).set(newest.at.ts.secs.into());
        }
        Ok(())
    }
}
