//! Transactions: small, larger than one entry, aborted, and prepared as those of shards are.

use super::world::World;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::sync::ClientSession;
use std::time::Duration;

impl World {
    /// One to five changes, some in collections that the transaction makes.
    fn changes(&mut self, session: &mut ClientSession) -> Result<()> {
        for _ in 0..1 + self.dice.below(5) {
            let collection = self.collection();
            let filter = doc! {"_id": self.id()};
            match self.dice.below(5) {
                0 => collection.insert_one(self.document()).session(&mut *session).run().map(drop)?,
                1 => collection.delete_one(filter).session(&mut *session).run().map(drop)?,
                2 => {
                    let document = doc! {"x": self.dice.below(100), "in": "transaction"};
                    collection
                        .replace_one(filter, document)
                        .upsert(true)
                        .session(&mut *session)
                        .run()
                        .map(drop)?;
                }
                _ => {
                    let change = doc! {"$set": {"o.t": self.value()}, "$inc": {"x": 1}};
                    collection
                        .update_one(filter, change)
                        .upsert(true)
                        .session(&mut *session)
                        .run()
                        .map(drop)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn transaction(&mut self) -> Result<()> {
        let mut session = self.client.start_session().run()?;
        session.start_transaction().run()?;
        self.changes(&mut session)?;
        match self.dice.one_in(4) {
            true => session.abort_transaction().run(),
            false => session.commit_transaction().run(),
        }
    }

    /// More than one entry can hold: parts that are chained.
    pub(super) fn large_transaction(&mut self) -> Result<()> {
        let collection = self.database().collection::<Document>("large");
        let mut session = self.client.start_session().run()?;
        session.start_transaction().run()?;
        let text = "0123456789abcdef".repeat(100_000);
        for number in 0..11 + self.dice.below(3) {
            let document = doc! {"large": true, "text": &text};
            let of_it = doc! {"_id": number};
            collection.replace_one(of_it, document).upsert(true).session(&mut session).run()?;
        }
        match self.dice.one_in(3) {
            true => session.abort_transaction().run(),
            false => session.commit_transaction().run(),
        }
    }

    /// Begins a transaction and prepares it; gives what is to be decided.
    ///
    /// # Errors
    /// If the server refuses a change in it.
    ///
    /// # Panics
    /// If another worker has panicked.
    pub fn prepare(&mut self) -> Result<Prepared> {
        *self.shared.prepared.lock().unwrap() += 1;
        let prepared = self.try_prepare();
        if prepared.is_err() {
            *self.shared.prepared.lock().unwrap() -= 1;
        }
        prepared
    }

    fn try_prepare(&mut self) -> Result<Prepared> {
        let mut session = self.client.start_session().run()?;
        session.start_transaction().run()?;
        self.changes(&mut session)?;
        let admin = self.client.database("admin");
        let reply = admin.run_command(doc! {"prepareTransaction": 1}).session(&mut session).run()?;
        let at = reply.get_timestamp("prepareTimestamp").unwrap();
        Ok(Prepared { session, at, commits: !self.dice.one_in(3) })
    }

    /// Commits or aborts it.
    ///
    /// # Errors
    /// If the server refuses.
    ///
    /// # Panics
    /// If another worker has panicked.
    pub fn decide(&self, prepared: Prepared) -> Result<()> {
        let Prepared { mut session, at, commits } = prepared;
        let command = match commits {
            true => doc! {"commitTransaction": 1, "commitTimestamp": at},
            false => doc! {"abortTransaction": 1},
        };
        let decided = self.client.database("admin").run_command(command).session(&mut session).run();
        // For the driver it is still open; the server says that it is not.
        let _ = session.abort_transaction().run();
        *self.shared.prepared.lock().unwrap() -= 1;
        decided.map(drop)
    }

    /// Now and then a transaction that is prepared by the time others begin.
    ///
    /// # Panics
    /// If another worker has panicked.
    pub fn prepare_now_and_then(&mut self) -> Option<Prepared> {
        if !self.dice.one_in(2) {
            return None;
        }
        // Now and then a change in it is refused.
        let prepared = (0..5).find_map(|_| self.prepare().ok());
        self.count("prepared before", prepared.is_some());
        prepared
    }

    pub(super) fn prepared_transaction(&mut self) -> Result<()> {
        let prepared = self.prepare()?;
        std::thread::sleep(Duration::from_millis(u64::try_from(self.dice.below(60)).unwrap()));
        self.decide(prepared)
    }
}

/// A transaction that is prepared.
pub struct Prepared {
    session: ClientSession,
    at: bson::Timestamp,
    commits: bool,
}
