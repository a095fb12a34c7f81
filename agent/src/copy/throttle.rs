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

    /// Waits until this many bytes may go, or another order comes.
    pub(super) async fn pass(&self, bytes: usize) {
        if self.orders.borrow().throttle_bytes_per_second.is_none() {
            return;
        }
        // Held while waiting, so that scans take turns.
        let mut free = self.free.lock().await;
        let mut orders = self.orders.clone();
        orders.mark_unchanged();
        tokio::select! {
            () = sleep_until(*free) => {}
            // What is owed by the old order is forgiven.
            Ok(()) = orders.changed() => {}
        }
        let rate = orders.borrow().throttle_bytes_per_second;
        let time = |rate: u64| Duration::try_from_secs_f64(bytes as f64 / rate as f64).unwrap_or(LONGEST);
        *free = Instant::now() + rate.map_or(Duration::ZERO, time).min(LONGEST);
    }
}
