//! What a daemon is told when it starts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tidemark_metadata::DaemonName;

/// How a daemon works.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name: what a former life of that name had in work is taken over at once.
    pub name: DaemonName,
    /// How many builds and restores are in work at once.
    pub workers: usize,
    /// How many heads follow their oplogs at once.
    pub heads: usize,
    /// How much memory all heads together may hold of what they applied and did not flush, in bytes.
    pub delta_bytes: usize,
    /// How much memory a build may use for documents, in bytes.
    pub import_bytes: usize,
    /// How often metadata and oplogs are looked at while nothing happens.
    pub poll: Duration,
    /// The room that the store has left.
    pub room: Room,
}

impl Config {
    /// What fits a machine with a few cores and some gigabytes of memory.
    #[must_use]
    pub fn new(name: DaemonName) -> Self {
        Self {
            name,
            workers: 2,
            heads: 64,
            delta_bytes: 512 << 20,
            import_bytes: 256 << 20,
            poll: Duration::from_secs(1),
            room: Room::plenty(),
        }
    }
}

/// The room that the store has left, and how much of it is kept for the oplog: with less than that no snapshot is taken
/// and nothing is compacted, so that slices are taken for as long as possible.
#[derive(Clone)]
pub struct Room {
    free_bytes: Arc<dyn Fn() -> Option<u64> + Send + Sync>,
    least_bytes: u64,
}

impl Room {
    /// As the function says, which may not know; less than `least_bytes` is little.
    #[must_use]
    pub fn new(free_bytes: impl Fn() -> Option<u64> + Send + Sync + 'static, least_bytes: u64) -> Self {
        Self { free_bytes: Arc::new(free_bytes), least_bytes }
    }

    /// Nobody looks.
    #[must_use]
    pub fn plenty() -> Self {
        Self::new(|| None, 0)
    }

    /// The room that is left, in bytes, if that is too little.
    pub(crate) fn shortage(&self) -> Option<u64> {
        (self.free_bytes)().filter(|free| *free < self.least_bytes)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("least_bytes", &self.least_bytes).finish_non_exhaustive()
    }
}
