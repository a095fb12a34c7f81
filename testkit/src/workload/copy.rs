//! A copy of databases while others write: collection by collection, by UUID, as an initial sync takes it.

use crate::state::{Bytes, Collection, Order, State};
use bson::spec::BinarySubtype;
use bson::{Binary, Document, RawDocumentBuf, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::sync::{Client, Database};
use std::borrow::Cow;
use std::time::Duration;
use tidemark_base::CollectionUuid;

/// So few that a scan is interrupted by drops and renames.
const BATCH: i32 = 7;
const ATTEMPTS: u32 = 1000;

const NAMESPACE_NOT_FOUND: i32 = 26;
/// The codes by which a server ends a scan whose collection was renamed, dropped or overwritten meanwhile, or
/// a catalog that changed under a majority read. The last one is 6.0's answer to `listIndexes` with
/// `includeBuildUUIDs` as long as an index on measurements of a time-series collection is being built: it
/// cannot read the `originalSpec` in its own reply.
const INTERRUPTIONS: [i32; 6] = [43, 136, 175, 237, 246, 5_254_501];
const PAUSE: Duration = Duration::from_millis(5);

/// Copies databases, collection by collection, while others write.
///
/// # Panics
/// If the server refuses.
#[must_use]
pub fn take(client: &Client, databases: &[String]) -> State {
    let mut state = State::default();
    for name in databases {
        let database = client.database(name);
        let listing = list(&database, doc! {"listCollections": 1}).unwrap();
        for row in listing {
            if row.get_str("type").unwrap() == "collection" {
                state.collections.extend(collection(&database, &row));
            }
        }
    }
    state
}

/// None if it was dropped meanwhile.
fn collection(database: &Database, row: &RawDocumentBuf) -> Option<Collection> {
    let (name, options) = (row.get_str("name").unwrap(), row.get_document("options").unwrap());
    let uuid = row.get_document("info").unwrap().get_binary("uuid").unwrap().bytes;
    let by_uuid = Binary { subtype: BinarySubtype::Uuid, bytes: uuid.to_vec() };
    // Unfinished builds come as {buildUUID, spec}: their commits bring them.
    let rows = list(database, doc! {"listIndexes": &by_uuid, "includeBuildUUIDs": true, "cursor": {}})?;
    let indexes = rows.iter().filter(|row| row.get("buildUUID").unwrap().is_none()).map(bytes).collect();
    let scan = doc! {
        "find": &by_uuid, "hint": {"$natural": 1}, "batchSize": BATCH, "readConcern": {"level": "majority"},
    };
    let documents = list(database, scan)?;
    // A clustered collection that is made capped lies in the order of `_id` all the same.
    let by_insertion =
        options.get_bool("capped").unwrap_or(false) && options.get("clusteredIndex").unwrap().is_none();
    Some(Collection {
        db: database.name().to_owned(),
        name: name.to_owned(),
        uuid: Some(CollectionUuid::from_bytes(uuid.try_into().unwrap())),
        options: Cow::Owned(options.as_bytes().to_vec()),
        listing: None,
        indexes,
        documents: documents.iter().map(bytes).collect(),
        order: if by_insertion { Order::Natural } else { Order::Scan },
    })
}

fn bytes(document: &RawDocumentBuf) -> Bytes {
    Cow::Owned(document.as_bytes().to_vec())
}

/// All that a command with a cursor gives, from the beginning if it is interrupted; none if the collection is
/// gone.
fn list(database: &Database, command: Document) -> Option<Vec<RawDocumentBuf>> {
    for _ in 0..ATTEMPTS {
        match try_list(database, command.clone()) {
            Ok(rows) => return Some(rows),
            Err(error) => match code(&error) {
                Some(NAMESPACE_NOT_FOUND) => return None,
                Some(code) if INTERRUPTIONS.contains(&code) => std::thread::sleep(PAUSE),
                _ => panic!("{command}: {error}"),
            },
        }
    }
    panic!("{command} was interrupted {ATTEMPTS} times");
}

fn try_list(database: &Database, command: Document) -> mongodb::error::Result<Vec<RawDocumentBuf>> {
    let mut cursor = database.run_cursor_command(command).run()?;
    let mut rows = Vec::new();
    while cursor.advance()? {
        rows.push(cursor.current().to_owned());
    }
    Ok(rows)
}

fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}
