//! Positions in the oplog, and entries at them.
//!
//! Two things only are safe as "the end": what a majority has, and a note of our own read back by a forward cursor. The
//! last entry of a backward scan is not: one before it may still be on its way.

use super::connect::Source;
use super::cursor::{Batches, Read, majority, run};
use crate::{Error, Result};
use bson::{Bson, Document, doc};
use mongodb::Client;
use std::time::Duration;
use tidemark_base::bson::Doc;
use tidemark_base::{Entropy, OpTime, OsEntropy, Timestamp};
use tidemark_oplog::slice::optime;

/// How long our own note may take to appear.
const NOTE_PATIENCE: Duration = Duration::from_secs(60);
/// How long the server waits for something new before it answers with nothing.
const TAIL_PATIENCE: Duration = Duration::from_secs(1);
/// Most entries of a reply: some MiB of usual ones. A reply may be 16 MiB long, and waits beside the slice it goes into.
const TAIL_REPLY: u32 = 4000;

/// The driver's timestamp.
const fn to_bson(ts: Timestamp) -> bson::Timestamp {
    bson::Timestamp { time: ts.secs, increment: ts.ordinal }
}

/// Ours.
const fn from_bson(ts: bson::Timestamp) -> Timestamp {
    Timestamp { secs: ts.time, ordinal: ts.increment }
}

/// `{ts, t}`, as servers give positions.
pub(crate) fn optime_of(document: &Document) -> Option<OpTime> {
    let ts = from_bson(document.get_timestamp("ts").ok()?);
    Some(OpTime { ts, term: document.get_i64("t").unwrap_or(OpTime::NO_TERM) })
}

impl Source {
    /// Tails the oplog of the primary from an entry, which comes first if it is there: what a majority has.
    pub(crate) async fn tail(&self, from: Timestamp) -> Result<Batches> {
        let command = doc! {
            "find": "oplog.rs", "filter": {"ts": {"$gte": to_bson(from)}},
            "tailable": true, "awaitData": true, "readConcern": majority(),
        };
        let read = Read { patience: Some(TAIL_PATIENCE), batch_size: Some(TAIL_REPLY), ..Read::default() };
        Batches::open(&self.client, "local", command, read, "tail the oplog").await
    }

    /// The oldest entry of the primary's oplog.
    pub(crate) async fn oldest(&self) -> Result<OpTime> {
        oldest(&self.client).await
    }

    /// The entry with exactly this timestamp that a majority has, as it is.
    pub(crate) async fn entry_at(&self, ts: Timestamp) -> Result<Option<Vec<u8>>> {
        let command = doc! {
            "find": "oplog.rs", "filter": {"ts": to_bson(ts)}, "limit": 1, "singleBatch": true,
            "readConcern": majority(),
        };
        let cursor =
            Batches::open(&self.client, "local", command, Read::default(), "look for an entry").await?;
        Ok(cursor.all().await?.pop())
    }

    /// The newest entry before this timestamp. Only for positions that a majority has passed.
    pub(crate) async fn entry_before(&self, ts: Timestamp) -> Result<Option<OpTime>> {
        let command = doc! {
            "find": "oplog.rs", "filter": {"ts": {"$lt": to_bson(ts)}}, "sort": {"$natural": -1}, "limit": 1,
            "singleBatch": true, "readConcern": majority(),
        };
        let cursor =
            Batches::open(&self.client, "local", command, Read::default(), "look for an entry").await?;
        position(cursor.all().await?.pop().as_deref())
    }

    /// Writes a note into the oplog, and reads forward until it is there: everything before it has been seen by who
    /// has read it. Needs the privilege `appendOplogNote`, which the role `backup` has.
    pub(crate) async fn note_read_back(&self) -> Result<OpTime> {
        let mut id = [0; 8];
        OsEntropy.fill(&mut id);
        let id = hex::encode(id);
        let unexpected = || Error::unexpected("the primary's majority point", "it names none");
        let before = self.primary_hello().await?.majority.ok_or_else(unexpected)?;
        let note = doc! {
            "appendOplogNote": 1, "data": {"tidemark": &id},
            "writeConcern": {"w": "majority", "wtimeout": 30_000},
        };
        run(&self.client, note, false, "append a note to the oplog").await?;
        let filter = doc! {"ts": {"$gte": to_bson(before.ts)}, "op": "n", "o.tidemark": &id};
        let read_back = async {
            loop {
                let command = doc! {"find": "oplog.rs", "filter": filter.clone(), "readConcern": majority()};
                let what = "read our note back";
                let cursor = Batches::open(&self.client, "local", command, Read::default(), what).await?;
                if let Some(at) = position(cursor.all().await?.pop().as_deref())? {
                    return Ok(at);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let late = |_| Error::unexpected("our note in the oplog", "it has not appeared in a minute");
        tokio::time::timeout(NOTE_PATIENCE, read_back).await.map_err(late)?
    }

    /// Where the oldest transaction begins that is not decided, as far as the server keeps account of it.
    pub(crate) async fn oldest_open_transaction(&self) -> Result<Option<Timestamp>> {
        let command = doc! {
            "find": "transactions", "filter": {"state": {"$in": ["prepared", "inProgress"]}},
            "projection": {"startOpTime": 1}, "readConcern": {"level": "local"},
        };
        let what = "look for open transactions";
        let cursor = Batches::open(&self.client, "config", command, Read::default(), what).await?;
        let mut oldest: Option<Timestamp> = None;
        for row in cursor.all().await? {
            let start = Doc::new(&row)?.get("startOpTime")?.and_then(|it| it.as_object());
            let ts = start.map(|it| it.get("ts")).transpose()?.flatten().and_then(|it| it.as_timestamp());
            oldest = oldest.into_iter().chain(ts).min();
        }
        Ok(oldest)
    }
}

/// The oldest entry of a member's oplog.
async fn oldest(client: &Client) -> Result<OpTime> {
    let command = doc! {
        "find": "oplog.rs", "hint": {"$natural": Bson::Int32(1)}, "limit": 1, "singleBatch": true,
    };
    let read = Read { any_member: true, ..Read::default() };
    let cursor = Batches::open(client, "local", command, read, "read the oplog's beginning").await?;
    let first = position(cursor.all().await?.pop().as_deref())?;
    first.ok_or_else(|| Error::unexpected("the oplog", "it is empty"))
}

fn position(entry: Option<&[u8]>) -> Result<Option<OpTime>> {
    entry.map(|bytes| Ok(optime(Doc::new(bytes)?)?)).transpose()
}
