//! What all threads of a daemon share.

use crate::bell::Bell;
use crate::config::Config;
use crate::watches::Watches;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidemark_base::{Clock, Entropy, UnixMillis};
use tidemark_blockstore::Store;
use tidemark_head::budget::Budget;
use tidemark_metadata::{Daemon, Metadata};

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) metadata: Metadata,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    entropy: Mutex<Box<dyn Entropy>>,
    /// Of all heads together.
    pub(crate) budget: Budget,
    pub(crate) bell: Bell,
    pub(crate) watches: Watches,
    /// As this daemon is known.
    pub(crate) me: Daemon,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        metadata: Metadata,
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Box<dyn Entropy>,
        me: Daemon,
    ) -> Self {
        let budget = Budget::new(config.delta_bytes);
        let (entropy, bell, watches) = (Mutex::new(entropy), Bell::default(), Watches::default());
        Self { config, metadata, store, clock, entropy, budget, bell, watches, me }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    pub(crate) fn entropy(&self) -> MutexGuard<'_, Box<dyn Entropy>> {
        self.entropy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
