//! How fast a copy may go, as the newest order says.

use std::time::Duration;
use tidemark_base::protocol::SetOrder;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until};

/// Longest pause for one batch: an order of a few bytes a second must not stop everything for ever.
const LONGEST: Duration = Duration::from_secs(600);

/// What all scans of a copy together may read.
#[derive(Debug)]
pub(super) struct Throttle {
    orders: watch::Receiver<SetOrder>,
    /// When the next batch may go.
    free: Mutex<Instant>,
}

impl Throttle {
    pub(super) fn new(orders: watch::Receiver<SetOrder>) -> Self {
        Self { orders, free: Mutex::new(Instant::now()) }
    }

    /// Waits until this many bytes may go.
    pub(super) async fn pass(&self, bytes: usize) {
        let rate = self.orders.borrow().throttle_bytes_per_second;
        let Some(rate) = rate.filter(|rate| *rate > 0) else { return };
        let time = Duration::try_from_secs_f64(bytes as f64 / rate as f64).unwrap_or(LONGEST).min(LONGEST);
        // Held while waiting, so that scans take turns.
        let mut free = self.free.lock().await;
        sleep_until(*free).await;
        *free = Instant::now() + time;
    }
}
