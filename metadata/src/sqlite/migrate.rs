//! The versions of the database's own form, and the steps from each to the next.
//!
//! SQLite's `user_version` says which it has; `application_id` says that it is ours. All steps that are missing
//! run in one transaction, so whoever opens it first does it, and a crash in between leaves the old version.
//! A step that was released never changes. Versions of records are another matter: see `record.rs`.

use super::failure::Place;
use super::{OpenTransaction, number, row};
use crate::error::{Error, Result};
use rusqlite::Connection;

/// `TDMK`: what `file` and others see.
pub(super) const APPLICATION_ID: i64 = 0x5444_4d4b;

/// A step from one version to the next.
pub(super) type Step = fn(&Connection) -> rusqlite::Result<()>;

/// All steps: the first makes version 1 out of nothing.
pub(super) const STEPS: &[Step] = &[version_1];

fn version_1(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE document(
             collection TEXT NOT NULL, id TEXT NOT NULL, key TEXT, version INTEGER NOT NULL,
             body TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(collection, id)) WITHOUT ROWID, STRICT;
         CREATE INDEX document_by_key ON document(collection, key, id) WHERE key IS NOT NULL;
         CREATE TABLE counter(name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL, sum INTEGER NOT NULL)
             WITHOUT ROWID, STRICT;",
    )?;
    row::put_last_version(connection, 0)
}

/// Checks whose the database is and runs the steps that it lacks.
pub(super) fn bring_up(connection: &mut Connection, place: Place<'_>, steps: &[Step]) -> Result<()> {
    let supported = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    if version_of(connection, place, supported)? == supported {
        return Ok(());
    }
    let failed = || place.failed("bringing it up to date");
    let transaction = OpenTransaction::begin(connection).map_err(failed())?;
    // Another process may have done it in between.
    let found = version_of(connection, place, supported)?;
    for step in steps.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        step(connection).map_err(failed())?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed())?;
    connection.pragma_update(None, "user_version", supported).map_err(failed())?;
    transaction.commit().map_err(failed())
}

/// The version of the database; 0 if it is new.
fn version_of(connection: &Connection, place: Place<'_>, supported: u32) -> Result<u32> {
    let ask = |sql| number(connection, sql).map_err(place.failed("looking what it is"));
    let (application, version) = (ask("PRAGMA application_id")?, ask("PRAGMA user_version")?);
    let not_ours = |why: String| Err(Error::NotOurs { path: place.0.to_owned(), why });
    if application == 0 && version == 0 {
        let tables = ask("SELECT count(*) FROM sqlite_schema")?;
        return if tables == 0 { Ok(0) } else { not_ours("a SQLite database of another program".into()) };
    }
    if application != APPLICATION_ID {
        return not_ours(format!("a SQLite database with the mark {application:#x}"));
    }
    match u32::try_from(version) {
        Ok(0) | Err(_) => Err(place.corrupt(format!("its version is {version}"))),
        Ok(version) if version > supported => {
            Err(Error::Newer { place: place.0.display().to_string(), found: version, supported })
        }
        Ok(version) => Ok(version),
    }
}
