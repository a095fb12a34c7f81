//! Applying a batch: one transaction that compares, then writes.

use super::failure::Place;
use super::{OpenTransaction, row};
use crate::error::Result;
use crate::store::{Change, Document, Judged, Version, Write};
use rusqlite::{Connection, params};

const PUT: &str =
    "INSERT INTO document(collection, id, key, version, body, sum) VALUES(?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT(collection, id) DO UPDATE SET key = ?3, version = ?4, body = ?5, sum = ?6";

/// Applies a batch, or leaves everything as it was.
pub(super) fn apply(connection: &Connection, place: Place<'_>, judged: &Judged<'_>) -> Result<Version> {
    let failed = || place.failed("writing records");
    let transaction = OpenTransaction::begin(connection).map_err(failed())?;
    for change in judged.0 {
        let found = row::get(connection, place, change.collection, &change.id)?;
        change.compare(found.as_ref())?;
    }
    let version = row::last_version(connection, place)? + 1;
    row::put_last_version(connection, version.cast_signed()).map_err(failed())?;
    for change in judged.0 {
        write(connection, change, Version(version)).map_err(failed())?;
    }
    transaction.commit().map_err(failed())?;
    Ok(Version(version))
}

fn write(connection: &Connection, change: &Change, version: Version) -> rusqlite::Result<()> {
    let (collection, id) = (change.collection.as_str(), &change.id);
    match &change.write {
        Write::Put { key, body } => {
            let document = Document { id: id.clone(), key: key.clone(), version, body: body.clone() };
            let sum = row::sum(collection, &document);
            let values = params![collection, id, key, version.0.cast_signed(), body, sum];
            connection.prepare_cached(PUT)?.execute(values)?;
        }
        Write::Delete => {
            let sql = "DELETE FROM document WHERE collection = ?1 AND id = ?2";
            connection.prepare_cached(sql)?.execute(params![collection, id])?;
        }
        Write::Keep => {}
    }
    Ok(())
}
