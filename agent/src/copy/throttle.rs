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
    owed: Mutex<Owed>,
}

/// What the batches that have gone leave to be waited for.
#[derive(Debug)]
struct Owed {
    /// When the next batch may go.
    until: Instant,
    /// By the order of this rate, in bytes per second; another one forgives it.
    rate: Option<u64>,
}

impl Throttle {
    pub(super) fn new(orders: watch::Receiver<SetOrder>) -> Self {
        Self { orders, owed: Mutex::new(Owed { until: Instant::now(), rate: None }) }
    }

    /// Waits until this many bytes may go, or another order comes.
    pub(super) async fn pass(&self, bytes: usize) {
        // Held while waiting, so that scans take turns.
        let mut owed = self.owed.lock().await;
        let mut orders = self.orders.clone();
        let rate = loop {
            // The order that comes before anybody waits counts as much as one that comes then.
            let rate = orders.borrow_and_update().throttle_bytes_per_second;
            if rate != owed.rate {
                break rate;
            }
            tokio::select! {
                () = sleep_until(owed.until) => break rate,
                Ok(()) = orders.changed() => {}
            }
        };
        let time = |rate: u64| Duration::try_from_secs_f64(bytes as f64 / rate as f64).unwrap_or(LONGEST);
        *owed = Owed { until: Instant::now() + rate.map_or(Duration::ZERO, time).min(LONGEST), rate };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::protocol::{Role, SyncSource, Task};

    fn order(rate: u64) -> SetOrder {
        SetOrder {
            id: String::new(),
            role: Role::Active,
            task: Task::Copy,
            excluded_namespaces: Vec::new(),
            sync_source: SyncSource::Secondary,
            throttle_bytes_per_second: Some(rate),
            connection: None,
        }
    }

    #[tokio::test]
    async fn what_is_owed_by_an_older_order_is_forgiven_whenever_the_newer_one_comes() {
        let (orders, receiver) = watch::channel(order(1));
        let throttle = Throttle::new(receiver);
        let passes = |bytes| tokio::time::timeout(Duration::from_secs(10), throttle.pass(bytes));
        passes(1000).await.expect("the first owes nothing");
        // Nobody waits yet when it comes.
        orders.send_replace(order(2));
        passes(1000).await.expect("it is another order");
        let (passed, ()) = tokio::join!(passes(1000), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            orders.send_replace(order(1 << 30));
        });
        passed.expect("an order while one waits");
        // The same once more is no other order.
        orders.send_replace(order(1));
        passes(1000).await.expect("another order");
        // Nor is it if there was none meanwhile, but then it begins anew.
        orders.send_replace(SetOrder { throttle_bytes_per_second: None, ..order(1) });
        passes(1000).await.expect("no limit");
        orders.send_replace(order(1));
        passes(1000).await.expect("what was owed is forgiven");
        let waits = tokio::time::timeout(Duration::from_millis(50), throttle.pass(1)).await;
        assert!(waits.is_err(), "1000 s are owed");
    }
}
