//! The rows of a local store: one SQLite table of keys and values, written by one connection, read by many.
//!
//! SQLite in WAL mode with `synchronous=FULL` makes commits atomic and durable
//! (<https://www.sqlite.org/wal.html>, <https://www.sqlite.org/pragma.html#pragma_synchronous>). A publish
//! is journalled to `refs.log` before its commit.

use super::journal::Journal;
use super::names;
use crate::backend::{Row, Txn, TxnBody};
use crate::disk::{CommitPoint, Folder};
use crate::error::{Error, Result};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tidemark_base::StoreId;

/// How long a transaction waits for those of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);
/// Page cache of each connection, in KiB.
const CACHE_KIB: i64 = 16 << 10;

/// Key of the row that says whose database this is.
const IDENTITY: &[u8] = b"i";

/// The open database.
pub(super) struct Db {
    folder: Folder,
    path: PathBuf,
    journal: Journal,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Whether a relaxed commit waits for a durable one.
    relaxed: AtomicBool,
}

fn failed(action: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| Error::Database { action, source }
}

/// Opens or makes a database file.
pub(super) fn connect(path: &Path, create: bool) -> Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags).map_err(failed("opening it"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed("setting it up"))?;
    let setup = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;
                 PRAGMA cell_size_check=ON;";
    connection.execute_batch(setup).map_err(failed("setting it up"))?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed("setting it up"))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Makes the table, and notes whose it is.
pub(super) fn initialise(connection: &Connection, store: StoreId) -> Result<()> {
    connection
        .execute_batch("CREATE TABLE row(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;")
        .map_err(failed("making its table"))?;
    let mut txn = SqlTxn::reading(connection);
    txn.put(IDENTITY, &crate::state::row::seal(IDENTITY, store.as_bytes().to_vec()))
}

/// Whose database this is; an error if it cannot be told.
pub(super) fn store_of(connection: &Connection) -> Result<StoreId> {
    let mut txn = SqlTxn::reading(connection);
    let found = crate::state::row::get(&mut txn, IDENTITY, |reader| reader.array("store id"))?;
    let missing = || Error::BadRow { place: names::INDEX.into(), problem: "it names no store".into() };
    found.map(StoreId::from_bytes).ok_or_else(missing)
}

impl Db {
    /// Takes over an open connection to the database at `path`.
    pub(super) fn new(folder: Folder, path: PathBuf, journal: Journal, writer: Connection) -> Self {
        let (writer, readers) = (Mutex::new(writer), Mutex::default());
        Self { folder, path, journal, writer, readers, relaxed: AtomicBool::new(false) }
    }

    pub(super) fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        let pooled = lock(&self.readers).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path, false)?,
        };
        // Prepared once: a reader does this for every few blocks.
        let run = |sql| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        run("BEGIN DEFERRED").map_err(failed("beginning to read"))?;
        let result = body(&mut SqlTxn::reading(&connection));
        // If this fails the connection is not used again; what the body met comes first.
        let ended = run("ROLLBACK").map_err(failed("ending a read"));
        if ended.is_ok() {
            lock(&self.readers).push(connection);
        }
        result.and(ended.map(drop))
    }

    pub(super) fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        let connection = lock(&self.writer);
        if !self.relaxed.load(Ordering::SeqCst) {
            return self.write_on(&connection, CommitPoint::After, body);
        }
        set_level(&connection, "FULL")?;
        // SQLite syncs nothing for a transaction that changes nothing, and writing a row as it was is none:
        // a number of its own makes sure that this one does.
        let failed = || failed("making earlier commits durable");
        self.write_on(&connection, CommitPoint::After, &mut |txn| {
            let number: i32 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed())?;
            let next = number.wrapping_add(1);
            connection.pragma_update(None, "user_version", next).map_err(failed())?;
            body(txn)
        })?;
        self.relaxed.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Commits without waiting for the disk; the next commit of [`Self::write`] takes it along, since both
    /// stand in one write-ahead log. However this ends, that one also waits for the disk again.
    pub(super) fn write_relaxed(&self, body: &mut TxnBody<'_>) -> Result<()> {
        let connection = lock(&self.writer);
        self.relaxed.store(true, Ordering::SeqCst);
        set_level(&connection, "NORMAL")?;
        self.write_on(&connection, CommitPoint::AfterRelaxed, body)
    }

    fn write_on(&self, connection: &Connection, after: CommitPoint, body: &mut TxnBody<'_>) -> Result<()> {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(failed("beginning to write"))?;
        let open = OpenTransaction(connection);
        let mut txn = SqlTxn { connection, journal: Some(&self.journal), journalled: false };
        let outcome = (|| {
            body(&mut txn)?;
            self.tell(CommitPoint::Before)?;
            connection.execute_batch("COMMIT").map_err(failed("committing"))
        })();
        drop(open);
        if let Err(e) = outcome {
            if txn.journalled {
                // The caller will read that the publish did not happen: it must not come true when the store
                // is next opened. If this fails as well, it still may, until a publish or a collection.
                let _ = self.write_on(connection, after, &mut |txn| self.journal.drop_tail(txn));
            }
            return Err(e);
        }
        self.tell(after)
    }

    fn tell(&self, point: CommitPoint) -> Result<()> {
        let disk = &self.folder.disk;
        disk.commit_point(point).map_err(|e| Error::io("committing", &self.path, e))
    }

    /// Brings rows and `refs.log` together after opening; see [`Journal::settle`].
    pub(super) fn settle(&self) -> Result<super::journal::Settled> {
        let mut settled = None;
        self.write(&mut |txn| {
            settled = Some(self.journal.settle(txn)?);
            Ok(())
        })?;
        Ok(settled.expect("set by the body that has just succeeded"))
    }

    /// What SQLite finds wrong with its file: a flipped byte may hide a row, which no checksum of a row shows.
    pub(super) fn integrity(&self) -> Result<Vec<String>> {
        let connection = connect(&self.path, false)?;
        let checked = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            lines.filter(|line| line.as_ref().map_or(true, |line| line != "ok")).collect()
        };
        checked().map_err(failed("checking itself"))
    }

    /// Moves everything into the one file of the database, as far as nobody else has it open.
    pub(super) fn fold(&self) -> Result<()> {
        let connection = lock(&self.writer);
        let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        folded.map_err(failed("moving its log into it"))
    }

    /// How rows and `refs.log` differ, if they do.
    pub(super) fn compare_with_log(&self) -> Result<Option<String>> {
        let mut difference = None;
        // A write transaction, so that no publish comes in between.
        self.write(&mut |txn| {
            difference = self.journal.compare(txn)?;
            Ok(())
        })?;
        Ok(difference)
    }
}

/// How far a commit waits for the disk: see `synchronous` at the head of this file.
fn set_level(connection: &Connection, level: &str) -> Result<()> {
    connection.pragma_update(None, "synchronous", level).map_err(failed("setting it up"))
}

/// A transaction that may write: rolled back if it is not committed when this is dropped, also by a panic.
struct OpenTransaction<'a>(&'a Connection);

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        // After a commit there is none, nor after some failures, when SQLite has rolled back already.
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// A panic in another thread leaves no connection half-used: its transaction was rolled back on the way; so
/// poisoning adds nothing.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct SqlTxn<'a> {
    connection: &'a Connection,
    journal: Option<&'a Journal>,
    /// Whether something was handed to the journal, even if that failed.
    journalled: bool,
}

impl<'a> SqlTxn<'a> {
    /// A transaction without a journal.
    fn reading(connection: &'a Connection) -> Self {
        Self { connection, journal: None, journalled: false }
    }
}

impl Txn for SqlTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT value FROM row WHERE key = ?1")
            .map_err(failed("reading a row"))?;
        statement.query_row([key], |row| row.get(0)).optional().map_err(failed("reading a row"))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut statement = self
            .connection
            .prepare_cached(
                "INSERT INTO row(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2",
            )
            .map_err(failed("writing a row"))?;
        statement.execute(params![key, value]).map(drop).map_err(failed("writing a row"))
    }

    fn replace_if(&mut self, key: &[u8], prefix: &[u8], new: Option<&[u8]>) -> Result<bool> {
        let changed = match new {
            Some(new) => self
                .connection
                .prepare_cached(
                    "UPDATE row SET value = ?3 WHERE key = ?1 AND substr(value, 1, length(?2)) = ?2",
                )
                .and_then(|mut statement| statement.execute(params![key, prefix, new])),
            None => self
                .connection
                .prepare_cached("DELETE FROM row WHERE key = ?1 AND substr(value, 1, length(?2)) = ?2")
                .and_then(|mut statement| statement.execute(params![key, prefix])),
        };
        changed.map(|rows| rows > 0).map_err(failed("changing a row"))
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        let mut statement = self
            .connection
            .prepare_cached("DELETE FROM row WHERE key = ?1")
            .map_err(failed("deleting a row"))?;
        statement.execute([key]).map(drop).map_err(failed("deleting a row"))
    }

    fn scan(&mut self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Row>> {
        // The smallest key greater than all with the prefix; prefixes of 0xff bytes alone don't occur.
        let mut beyond = prefix.to_vec();
        while let Some(last) = beyond.pop() {
            if last < u8::MAX {
                beyond.push(last + 1);
                break;
            }
        }
        let sql = match after {
            Some(_) => "SELECT key, value FROM row WHERE key > ?1 AND key < ?2 ORDER BY key LIMIT ?3",
            None => "SELECT key, value FROM row WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        };
        let mut statement = self.connection.prepare_cached(sql).map_err(failed("listing rows"))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![after.unwrap_or(prefix), beyond, limit], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(failed("listing rows"))?;
        rows.collect::<std::result::Result<_, _>>().map_err(failed("listing rows"))
    }

    fn journal(&mut self, publish: &[u8]) -> Result<()> {
        self.journalled = true;
        match self.journal {
            Some(journal) => journal.append(self, publish),
            None => Err(Error::invalid("a publish needs a transaction that may write")),
        }
    }

    fn drop_dead_publish(&mut self) -> Result<()> {
        match self.journal {
            Some(journal) => journal.drop_tail(self),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
