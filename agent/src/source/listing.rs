//! The collections of a member, as a copy describes them.

use super::cursor::{ANSWER, Batches, Read, any_member, in_time};
use crate::error::codes;
use crate::{Error, Result};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, doc};
use mongodb::Client;
use std::time::Duration;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, DocWriter, kind};
use tidemark_oplog::filter::Filter;

const ANY: Read = Read { batch_size: None, patience: None, any_member: true };
/// How often an answer is asked for that servers cannot give for a moment.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// A collection that is to be copied.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) uuid: CollectionUuid,
    pub(crate) database: String,
    pub(crate) name: String,
    options: Vec<u8>,
}

/// A collection's UUID, as commands take it in place of a name.
pub(crate) fn by_uuid(uuid: CollectionUuid) -> Binary {
    Binary { subtype: BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() }
}

/// What a member says of the data of one collection, if it says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Storage {
    /// The table that holds it, named at random when it was made: a member that was synced anew has another, and other
    /// record ids with it.
    pub(crate) table: Option<String>,
    /// The average length of a document, in bytes.
    pub(crate) document_bytes: Option<u64>,
}

/// Whether a member has a collection, whatever it is called by now.
pub(crate) async fn is_there(client: &Client, found: &Found) -> Result<bool> {
    Ok(row_of(client, found).await?.is_some())
}

/// What a member lists of a collection.
async fn row_of(client: &Client, found: &Found) -> Result<Option<Vec<u8>>> {
    let command = doc! {"listCollections": 1, "filter": {"info.uuid": by_uuid(found.uuid)}};
    let rows = Batches::open(client, &found.database, command, ANY, "list collections").await?.all().await?;
    Ok(rows.into_iter().next())
}

/// Asks how a member keeps a collection; none if it has none. Who may not know goes on without. Whoever cannot ask just
/// now must not: without an answer a scan is begun anew.
pub(crate) async fn storage(client: &Client, found: &Found) -> Result<Option<Storage>> {
    // The command wants a name, which may have changed.
    let Some(row) = row_of(client, found).await? else { return Ok(None) };
    let now = collection(&found.database, Doc::new(&row)?)?;
    let database = client.database(&found.database);
    let run = database.run_command(doc! {"collStats": now.name});
    let run = run.selection_criteria(any_member()).into_future();
    let reply = match in_time(ANSWER, "ask how a collection is kept", run).await {
        Err(error) if error.mongo_code() == Some(codes::UNAUTHORIZED) => return Ok(Some(Storage::default())),
        reply => reply?,
    };
    let number = |field| match reply.get(field) {
        Some(Bson::Int32(number)) => u64::try_from(*number).ok(),
        Some(Bson::Int64(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let uri = reply.get_document("wiredTiger").and_then(|it| it.get_str("uri")).ok();
    let table = uri.and_then(|uri| uri.rsplit(':').next()).map(str::to_owned);
    Ok(Some(Storage { table, document_bytes: number("avgObjSize") }))
}

/// All collections of a member that the filter keeps. Views are documents of `system.views`, which is one of them.
pub(crate) async fn collections(client: &Client, filter: &Filter) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for database in databases(client).await? {
        if !filter.keeps_any_of(&database) {
            continue;
        }
        let command = doc! {"listCollections": 1, "filter": {"type": "collection"}};
        let rows = Batches::open(client, &database, command, ANY, "list collections").await?.all().await?;
        for row in rows {
            let collection = collection(&database, Doc::new(&row)?)?;
            if filter.keeps_collection(&database, &collection.name) {
                found.push(collection);
            }
        }
    }
    Ok(found)
}

async fn databases(client: &Client) -> Result<Vec<String>> {
    let command = doc! {"listDatabases": 1, "nameOnly": true, "authorizedDatabases": false};
    let reply = super::cursor::run(client, command, true, "list databases").await?;
    let rows = reply.get_array("databases").map_err(|error| Error::unexpected("listDatabases", error))?;
    Ok(rows.iter().filter_map(|row| Some(row.as_document()?.get_str("name").ok()?.to_owned())).collect())
}

fn collection(database: &str, row: Doc<'_>) -> Result<Found> {
    let wrong =
        |field| Error::unexpected(format!("listCollections of {database}"), format!("a row has no {field}"));
    let name = row.get("name")?.and_then(|it| it.as_str()).ok_or_else(|| wrong("name"))?;
    let options = row.get("options")?.and_then(|it| it.as_object()).ok_or_else(|| wrong("options"))?;
    let info = row.get("info")?.and_then(|it| it.as_object()).ok_or_else(|| wrong("info"))?;
    let uuid = info.get("uuid")?.and_then(|it| it.as_uuid()).ok_or_else(|| wrong("UUID"))?;
    Ok(Found {
        uuid: CollectionUuid::from_bytes(uuid),
        database: database.to_owned(),
        name: name.to_owned(),
        options: options.as_bytes().to_vec(),
    })
}

impl Found {
    /// The description that a copy begins with; none if the collection is gone.
    pub(crate) async fn describe(&self, client: &Client) -> Result<Option<Vec<u8>>> {
        let Some(indexes) = self.indexes(client).await? else { return Ok(None) };
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        w.string(b"db", self.database.as_bytes());
        w.string(b"name", self.name.as_bytes());
        w.raw(kind::OBJECT, b"options", &self.options);
        let list = w.begin_field(kind::ARRAY, b"indexes");
        for (number, index) in indexes.iter().enumerate() {
            w.raw(kind::OBJECT, number.to_string().as_bytes(), index);
        }
        w.end(list);
        w.end(open);
        Ok(Some(out))
    }

    /// Its indexes that are ready: those being built come with the oplog when they are.
    async fn indexes(&self, client: &Client) -> Result<Option<Vec<Vec<u8>>>> {
        for attempt in 1.. {
            // 6.0 cannot show builds on the measurements of a time-series collection: error 5254501, for as long as one
            // goes on. Then an index may be among them that is not ready: its commit or abort is in the oplog.
            let with_builds = attempt <= ATTEMPTS;
            let mut command = doc! {"listIndexes": by_uuid(self.uuid), "cursor": {}};
            if with_builds {
                command.insert("includeBuildUUIDs", true);
            }
            let rows = match Batches::open(client, &self.database, command, ANY, "list indexes").await {
                Ok(cursor) => cursor.all().await,
                Err(error) => Err(error),
            };
            match rows {
                Ok(rows) => return ready(rows).map(Some),
                Err(error) if error.mongo_code() == Some(codes::NAMESPACE_NOT_FOUND) => return Ok(None),
                Err(error) if is_passing(&error) && attempt < 2 * ATTEMPTS => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// Without those being built, which come as `{buildUUID, spec}`.
fn ready(rows: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let mut indexes = Vec::with_capacity(rows.len());
    for row in rows {
        if Doc::new(&row)?.get("buildUUID")?.is_none() {
            indexes.push(row);
        }
    }
    Ok(indexes)
}

/// Whether it was the server that said so, and may say otherwise soon.
fn is_passing(error: &Error) -> bool {
    error.mongo_code().is_some_and(|code| code != codes::UNAUTHORIZED)
}
