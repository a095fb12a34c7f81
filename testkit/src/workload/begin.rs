//! Where a copy of a running server begins in its oplog.

use super::Stage;
use bson::{Document, doc};
use mongodb::sync::Client;
use tidemark_base::{OpTime, Timestamp};

/// From where to read the oplog, and after what to apply it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// The first entry to read: where the oldest open transaction began, if there is one.
    pub fetch_from: Timestamp,
    /// What stands after this is applied; what stands before is in the copy, but for open transactions.
    pub apply_after: OpTime,
}

impl Begin {
    /// Finds it, before anything is copied. The order counts: a transaction that begins between the two notes
    /// is seen from its beginning.
    ///
    /// # Panics
    /// If the server refuses.
    #[must_use]
    pub fn find(stage: &Stage, client: &Client) -> Self {
        let newest = stage.note().ts;
        let open = doc! {"state": {"$in": ["prepared", "inProgress"]}};
        let transactions = client.database("config").collection::<Document>("transactions");
        let oldest = transactions.find_one(open).sort(doc! {"startOpTime.ts": 1}).run().unwrap();
        let oldest = oldest.map(|row| {
            let ts = row.get_document("startOpTime").unwrap().get_timestamp("ts").unwrap();
            Timestamp { secs: ts.time, ordinal: ts.increment }
        });
        let fetch_from = oldest.unwrap_or(newest).min(newest);
        Self { fetch_from, apply_after: stage.note() }
    }
}
