//! A real server's side of the comparison by hash; the pure side is [`crate::dbhash`].

use std::collections::BTreeMap;

use bson::{Document, RawDocumentBuf, doc};
use mongodb::sync::Client;
use tidemark_base::Timestamp;

use super::Error;

/// The order in which to read a collection's documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the `_id` index.
    Id,
    /// As they lie in the collection; for a clustered one that is by `_id` too.
    Natural,
}

/// The server's MD5 of each collection of a database, in hex. Views and most `system.*` are not among them.
///
/// # Errors
/// If the server refuses; the role `backup` may not run `dbHash`.
pub fn db_hash(client: &Client, database: &str) -> Result<BTreeMap<String, String>, Error> {
    hash(client, database, doc! {"dbHash": 1})
}

/// The same of a moment that is some minutes old at most. The catalog must be as it was then, and the server must have been
/// started with `enableTestCommands`.
///
/// # Errors
/// If the server refuses, for instance because the catalog is another.
pub fn db_hash_at(client: &Client, database: &str, at: Timestamp) -> Result<BTreeMap<String, String>, Error> {
    hash(client, database, doc! {"dbHash": 1, "$_internalReadAtClusterTime": stamp(at)})
}

const fn stamp(at: Timestamp) -> bson::Timestamp {
    bson::Timestamp { time: at.secs, increment: at.ordinal }
}

fn hash(client: &Client, database: &str, command: Document) -> Result<BTreeMap<String, String>, Error> {
    let reply: Document = client
        .database(database)
        .run_command(command)
        .run()
        .map_err(Error::driver(format!("hash the database '{database}'")))?;
    let unexpected = || Error::unexpected("dbHash", &reply);
    reply
        .get_document("collections")
        .map_err(|_| unexpected())?
        .iter()
        .map(|(name, md5)| Ok((name.clone(), md5.as_str().ok_or_else(unexpected)?.to_owned())))
        .collect()
}

/// A collection's documents in any order, as they were at a moment that is some minutes old at most.
///
/// # Errors
/// If the server refuses, for instance because the catalog is another.
pub fn documents_at(
    client: &Client,
    database: &str,
    collection: &str,
    at: Timestamp,
) -> Result<Vec<RawDocumentBuf>, Error> {
    let what = || format!("read {database}.{collection} at {at}");
    let concern = doc! {"level": "snapshot", "atClusterTime": stamp(at)};
    let command = doc! {"find": collection, "hint": {"$natural": 1}, "readConcern": concern};
    let cursor = client.database(database).run_cursor_command(command).run();
    let mut cursor = cursor.map_err(Error::driver(what()))?;
    let mut documents = Vec::new();
    while cursor.advance().map_err(Error::driver(what()))? {
        documents.push(cursor.current().to_owned());
    }
    Ok(documents)
}

/// A collection's documents, byte for byte as the server sends them.
///
/// # Errors
/// If the server refuses; a clustered collection has no `_id` index to read by.
pub fn documents(
    client: &Client,
    database: &str,
    collection: &str,
    order: Order,
) -> Result<Vec<RawDocumentBuf>, Error> {
    let what = || format!("read {database}.{collection}");
    let hint = match order {
        Order::Id => doc! {"_id": 1},
        Order::Natural => doc! {"$natural": 1},
    };
    let mut cursor = client
        .database(database)
        .collection::<RawDocumentBuf>(collection)
        .find(doc! {})
        .hint(mongodb::options::Hint::Keys(hint))
        .run()
        .map_err(Error::driver(what()))?;
    let mut documents = Vec::new();
    while cursor.advance().map_err(Error::driver(what()))? {
        documents.push(cursor.current().to_owned());
    }
    Ok(documents)
}
