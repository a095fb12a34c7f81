//! What we would dump of a server, from what it lists.

use bson::{Document, RawDocumentBuf, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use tidemark_base::CollectionUuid;
use tidemark_head::dump::plan::{self, Inventory, Plan};
use tidemark_oplog::catalog::Collection;
use tidemark_testkit::everything::first_batch;
use tidemark_testkit::live::dbhash::{Order, documents};

/// What we would dump of this server, from what it lists.
pub(crate) fn plan(client: &Client) -> Plan {
    let run =
        |database: &str, command: Document| client.database(database).run_command(command).run().unwrap();
    let mut collections = Vec::new();
    let mut views = BTreeMap::new();
    let raw = |document: &Document| document.to_vec().unwrap();
    for database in client.list_database_names().run().unwrap() {
        let reply = run(&database, doc! {"listCollections": 1, "cursor": {"batchSize": 1000}});
        for listed in first_batch(&reply) {
            if listed.get_str("type").unwrap() != "collection" {
                continue;
            }
            let name = listed.get_str("name").unwrap().to_owned();
            let info = listed.get_document("info").unwrap();
            let Some(bson::Bson::Binary(uuid)) = info.get("uuid") else { panic!("{listed}") };
            let uuid = CollectionUuid::from_bytes(uuid.bytes.as_slice().try_into().unwrap());
            let options = raw(listed.get_document("options").unwrap());
            let indexes = run(&database, doc! {"listIndexes": &name});
            let indexes = first_batch(&indexes).map(raw).collect();
            if name == "system.views" {
                let all = documents(client, &database, &name, Order::Id).unwrap();
                let all = all.into_iter().map(RawDocumentBuf::into_bytes).collect();
                views.insert(database.clone(), all);
            }
            collections.push((uuid, Collection { database: database.clone(), name, options, indexes }));
        }
    }
    let version = documents(client, "admin", "system.version", Order::Id).unwrap();
    plan::plan(&Inventory {
        collections: collections.iter().map(|(uuid, it)| (*uuid, it)).collect(),
        views: views.iter().map(|(database, all): (_, &Vec<_>)| (database.as_str(), all.clone())).collect(),
        users: Some(version.into_iter().map(RawDocumentBuf::into_bytes).collect()),
    })
    .unwrap()
}
