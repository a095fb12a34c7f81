//! A real server's side of the comparison by hash; the pure side is [`crate::dbhash`].

use std::collections::BTreeMap;

use bson::{Document, RawDocumentBuf, doc};
use mongodb::sync::Client;

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
    let reply: Document = client
        .database(database)
        .run_command(doc! {"dbHash": 1})
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
