//! The server of a workload, and what all its workers share.

use super::dice::Dice;
use super::world::World;
use crate::live::{Options, ReplicaSet};
use mongodb::options::WriteConcern;
use mongodb::sync::Client;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard};
use tidemark_base::OpTime;

/// How often each kind of step was accepted and refused.
pub type Counts = BTreeMap<&'static str, (u32, u32)>;

/// What workers share.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    pub(super) counts: Arc<Mutex<Counts>>,
    /// Steps done by all workers.
    pub(super) done: Arc<AtomicUsize>,
    /// Held by who renames: in a 6.0 server two renames between databases, one each way, wait for each other.
    pub(super) renaming: Arc<Mutex<()>>,
    /// How many transactions are prepared, or about to be.
    pub(super) prepared: Arc<Mutex<usize>>,
    /// Read by who takes a step, written by who wants none to be taken.
    pub(super) still: Arc<RwLock<()>>,
    /// Read by who takes a step that may change the catalog, written by who wants it to stay as it is.
    pub(super) calm: Arc<RwLock<()>>,
    /// Steps that are not taken on this stage.
    pub(super) leaves_out: &'static [&'static str],
}

/// A replica set with a workload on it.
#[derive(Debug)]
pub struct Stage {
    set: ReplicaSet,
    shared: Shared,
}

impl Stage {
    /// Starts a replica set of one member.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::on(ReplicaSet::start(1, &Self::options()).unwrap(), &[])
    }

    /// A stage on a set that was started with [`Self::options`], among others; these steps are left out.
    #[must_use]
    pub fn on(set: ReplicaSet, leaves_out: &'static [&'static str]) -> Self {
        Self { set, shared: Shared { leaves_out, ..Shared::default() } }
    }

    /// How servers must be started.
    #[must_use]
    pub fn options() -> Options {
        Options {
            // Rounds with large transactions must not push out the beginning of their own oplog.
            oplog_size_mb: 990,
            // For emptycapped, for prepareTransaction outside of shards, and for hashes at a moment.
            set_parameters: vec![("enableTestCommands".to_owned(), "1".to_owned())],
            ..Options::default()
        }
    }

    /// The server, as a replica set.
    #[must_use]
    pub const fn set(&self) -> &ReplicaSet {
        &self.set
    }

    /// A client that writes to one member only: a majority costs time here and shows nothing.
    ///
    /// # Panics
    /// If the driver refuses its options.
    #[must_use]
    pub fn client(&self) -> Client {
        let mut options = self.set.client_options(self.set.access());
        options.write_concern = Some(WriteConcern::nodes(1));
        Client::with_options(options).unwrap()
    }

    /// A worker on two databases.
    #[must_use]
    pub fn world(&self, seed: u64, databases: &[String; 2]) -> World {
        World {
            client: self.client(),
            dice: Dice::new(seed),
            databases: databases.clone(),
            shared: self.shared.clone(),
        }
    }

    /// How many steps were done by all workers.
    #[must_use]
    pub fn done(&self) -> usize {
        self.shared.done.load(Ordering::SeqCst)
    }

    /// No step is taken until the guard goes; what was begun is finished first.
    ///
    /// # Panics
    /// If a worker has panicked.
    pub fn still(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared.still.write().unwrap()
    }

    /// All collections that steps on documents write to are made, and the catalog changes no more until the guard goes;
    /// documents go on changing.
    ///
    /// # Panics
    /// If a worker has panicked, or a collection is refused for long.
    pub fn calm(&self, databases: &[String; 2]) -> RwLockWriteGuard<'_, ()> {
        let calm = self.shared.calm.write().unwrap();
        self.world(0, databases).furnish();
        calm
    }

    /// A note of ours, read back: everything before it has been seen. Tried again, since a server that cannot
    /// lock everything at once (somebody waits to drop a database) refuses it.
    ///
    /// # Panics
    /// If it is refused for long.
    #[must_use]
    pub fn note(&self) -> OpTime {
        self.set.append_note_and_read_back().unwrap()
    }

    /// What was done so far.
    ///
    /// # Panics
    /// If a worker has panicked.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts.lock().unwrap().clone()
    }

    /// Counts something that is no step.
    ///
    /// # Panics
    /// If a worker has panicked.
    pub fn count(&self, kind: &'static str, accepted: bool) {
        self.shared.count(kind, accepted);
    }
}

impl Shared {
    pub(super) fn count(&self, kind: &'static str, accepted: bool) {
        let mut counts = self.counts.lock().unwrap();
        let (yes, no) = counts.entry(kind).or_default();
        *(if accepted { yes } else { no }) += 1;
    }
}
