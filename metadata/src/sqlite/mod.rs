//! The embedded store: one SQLite database, used by several processes of one machine at once.
//!
//! WAL with `synchronous=FULL` makes commits atomic and durable (<https://www.sqlite.org/wal.html>,
//! <https://www.sqlite.org/pragma.html#pragma_synchronous>). SQLite has no checksums of its own, so each row
//! carries one that is checked whenever the row is read. WAL needs shared memory: the file must not lie on a
//! network file system. Not here: what documents mean.

mod connect;
mod failure;
mod migrate;
mod row;
mod write;

pub(crate) use failure::kind_of;

use crate::error::{Error, Result};
use crate::store::{By, Change, Collection, Document, Query, Store, Version, check_query, judge};
use failure::Place;
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a transaction waits for those of others: theirs are short, and a person may wait for the answer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Collection, id to go on after, prefix, first text after all with the prefix, limit.
const BY_PREFIX: &str = "WHERE collection = ?1 AND id > ?2 AND id >= ?3 AND id < ?4 ORDER BY id LIMIT ?5";
/// Collection, key, id to go on after, limit. The index is named because the planner, which has no statistics,
/// takes the other.
const BY_KEY: &str =
    "INDEXED BY document_by_key WHERE collection = ?1 AND key = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

/// An open database. Threads share it; each process opens its own.
pub struct SqliteStore {
    path: PathBuf,
    busy_timeout: Duration,
    writer: Mutex<Connection>,
    /// How many writes have waited in vain for another process.
    waits_in_vain: AtomicU64,
    readers: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens the database, and makes or brings it up to date if needed. The folder must exist.
    ///
    /// # Errors
    /// `Invalid` if the file is something else or of a newer version; `Corrupt` if it is damaged; `Retry` if it is
    /// locked or the disk is full.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, BUSY_TIMEOUT)
    }

    fn open_with(path: &Path, busy_timeout: Duration) -> Result<Self> {
        connect::create_private(path)?;
        let mut writer = connect::connect(path, busy_timeout)?;
        migrate::bring_up(&mut writer, Place(path), migrate::STEPS)?;
        let readers = Mutex::default();
        let (path, writer, waits_in_vain) = (path.to_owned(), Mutex::new(writer), AtomicU64::new(0));
        Ok(Self { path, busy_timeout, writer, waits_in_vain, readers })
    }

    /// Reads everything once: SQLite's own check of its pages and indexes, and the checksum of each row. Returns the
    /// number of rows.
    ///
    /// # Errors
    /// `Corrupt` with the first thing that is wrong.
    pub fn check(&self) -> Result<u64> {
        self.read(|connection| {
            let said: Vec<String> = connection
                .prepare("PRAGMA integrity_check(3)")
                .and_then(|mut it| it.query_map([], |row| row.get(0))?.collect())
                .map_err(self.place().failed("checking it"))?;
            if said != ["ok"] {
                return Err(self.place().corrupt(said.join("; ")));
            }
            row::check_all(connection, self.place())
        })
    }

    fn place(&self) -> Place<'_> {
        Place(&self.path)
    }

    /// Runs a read on a connection that nobody else uses meanwhile.
    fn read<T>(&self, body: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = lock(&self.readers).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => connect::connect(&self.path, self.busy_timeout)?,
        };
        let result = body(&connection);
        // After a failure a fresh one is opened the next time.
        if result.is_ok() {
            lock(&self.readers).push(connection);
        }
        result
    }
}

impl Store for SqliteStore {
    fn get(&self, collection: Collection, id: &str) -> Result<Option<Document>> {
        self.read(|connection| row::get(connection, self.place(), collection, id))
    }

    fn scan(&self, collection: Collection, query: Query<'_>) -> Result<Vec<Document>> {
        check_query(&query)?;
        let place = self.place();
        let limit = i64::try_from(query.effective_limit()).unwrap_or(i64::MAX);
        let name = collection.as_str();
        let after = query.after.unwrap_or_default();
        self.read(|connection| match query.by {
            // Ids are ASCII: what begins with the prefix lies before prefix + DEL.
            By::IdPrefix(prefix) => row::select(
                connection,
                place,
                BY_PREFIX,
                params![name, after, prefix, format!("{prefix}\x7f"), limit],
            ),
            By::Key(key) => row::select(connection, place, BY_KEY, params![name, key, after, limit]),
        })
    }

    fn apply(&self, changes: &[Change]) -> Result<Version> {
        let judged = judge(changes)?;
        let before = self.waits_in_vain.load(Ordering::SeqCst);
        let connection = lock(&self.writer);
        // Whoever stood in line here while another waited in vain has waited long enough: the line must not grow by
        // ten seconds for each.
        let waited = self.waits_in_vain.load(Ordering::SeqCst) != before;
        let patience = if waited { Duration::ZERO } else { self.busy_timeout };
        connection.busy_timeout(patience).map_err(self.place().failed("setting it up"))?;
        let result = write::apply(&connection, self.place(), &judged);
        if matches!(result, Err(Error::Locked { .. })) {
            self.waits_in_vain.fetch_add(1, Ordering::SeqCst);
        }
        result
    }
}

/// A panic in another thread leaves no connection half-used: its transaction was rolled back on the way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One number out of a query.
fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}

/// Rolls back when it is dropped, unless the transaction was committed; also by a panic.
struct OpenTransaction<'a>(&'a Connection);

impl<'a> OpenTransaction<'a> {
    /// Begins a transaction that writes, so that it waits for others here and never later.
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.execute_batch("COMMIT")
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        // After a commit there is none, nor after some failures, when SQLite has rolled back already.
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

#[cfg(test)]
mod tests;
