//! Two servers, or two dumps, that must be the same.

use crate::source::first_batch;
use bson::{Document, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use std::path::Path;
use tidemark_testkit::live::dbhash::{Order, db_hash, documents};
use tidemark_testkit::{dbhash, dump_dir};

/// Compares two directories file by file. Documents are equal to the byte; metadata but for the order of
/// options' fields, which mongodump leaves to chance.
pub(crate) fn files(theirs: &Path, ours: &Path) {
    let theirs = dump_dir::read(theirs).unwrap();
    let mut ours = dump_dir::read(ours).unwrap();
    if !theirs.files.contains_key("prelude.json") {
        ours.files.remove("prelude.json").unwrap();
    }
    assert!(ours.files.keys().eq(theirs.files.keys()));
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    for (path, bytes) in &theirs.files {
        if path.ends_with(".json") {
            assert_eq!(json(&ours.files[path]), json(bytes), "{path}");
            assert_eq!(ours.files[path].len(), bytes.len(), "{path}");
        } else {
            assert!(ours.files[path] == *bytes, "{path}");
        }
    }
}

/// mongorestore 100.8.0 passes over names with a line break, also in dumps that mongodump wrote.
pub(crate) const NEVER_RESTORED: &str = "new\nline";

/// Compares the databases of two servers: what they list, and what is in it. Unless options keep the order of
/// their fields, views are compared by what they say, not by their bytes.
pub(crate) fn servers(original: &Client, restored: &Client, way: &str, options_keep_order: bool) {
    for database in ["app", "other-db"] {
        let [mut theirs, ours] = [original, restored].map(|it| listed(it, database));
        theirs.remove(NEVER_RESTORED);
        assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "{way}");
        for (name, theirs) in &theirs {
            let ours = &ours[name];
            assert_eq!(ours, theirs, "{way}: {name}");
            // The comparison of documents does not see the order of fields, their text does. mongorestore
            // shuffles the options of indexes.
            let in_order = |(listing, indexes): &(Document, Vec<Document>)| {
                let listing = if options_keep_order { listing.to_string() } else { String::new() };
                let keys: Vec<_> =
                    indexes.iter().map(|it| it.get_document("key").unwrap().to_string()).collect();
                (listing, keys)
            };
            assert_eq!(in_order(ours), in_order(theirs), "{way}: {name}");
        }
        let mut hashes = [original, restored].map(|it| db_hash(it, database).unwrap());
        hashes[0].remove(NEVER_RESTORED);
        if !options_keep_order {
            hashes.iter_mut().for_each(|it| drop(it.remove("system.views")));
        }
        assert!(!hashes[0].is_empty());
        assert_eq!(dbhash::compare(&hashes[0], &hashes[1]), [], "{way}");
    }
    // Hidden from the hash, or in an order that it does not see.
    for (database, collection, order) in [
        ("app", "system.buckets.ts", Order::Natural),
        ("app", "system.buckets.plain ts", Order::Natural),
        ("app", "system.js", Order::Id),
        ("app", "capped", Order::Natural),
        ("admin", "mine", Order::Id),
        ("admin", "system.users", Order::Id),
        ("admin", "system.roles", Order::Id),
        ("admin", "system.version", Order::Id),
    ] {
        let read = |client| documents(client, database, collection, order).unwrap();
        let (theirs, ours) = (read(original), read(restored));
        assert!(!theirs.is_empty(), "{collection}");
        assert!(theirs == ours, "{way}: {database}.{collection}");
    }
}

/// Collections and views by name: what listCollections says, but for the UUID, and what listIndexes says.
fn listed(client: &Client, database: &str) -> BTreeMap<String, (Document, Vec<Document>)> {
    let run = |command: Document| client.database(database).run_command(command).run();
    let reply = run(doc! {"listCollections": 1, "cursor": {"batchSize": 1000}}).unwrap();
    let one = |listed: &Document| {
        let name = listed.get_str("name").unwrap().to_owned();
        let mut listed = listed.clone();
        listed.get_document_mut("info").unwrap().remove("uuid");
        // Views have no indexes, and say so by an error. Restoring does not build them in their old order.
        let mut indexes: Vec<Document> = run(doc! {"listIndexes": &name})
            .map_or_else(|_| Vec::new(), |it| first_batch(&it).cloned().collect());
        indexes.sort_by_key(|it| it.get_str("name").unwrap().to_owned());
        (name, (listed, indexes))
    };
    first_batch(&reply).map(one).collect()
}
