//! A running daemon, as the program holds it.

use crate::config::Config;
use crate::error::Result;
use crate::shared::Shared;
use crate::supervisor::Supervisor;
use std::sync::Arc;
use std::thread::JoinHandle;
use tidemark_base::{Clock, Entropy, threads};
use tidemark_blockstore::Store;
use tidemark_metadata::{Metadata, Text};

/// A running daemon. Dropped, it is shut down.
pub struct Daemon {
    shared: Arc<Shared>,
    supervisor: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts a daemon: it makes itself known, and looks for work from now on.
    ///
    /// # Errors
    /// The metadata's; [`crate::DaemonError::Thread`].
    pub fn start(
        config: Config,
        metadata: Metadata,
        store: Store,
        clock: Arc<dyn Clock>,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self> {
        let version = Text::fit(env!("CARGO_PKG_VERSION"));
        let me = metadata.daemon_starts(&config.name, &version, clock.now(), entropy.as_mut())?;
        let holder = me.holder()?;
        let shared = Arc::new(Shared::new(config, metadata, store, clock, entropy, me));
        let supervisor = Supervisor::new(Arc::clone(&shared), holder);
        let supervisor = threads::spawn("daemon", move || supervisor.run())?;
        Ok(Self { shared, supervisor: Some(supervisor) })
    }

    /// Whether it still works: it ends by itself if another is started under its name.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.supervisor.as_ref().is_some_and(|it| !it.is_finished())
    }

    /// Ends all work and returns when it has ended: heads are flushed, and jobs are laid down for others.
    pub fn shut_down(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.bell.ring();
        if let Some(supervisor) = self.supervisor.take()
            && supervisor.join().is_err()
        {
            tracing::error!("the supervisor of the daemon ended by a panic");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("name", &self.shared.config.name).finish_non_exhaustive()
    }
}
