//! The clocks by which something expires: for each replica set, ours against that of its source.
//!
//! Fed by the supervisor at each look, asked by the jobs that delete. An agent says with each conf call what time it
//! is at the source, and only a call that came while this daemon ran counts: an old one would look like a wrong clock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemark_base::{Clock, UnixMillis};
use tidemark_metadata::rules::clock_watch::{ClockWatch, Pause};
use tidemark_metadata::rules::second_thoughts::{Order, SecondThoughts};
use tidemark_metadata::{BackupConfig, DeletedSnapshot, GroupId, Metadata, ReplicaSet, ReplicaSetId, Result};

type Key = (GroupId, ReplicaSetId);

#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<Key, Watch>>);

#[derive(Debug, Default)]
struct Watch {
    clock: ClockWatch,
    /// The orders to delete something of it for good.
    orders: SecondThoughts,
    /// When the source was last heard of, as its record says.
    news: Option<UnixMillis>,
}

impl Watches {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Watch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at both clocks.
    pub(crate) fn look(&self, metadata: &Metadata, clock: &dyn Clock, backup: &BackupConfig) -> Result<()> {
        let id = ReplicaSet::id_of(backup.group, backup.replica_set);
        let sight = metadata.find::<ReplicaSet>(&id)?.and_then(|set| set.record.sight);
        let mut watches = self.lock();
        let watch = watches.entry((backup.group, backup.replica_set)).or_default();
        let (now, monotonic) = (clock.now(), clock.monotonic());
        watch.clock.observe(now, monotonic);
        watch.orders.know(&orders(backup), monotonic);
        let Some(sight) = sight else { return Ok(()) };
        let is_first = watch.news.is_none();
        let is_new = watch.news.replace(sight.at) != Some(sight.at) && !is_first;
        if let Some(source) = sight.source_clock.filter(|_| is_new) {
            watch.clock.heard(source, now, monotonic);
        }
        Ok(())
    }

    /// Whether something may expire now.
    pub(crate) fn judge(&self, key: Key, clock: &dyn Clock) -> std::result::Result<(), Pause> {
        let mut watches = self.lock();
        watches.entry(key).or_default().clock.judge(clock.now(), clock.monotonic())
    }

    /// Whether it is known for long enough that its source is silent: see [`ClockWatch::is_settled`].
    pub(crate) fn is_settled(&self, key: Key, clock: &dyn Clock) -> bool {
        self.lock().get(&key).is_some_and(|it| it.clock.is_settled(clock.monotonic()))
    }

    /// Whether an order to delete for good may be carried out, as far as clocks are concerned: this daemon has known it for
    /// a day, and its own clock went steadily.
    pub(crate) fn is_ripe(&self, key: Key, order: &Order, clock: &dyn Clock) -> bool {
        let mut watches = self.lock();
        let Watch { clock: watch, orders, .. } = watches.entry(key).or_default();
        let (now, monotonic) = (clock.now(), clock.monotonic());
        watch.steady(now, monotonic).is_ok() && orders.are_over(order, monotonic)
    }
}

/// The order that ends a backup, if it was given.
pub(crate) fn termination(backup: &BackupConfig) -> Option<Order> {
    backup.terminated_at.map(|at| ("backup".to_owned(), at))
}

/// The order to delete a snapshot.
pub(crate) fn deletion(of: &DeletedSnapshot) -> Order {
    (of.name.to_string(), of.at)
}

fn orders(backup: &BackupConfig) -> Vec<Order> {
    termination(backup).into_iter().chain(backup.deleted_snapshots.iter().map(deletion)).collect()
}
