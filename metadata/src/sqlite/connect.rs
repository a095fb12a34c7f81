//! Making the file and opening connections to it.

use super::failure::Place;
use crate::error::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Page cache of each connection, in KiB.
const CACHE_KIB: i64 = 4 << 10;

/// Makes an empty file that only its owner may read, if there is none: it will hold hashes of passwords. SQLite
/// gives its side files the same mode, and takes an empty file for a new database.
pub(super) fn create_private(path: &Path) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let failed = |source| Error::Io { action: "making", path: path.to_owned(), source };
    match made {
        Ok(_) => {
            let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
            let folder = parent.unwrap_or_else(|| Path::new("."));
            File::open(folder).and_then(|it| it.sync_all()).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let problem = "its folder does not exist: make it first".to_owned();
            Err(Error::BadFile { path: path.to_owned(), problem })
        }
        Err(error) => Err(failed(error)),
    }
}

/// Opens a connection to the file. Switching a new file to WAL excludes all others for a moment, and SQLite does
/// not wait for that by itself.
pub(super) fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    let place = Place(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(place.failed("opening it"))?;
    connection.busy_timeout(busy_timeout).map_err(place.failed("setting it up"))?;
    let pause = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match to_wal(&connection).map_err(place.failed("setting it up")) {
            Ok(()) => break,
            Err(Error::Locked { .. }) if waited < busy_timeout => {
                std::thread::sleep(pause);
                waited += pause;
            }
            Err(error) => return Err(error),
        }
    }
    let setup = "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;";
    connection.execute_batch(setup).map_err(place.failed("setting it up"))?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(place.failed("setting it up"))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0)).map(drop)
}
