//! Reading rows. Each has a checksum over all its fields, and none leaves this file unchecked.
//!
//! The sum finds damage, not tampering: who can write to the file can do anything anyway.

use super::failure::Place;
use crate::error::Result;
use crate::store::{Collection, Document, Version};
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use tidemark_base::limits::MAX_COUNTER;
use xxhash_rust::xxh3::Xxh3;

/// A row before it is checked.
struct Raw {
    collection: String,
    document: Document,
    sum: i64,
}

const FIELDS: &str = "SELECT collection, id, key, version, body, sum FROM document ";

/// The checksum of a row: each field with its length before it, numbers as they are stored.
pub(super) fn sum(collection: &str, document: &Document) -> i64 {
    let Document { id, key, version, body } = document;
    let mut hasher = Xxh3::new();
    for text in [Some(collection), Some(id.as_str()), key.as_deref(), Some(body.as_str())] {
        match text {
            Some(text) => {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            None => hasher.update(&u64::MAX.to_le_bytes()),
        }
    }
    hasher.update(&version.0.to_le_bytes());
    hasher.digest().cast_signed()
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let version = Version(row.get::<_, i64>(3)?.cast_unsigned());
    let document = Document { id: row.get(1)?, key: row.get(2)?, version, body: row.get(4)? };
    Ok(Raw { collection: row.get(0)?, document, sum: row.get(5)? })
}

fn checked(place: Place<'_>, raw: Raw) -> Result<Document> {
    let Raw { collection, document, sum: stored } = raw;
    if sum(&collection, &document) == stored {
        return Ok(document);
    }
    let row = format!("'{}' of {}", document.id.escape_debug(), collection.escape_debug());
    Err(place.corrupt_row(&row, "its checksum does not fit"))
}

/// The row of one id.
pub(super) fn get(
    connection: &Connection,
    place: Place<'_>,
    collection: Collection,
    id: &str,
) -> Result<Option<Document>> {
    let rows =
        select(connection, place, "WHERE collection = ?1 AND id = ?2", params![collection.as_str(), id])?;
    Ok(rows.into_iter().next())
}

/// The rows of a condition, given as the rest of the statement.
pub(super) fn select(
    connection: &Connection,
    place: Place<'_>,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<Document>> {
    let sql = format!("{FIELDS}{condition}");
    let failed = || conversion(place, "reading records");
    let mut statement = connection.prepare_cached(&sql).map_err(place.failed("reading records"))?;
    let rows = statement.query_map(parameters, raw).map_err(failed())?;
    rows.map(|it| checked(place, it.map_err(failed())?)).collect()
}

/// Text that is not UTF-8, or a number where a text should be, is damage: we never wrote that.
fn conversion<'a>(
    place: Place<'a>,
    action: &'static str,
) -> impl FnOnce(rusqlite::Error) -> crate::Error + 'a {
    move |error| match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => place.corrupt("a row holds what was never written"),
        other => place.failed(action)(other),
    }
}

/// Checks all rows and returns how many there are.
pub(super) fn check_all(connection: &Connection, place: Place<'_>) -> Result<u64> {
    let mut statement = connection.prepare(FIELDS).map_err(place.failed("checking it"))?;
    let rows = statement.query_map([], raw).map_err(place.failed("checking it"))?;
    let mut count = 0;
    for row in rows {
        checked(place, row.map_err(conversion(place, "checking it"))?)?;
        count += 1;
    }
    last_version(connection, place)?;
    Ok(count)
}

const COUNTER: &str = "version";

fn counter_sum(value: i64) -> i64 {
    let mut hasher = Xxh3::new();
    hasher.update(COUNTER.as_bytes());
    hasher.update(&value.to_le_bytes());
    hasher.digest().cast_signed()
}

/// The greatest version that was ever given out.
pub(super) fn last_version(connection: &Connection, place: Place<'_>) -> Result<u64> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT value, sum FROM counter WHERE name = ?1")
        .and_then(|mut it| it.query_row([COUNTER], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(conversion(place, "reading its counter"))?;
    let Some((value, stored)) = found else {
        return Err(place.corrupt_row("of the counter", "it is missing"));
    };
    if counter_sum(value) != stored {
        return Err(place.corrupt_row("of the counter", "its checksum does not fit"));
    }
    match u64::try_from(value) {
        Ok(value) if value < MAX_COUNTER => Ok(value),
        _ => Err(place.corrupt_row("of the counter", "it is out of range")),
    }
}

/// Notes the greatest version given out.
pub(super) fn put_last_version(connection: &Connection, value: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO counter VALUES(?1, ?2, ?3) ON CONFLICT(name) DO UPDATE SET value = ?2, sum = ?3",
        )
        .and_then(|mut it| it.execute(params![COUNTER, value, counter_sum(value)]))
        .map(drop)
}
