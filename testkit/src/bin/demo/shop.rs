//! What the demo's servers hold: a shop's orders and people, and somebody who goes on writing.

use mongodb::bson::{Document, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tidemark_base::threads;
use tidemark_testkit::live::dbhash::db_hash;
use tidemark_testkit::service::Result;

const ORDERS: i64 = 20_000;
const DATABASES: [&str; 2] = ["shop", "people"];

/// The servers' hash of each collection.
pub(crate) type Hashes = BTreeMap<String, BTreeMap<String, String>>;

/// Writes the first documents; returns how many.
pub(crate) fn fill(client: &Client) -> Result<u64> {
    let shop = client.database("shop");
    for begin in (0..ORDERS).step_by(1000) {
        shop.collection::<Document>("orders").insert_many((begin..begin + 1000).map(order)).run()?;
    }
    let people =
        (0..2000).map(|n| doc! {"_id": format!("p{n:05}"), "name": format!("Person {n}"), "orders": n % 7});
    client.database("people").collection::<Document>("customers").insert_many(people).run()?;
    let index = mongodb::IndexModel::builder().keys(doc! {"customer": 1}).build();
    shop.collection::<Document>("orders").create_index(index).run()?;
    Ok(ORDERS.unsigned_abs() + 2000)
}

fn order(n: i64) -> Document {
    let lines: Vec<Document> = (0..n % 5 + 1)
        .map(|line| doc! {"sku": format!("A-{}", (n * 31 + line) % 997), "count": line + 1, "cents": (n * 7 + line) % 9000})
        .collect();
    doc! {"_id": n, "customer": format!("p{:05}", n % 2000), "status": "open", "lines": lines}
}

/// The hashes of all databases of the demo.
pub(crate) fn hashes(client: &Client) -> Result<Hashes> {
    DATABASES.iter().map(|name| Ok(((*name).to_owned(), db_hash(client, name)?))).collect()
}

/// Somebody who writes until told to stop.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<()>>,
}

#[derive(Default)]
struct Shared {
    /// Held by who writes, and by who wants nothing to be written for a while.
    pen: Mutex<()>,
    written: AtomicU64,
    is_over: AtomicBool,
}

impl Writer {
    pub(crate) fn start(client: &Client) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (own, client) = (Arc::clone(&shared), client.clone());
        let thread = threads::spawn("demo-writer", move || write(&client, &own))?;
        Ok(Self { shared, thread })
    }

    /// Lets nothing be written for a moment; returns a second that then lay in the past, and what there was at its end.
    pub(crate) fn still(&self, client: &Client) -> Result<(u32, Hashes)> {
        let _pen = self.shared.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let last = client.database("admin").run_command(doc! {"hello": 1}).run()?;
        let at = last.get_document("lastWrite")?.get_document("opTime")?.get_timestamp("ts")?;
        let then = hashes(client)?;
        // What is written next has a later second.
        std::thread::sleep(Duration::from_millis(2100));
        Ok((at.time, then))
    }

    pub(crate) fn written(&self) -> u64 {
        self.shared.written.load(Ordering::SeqCst)
    }

    pub(crate) fn stop(self) -> Result<u64> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.thread.join().map_err(|_| "the writer panicked")??;
        Ok(self.shared.written.load(Ordering::SeqCst))
    }
}

fn write(client: &Client, shared: &Shared) -> Result<()> {
    let orders = client.database("shop").collection::<Document>("orders");
    let mut n = ORDERS;
    while !shared.is_over.load(Ordering::SeqCst) {
        let pen = shared.pen.lock().unwrap_or_else(PoisonError::into_inner);
        orders.insert_one(order(n)).run()?;
        let change = doc! {"$set": {"status": "sent"}, "$push": {"lines": {"sku": "gift", "count": 1}}};
        orders.update_one(doc! {"_id": (n * 7919) % ORDERS}, change).run()?;
        if n % 3 == 0 {
            orders.delete_one(doc! {"_id": (n * 104_729) % ORDERS}).run()?;
        }
        drop(pen);
        shared.written.fetch_add(2 + u64::from(n % 3 == 0), Ordering::SeqCst);
        n += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
