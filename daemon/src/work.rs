//! A job in work: its claim, how far it is, and whether to stop.
//!
//! Held by the job's own thread, which says how far it is, and by the supervisor, which carries that to the metadata
//! with each heartbeat and brings back what was ordered there.

use crate::shared::Shared;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidemark_base::UnixMillis;
use tidemark_head::HeadError;
use tidemark_metadata::{Claim, Job, Progress, Text};

/// A job that is being worked on.
pub(crate) struct Work {
    pub(crate) shared: Arc<Shared>,
    /// As it was claimed.
    pub(crate) job: Job,
    pub(crate) claim: Claim,
    progress: Mutex<Progress>,
    is_cancelled: AtomicBool,
    is_fenced: AtomicBool,
}

impl Work {
    pub(crate) fn new(shared: Arc<Shared>, job: Job, claim: Claim) -> Self {
        let progress = Mutex::default();
        let (is_cancelled, is_fenced) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { shared, job, claim, progress, is_cancelled, is_fenced }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.shared.now()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says how far it is.
    pub(crate) fn say(&self, doing: &str, done: u64, total: Option<u64>) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *progress = Progress { done, total, doing: Some(Text::fit(doing)) };
    }

    /// Somebody wants it to stop.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Somebody else works on it.
    pub(crate) fn fence(&self) {
        self.is_fenced.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.is_fenced.load(Ordering::Relaxed)
    }

    /// Whether to stop, for whatever reason.
    pub(crate) fn is_over(&self) -> bool {
        self.is_cancelled() || self.is_fenced() || self.shared.bell.is_rung()
    }

    /// Fails if the work is to stop: for what the engine calls in between.
    pub(crate) fn go_on(&self) -> Result<(), HeadError> {
        if self.is_over() { Err(tidemark_blockstore::Error::Cancelled.into()) } else { Ok(()) }
    }

    /// Waits so long, or until the daemon ends.
    pub(crate) fn rest(&self, at_most: Duration) {
        self.shared.bell.rest(at_most);
    }
}
