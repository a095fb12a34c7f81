//! The clocks by which something expires: for each replica set, ours against that of its source.
//!
//! Fed by the supervisor at each look, asked by the jobs that delete. An agent says with each conf call what time it
//! is at the source, and only a call that came while this daemon ran counts: an old one would look like a wrong clock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemark_base::{Clock, UnixMillis};
use tidemark_metadata::rules::clock_watch::{ClockWatch, Pause};
use tidemark_metadata::{BackupConfig, GroupId, Metadata, ReplicaSet, ReplicaSetId, Result};

type Key = (GroupId, ReplicaSetId);

#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<Key, Watch>>);

#[derive(Debug, Default)]
struct Watch {
    clock: ClockWatch,
    /// When the source was last heard of, as its record says.
    news: Option<UnixMillis>,
    /// Whether people were told that nothing expires.
    is_paused: bool,
}

/// What people are to be told of a clock.
pub(crate) enum News {
    /// Nothing expires, from now on.
    Paused(Pause),
    /// Expiry goes on.
    Resumed,
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
        let Some(sight) = sight else { return Ok(()) };
        let is_first = watch.news.is_none();
        let is_new = watch.news.replace(sight.at) != Some(sight.at) && !is_first;
        if let Some(source) = sight.source_clock.filter(|_| is_new) {
            watch.clock.heard(source, now, monotonic);
        }
        Ok(())
    }

    /// Whether something may expire now; and what people are to be told.
    pub(crate) fn judge(&self, key: Key, clock: &dyn Clock) -> (bool, Option<News>) {
        let mut watches = self.lock();
        let watch = watches.entry(key).or_default();
        let verdict = watch.clock.judge(clock.now(), clock.monotonic());
        let was_paused = std::mem::replace(&mut watch.is_paused, verdict.is_err());
        match verdict {
            Ok(()) => (true, was_paused.then_some(News::Resumed)),
            Err(pause) => (false, (!was_paused).then_some(News::Paused(pause))),
        }
    }

    /// Whether our own clock went steadily.
    pub(crate) fn is_steady(&self, key: Key, clock: &dyn Clock) -> bool {
        let mut watches = self.lock();
        watches.entry(key).or_default().clock.steady(clock.now(), clock.monotonic()).is_ok()
    }
}
