//! Dumps that lack UUIDs, and the real oplog after them: made-up ones give way, and nothing is lost or doubled.

use crate::through;
use bson::{Bson, DateTime, Document, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::Doc;
use tidemark_head::head::Head;
use tidemark_testkit::dbhash;
use tidemark_testkit::everything::first_batch;
use tidemark_testkit::live::dbhash::{Order, db_hash, documents};

/// Something is done to every collection, in every way in which the oplog can name one first.
pub(crate) fn work(client: &Client) {
    let app = client.database("app");
    let run = |database: &str, command: Document| {
        client
            .database(database)
            .run_command(command.clone())
            .run()
            .unwrap_or_else(|e| panic!("{command}: {e}"))
    };
    let insert = |name: &str, document: Document| app.collection(name).insert_one(document).run().unwrap();
    let long = "x".repeat(200);
    let longer = "ü".repeat(110);

    // Writes: one document at a time, many in an entry, in a transaction.
    for name in
        ["ids", "sl/ash", "ünï", "UPPER", "new\nline", &long, &longer, "capped", "collated", "clustered"]
    {
        insert(name, doc! {"_id": format!("new in {name}")});
    }
    let orders = app.collection::<Document>("orders");
    orders.update_many(doc! {}, doc! {"$set": {"touched": true}}).run().unwrap();
    orders.delete_many(doc! {"_id": {"$mod": [7, 0]}}).run().unwrap();
    app.collection("system.js")
        .insert_one(doc! {"_id": "g", "value": Bson::JavaScriptCode("g".into())})
        .run()
        .unwrap();
    client.database("admin").collection("mine").insert_one(doc! {"_id": 2}).run().unwrap();
    let mut session = client.start_session().run().unwrap();
    session.start_transaction().run().unwrap();
    for name in ["checked", "images"] {
        let into = app.collection::<Document>(name);
        into.insert_one(doc! {"_id": "in a transaction", "a": 6}).session(&mut session).run().unwrap();
    }
    session.commit_transaction().run().unwrap();

    // Commands: indexes, renames with and without a target, a new capped one in place of an old, dropping.
    run("app", doc! {"createIndexes": "empty", "indexes": [{"key": {"z": 1}, "name": "z"}]});
    run("admin", doc! {"renameCollection": "app.plus+", "to": "app.minus"});
    run("admin", doc! {"renameCollection": "app.minus", "to": "app.sp ace", "dropTarget": true});
    run("app", doc! {"convertToCapped": "with.dots", "size": 1 << 16});
    run("app", doc! {"aggregate": "ids", "pipeline": [{"$out": "perc%25"}], "cursor": {}});
    run("app", doc! {"drop": "clustered"});
    run("app", doc! {"create": "clustered"});
    run("other-db", doc! {"dropDatabase": 1});
    client.database("other-db").collection("c").insert_one(doc! {"_id": "again"}).run().unwrap();

    // What no dump tells the UUIDs of.
    insert("ts", doc! {"t": DateTime::from_millis(1_700_000_000_000), "m": {"a": 1, "b": "x"}, "v": -1});
    insert("ts", doc! {"t": DateTime::from_millis(1_800_000_000_000), "m": "new", "v": 1});
    run("app", doc! {"createIndexes": "ts", "indexes": [{"key": {"m.e": 1}, "name": "later"}]});
    run("app", doc! {"drop": "plain ts"});
    run("app", doc! {"create": "plain ts", "timeseries": {"timeField": "at"}});
    insert("plain ts", doc! {"at": DateTime::from_millis(0), "v": 2});
    run("app", doc! {"collMod": "view", "viewOn": "ids", "pipeline": []});
    run("app", doc! {"drop": "view of view"});
    run("app", doc! {"create": "new view", "viewOn": "ids", "pipeline": [{"$match": {"a": 1}}]});

    // Users and roles: documents of collections that have UUIDs too.
    run("app", doc! {"createRole": "writer", "roles": [], "privileges": []});
    run("app", doc! {"updateUser": "ann", "customData": {"n": 2}});
}

/// Takes out of a dump's metadata what old tools did not write: UUIDs, kinds, and names but where there is no other
/// way to tell them.
pub(crate) fn make_old(folder: &Path) {
    for database in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir()) {
        for file in fs::read_dir(database).unwrap().map(|it| it.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.ends_with(".metadata.json") {
                continue;
            }
            let mut text = fs::read_to_string(&file).unwrap();
            let is_cut = name.len() > 200;
            for field in
                ["uuid", "type", "collectionName"].iter().filter(|it| **it != "collectionName" || !is_cut)
            {
                // They stand last, and have no quotes in them that are not escaped.
                let Some(begin) = text.rfind(&format!(",\"{field}\":\"")) else { continue };
                let value = begin + field.len() + 5;
                let end = value + text[value..].find('"').unwrap() + 1;
                text.replace_range(begin..end, "");
            }
            assert!(text.ends_with('}') && !text.contains("\"uuid\""), "{text}");
            fs::write(file, text).unwrap();
        }
    }
    // Nor did they write this.
    let _ = fs::remove_file(folder.join("prelude.json"));
}

/// Applies entries in portions, with a flush behind each few.
pub(crate) fn follow(head: &mut Head, entries: &[bson::RawDocumentBuf], portion: usize) {
    let entries: Vec<_> = entries.iter().map(|it| Doc::new(it.as_bytes()).unwrap()).collect();
    for portions in entries.chunks(portion.saturating_mul(5)) {
        portions.chunks(portion).for_each(|portion| head.apply(portion).unwrap());
        head.flush().unwrap();
    }
    let found = head.take_divergences();
    assert!(found.is_empty(), "{found:?}");
}

/// The head has the server's collections under their UUIDs, and by hash what is in them; of what the server does
/// not hash, the documents. `unknown` are those that the oplog did not name: they have UUIDs of their own making.
pub(crate) fn assert_same(way: &str, head: &Head, client: &Client, unknown: &[&str]) {
    for database in ["app", "other-db", "admin"] {
        let theirs = listed(client, database);
        let rows = head.state().catalog().iter().filter(|(_, it)| it.database == database);
        let mut ours = BTreeMap::new();
        for (uuid, it) in rows {
            assert_eq!(
                ours.insert(it.name.clone(), uuid),
                None,
                "{way}: two are called {database}.{}",
                it.name
            );
        }
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{way}: {database}");
        let mut hashes = BTreeMap::new();
        let mut hashed = db_hash(client, database).unwrap();
        hashed.retain(|name, _| through::is_kept(database, name));
        for (name, uuid) in &ours {
            let is_unknown = unknown.contains(&format!("{database}.{name}").as_str());
            assert_eq!(*uuid != theirs[name], is_unknown, "{way}: the UUID of {database}.{name}");
            let documents = of_head(head, *uuid);
            if name.starts_with("system.") {
                hashed.remove(name);
                let expected = of_server(client, database, name);
                assert!(parsed(&documents) == parsed(&expected), "{way}: {database}.{name}");
                // Views alone can have their fields in another order: mongodump leaves it to chance.
                assert!(name == "system.views" || documents == expected, "{way}: bytes of {database}.{name}");
            } else if name == "collated" {
                let server = hashed.remove(name);
                assert!(server.is_some());
                let difference = dbhash::compare_as_sets(of_server(client, database, name), documents);
                assert!(difference.is_empty(), "{way}: {difference:?}");
            } else {
                hashes.insert(name.clone(), dbhash::md5_of_documents(documents));
            }
        }
        assert_eq!(dbhash::compare(&hashed, &hashes), [], "{way}: {database}");
    }
}

/// Collections by name, with their UUIDs.
fn listed(client: &Client, database: &str) -> BTreeMap<String, CollectionUuid> {
    let command =
        doc! {"listCollections": 1, "filter": {"type": "collection"}, "cursor": {"batchSize": 1000}};
    let reply = client.database(database).run_command(command).run().unwrap();
    let one = |listed: &Document| {
        let Some(Bson::Binary(uuid)) = listed.get_document("info").unwrap().get("uuid") else {
            panic!("{listed}")
        };
        let uuid = CollectionUuid::from_bytes(uuid.bytes.as_slice().try_into().unwrap());
        (listed.get_str("name").unwrap().to_owned(), uuid)
    };
    first_batch(&reply).map(one).filter(|(name, _)| through::is_kept(database, name)).collect()
}

fn of_head(head: &Head, uuid: CollectionUuid) -> Vec<Vec<u8>> {
    let mut documents = Vec::new();
    let found = head.state().fold(head.store(), uuid, &mut |document| {
        documents.push(document.to_vec());
        Ok(())
    });
    assert!(found.unwrap().is_empty());
    documents
}

fn of_server(client: &Client, database: &str, name: &str) -> Vec<Vec<u8>> {
    let order = if name.starts_with("system.buckets.") { Order::Natural } else { Order::Id };
    documents(client, database, name, order).unwrap().into_iter().map(|it| it.into_bytes()).collect()
}

fn parsed(documents: &[Vec<u8>]) -> Vec<Document> {
    documents.iter().map(|it| Document::from_reader(it.as_slice()).unwrap()).collect()
}
