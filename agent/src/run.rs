//! An agent's life: from a configuration until it is told to stop.

use crate::Result;
use crate::conf::Conf;
use crate::config::Config;
use crate::mothership::Mothership;
use std::sync::Arc;
use tokio::sync::watch;

/// Tells an agent to stop. Dropped, it tells so too.
#[derive(Debug)]
pub struct Shutdown(watch::Sender<bool>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Shutdown {
    /// What an agent listens to. Several may.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Tells them: they send what they hold, and end.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }
}

/// Runs an agent until it is told to stop ([`Shutdown::listen`]), on a runtime of several threads.
///
/// # Errors
/// If the configuration cannot be used, or the key is of another group: nothing is sent then. Everything else is tried
/// again for ever, and logged.
pub async fn run(config: Config, stop: watch::Receiver<bool>) -> Result<()> {
    let mothership = Arc::new(Mothership::new(&config)?);
    tracing::info!(
        agent = config.agent,
        sets = config.sets.len(),
        "tidemark-agent {}",
        env!("CARGO_PKG_VERSION")
    );
    Conf::new(config, mothership, stop)?.run().await
}
