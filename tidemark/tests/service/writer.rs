//! Somebody who writes all the while.

use bson::{Document, doc};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tidemark_testkit::live::ReplicaSet;
use tidemark_testkit::service::wait_for;

pub(crate) struct Writer {
    is_over: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(crate) fn start(set: &ReplicaSet) -> Self {
        let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, count, client) = (Arc::clone(&is_over), Arc::clone(&written), set.client().unwrap());
        let thread = tidemark_base::threads::spawn("writer", move || {
            let orders = client.database("shop").collection::<Document>("orders");
            // Goes on where another has ended.
            let last = orders.find_one(doc! {}).sort(doc! {"_id": -1}).run().unwrap();
            let mut n = last.map_or(0, |it| it.get_i64("_id").unwrap());
            while !over.load(Ordering::SeqCst) {
                n += 1;
                orders
                    .insert_one(doc! {"_id": n, "lines": [n, n * 7], "text": "x".repeat(200)})
                    .run()
                    .unwrap();
                orders.update_one(doc! {"_id": n / 2}, doc! {"$push": {"lines": n}}).run().unwrap();
                if n % 5 == 0 {
                    orders.delete_one(doc! {"_id": n / 3}).run().unwrap();
                }
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self { is_over, written, thread: thread.unwrap() }
    }

    /// Waits until so many more were written.
    pub(crate) fn go_on_for(&self, rounds: u64) {
        let until = self.written.load(Ordering::SeqCst) + rounds;
        wait_for("writes to go on", crate::backup::PATIENCE, || {
            Ok((self.written.load(Ordering::SeqCst) >= until).then_some(()))
        })
        .unwrap();
    }

    pub(crate) fn stop(self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}
