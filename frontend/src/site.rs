//! What every request works with: the stores, the keys, the clock. Cheap to clone; holds no state of its own.

use std::sync::{Arc, Mutex, PoisonError};
use tidemark_base::{Clock, Entropy};
use tidemark_blockstore::Store;
use tidemark_metadata::{Metadata, SealingKey};

/// The installation, as a request sees it.
#[derive(Clone)]
pub struct Site {
    parts: Arc<Parts>,
}

/// What a site is made of.
pub struct Parts {
    /// Who may do what, what is backed up and how.
    pub metadata: Metadata,
    /// The blocks and refs.
    pub store: Store,
    /// What seals secrets at rest.
    pub sealing: SealingKey,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Mutex<Box<dyn Entropy>>,
    /// How people and agents reach 8080, without a slash at the end, for links: for instance `https://backup:8080`.
    pub public_url: String,
}

impl Site {
    /// A site of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Does something that blocks, on a thread that may.
    ///
    /// # Panics
    /// If `work` does.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Parts) -> T + Send + 'static) -> T {
        let parts = Arc::clone(&self.parts);
        match tokio::task::spawn_blocking(move || work(&parts)).await {
            Ok(done) => done,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        }
    }

    /// Its parts, for what does not block.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl Parts {
    /// Draws from the randomness.
    pub fn with_entropy<T>(&self, draw: impl FnOnce(&mut dyn Entropy) -> T) -> T {
        // A generator has no state that a panic could leave half changed.
        draw(self.entropy.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }
}
