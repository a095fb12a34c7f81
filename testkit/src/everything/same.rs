//! Two servers that must be the same: what they list, by hash, and what no hash shows.

use super::{NEVER_RESTORED, first_batch};
use crate::dbhash;
use crate::live::dbhash::{Order, db_hash, documents};
use bson::{Document, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;

/// Compares the databases of two servers: what they list, and what is in it. Unless options keep the order of
/// their fields, views are compared by what they say, not by their bytes.
///
/// # Panics
/// If they are not the same.
pub fn assert_same(original: &Client, restored: &Client, way: &str, options_keep_order: bool) {
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
