//! Positions in the oplog, and reading it from one.
//!
//! Only two things are safe as "the end": the server's `lastCommittedOpTime`, and a note of our own read back
//! by a forward cursor. The last entry of a backward scan is not: an entry before it may still be on its way.
//! Entries are returned as the bytes the server sent; nothing is decoded but `ts` and `t`.

use std::time::Duration;

use bson::{Document, RawDocument, RawDocumentBuf, doc};
use mongodb::options::ReadConcern;
use mongodb::sync::Client;
use tidemark_base::{Entropy, OpTime, OsEntropy, Timestamp};

use super::{Error, ReplicaSet, wait};

const PATIENCE: Duration = Duration::from_secs(60);

/// The optime up to which a majority has everything, as this server knows. Needs `replSetGetStatus`.
///
/// # Errors
/// If the server refuses or is in no set.
pub fn last_committed(client: &Client) -> Result<OpTime, Error> {
    let status: Document = client
        .database("admin")
        .run_command(doc! {"replSetGetStatus": 1})
        .run()
        .map_err(Error::driver("read the replica set's status"))?;
    let optime =
        status.get_document("optimes").and_then(|optimes| optimes.get_document("lastCommittedOpTime"));
    let found = || Error::unexpected("replSetGetStatus", &status);
    optime_of(optime.map_err(|_| found())?).ok_or_else(found)
}

/// All entries from `from` (inclusive) up to what a majority has now, oldest first.
///
/// # Errors
/// If the server refuses, or drops the cursor in an election.
pub fn oplog_from(client: &Client, from: Timestamp) -> Result<Vec<RawDocumentBuf>, Error> {
    read(client, doc! {"ts": {"$gte": to_bson(from)}})
}

/// Writes a note of our own into the oplog and reads forward until it is there: a safe end position.
///
/// What a cursor delivers before this optime is everything before it. Needs a primary and the privileges
/// `appendOplogNote` and to read `local`, which the role `backup` has.
///
/// # Errors
/// If the server refuses (also in an election: write another note), or the note does not appear.
pub fn append_note_and_read_back(client: &Client) -> Result<OpTime, Error> {
    let mut id = [0; 8];
    OsEntropy.fill(&mut id);
    let id = hex::encode(id);
    let admin = client.database("admin");
    let hello: Document =
        admin.run_command(doc! {"hello": 1}).run().map_err(Error::driver("ask the primary where it is"))?;
    let before = hello
        .get_document("lastWrite")
        .and_then(|write| write.get_document("majorityOpTime"))
        .ok()
        .and_then(optime_of)
        .ok_or_else(|| Error::unexpected("hello", &hello))?;
    admin
        .run_command(doc! {
            "appendOplogNote": 1,
            "data": {"tidemarkTestkit": &id},
            "writeConcern": {"w": "majority", "wtimeout": 30_000},
        })
        .run()
        .map_err(Error::driver("append a note to the oplog"))?;
    let filter = doc! {"ts": {"$gte": to_bson(before.ts)}, "op": "n", "o.tidemarkTestkit": &id};
    wait::until("our note in the oplog", PATIENCE, || match read(client, filter.clone()).as_deref() {
        Ok([entry]) => entry_optime(entry).map_err(|error| error.to_string()),
        Ok(entries) => Err(format!("{} entries with our note", entries.len())),
        Err(error) => Err(error.to_string()),
    })
}

/// The optime of an entry.
///
/// # Errors
/// If the entry has no `ts`.
pub fn entry_optime(entry: &RawDocument) -> Result<OpTime, Error> {
    let ts =
        entry.get_timestamp("ts").map_err(|error| Error::unexpected("the ts of an oplog entry", error))?;
    Ok(OpTime { ts: from_bson(ts), term: entry.get_i64("t").unwrap_or(OpTime::NO_TERM) })
}

impl ReplicaSet {
    /// [`last_committed`] as the primary knows it.
    ///
    /// # Errors
    /// As [`last_committed`] and [`Self::primary`].
    pub fn last_committed(&self) -> Result<OpTime, Error> {
        last_committed(self.direct(self.primary()?))
    }

    /// Waits until a majority has everything up to this timestamp; returns the committed optime.
    ///
    /// # Errors
    /// [`Error::Timeout`].
    pub fn await_last_committed(&self, at_least: Timestamp) -> Result<OpTime, Error> {
        wait::until(&format!("a majority to have {at_least}"), PATIENCE, || match self.last_committed() {
            Ok(committed) if committed.ts >= at_least => Ok(committed),
            Ok(committed) => Err(committed.to_string()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Waits until a majority has everything written before the call; returns an optime at or after it.
    ///
    /// # Errors
    /// As [`Self::append_note_and_read_back`].
    pub fn wait_majority_committed(&self) -> Result<OpTime, Error> {
        let note = self.append_note_and_read_back()?;
        self.await_last_committed(note.ts)
    }

    /// [`append_note_and_read_back`] on the primary; after an election, on the next one.
    ///
    /// # Errors
    /// [`Error::Timeout`] with the last refusal.
    pub fn append_note_and_read_back(&self) -> Result<OpTime, Error> {
        wait::until("a note in the oplog", PATIENCE, || {
            self.primary()
                .and_then(|primary| append_note_and_read_back(self.direct(primary)))
                .map_err(|error| error.to_string())
        })
    }

    /// [`oplog_from`] on the primary.
    ///
    /// # Errors
    /// As [`oplog_from`] and [`Self::primary`].
    pub fn oplog_from(&self, from: Timestamp) -> Result<Vec<RawDocumentBuf>, Error> {
        oplog_from(self.direct(self.primary()?), from)
    }
}

fn read(client: &Client, filter: Document) -> Result<Vec<RawDocumentBuf>, Error> {
    let mut cursor = client
        .database("local")
        .collection::<RawDocumentBuf>("oplog.rs")
        .find(filter)
        .read_concern(ReadConcern::majority())
        .run()
        .map_err(Error::driver("open a cursor on the oplog"))?;
    let mut entries = Vec::new();
    while cursor.advance().map_err(Error::driver("read the oplog"))? {
        entries.push(cursor.current().to_owned());
    }
    Ok(entries)
}

fn optime_of(document: &Document) -> Option<OpTime> {
    let ts = from_bson(document.get_timestamp("ts").ok()?);
    Some(OpTime { ts, term: document.get_i64("t").ok()? })
}

const fn from_bson(ts: bson::Timestamp) -> Timestamp {
    Timestamp { secs: ts.time, ordinal: ts.increment }
}

const fn to_bson(ts: Timestamp) -> bson::Timestamp {
    bson::Timestamp { time: ts.secs, increment: ts.ordinal }
}
