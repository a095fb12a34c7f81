//! A server with one of everything that dumps treat specially, and whether another is the same.
//!
//! Used by the tests of dumps and of whole backups: [`fill`] fills a real server, [`assert_same`] compares two.
//! What is not as expected panics, as in a test: all of this runs in tests only.

#![expect(clippy::unwrap_used, reason = "runs in tests only, where a failure is a panic")]

mod same;

pub use same::assert_same;

use crate::generate::ids::every_id_type;
use crate::generate::orders::Orders;
use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use mongodb::sync::Client;

/// mongorestore 100.8.0 passes over names with a line break, also in dumps that mongodump wrote.
pub const NEVER_RESTORED: &str = "new\nline";

fn run(client: &Client, database: &str, command: Document) -> Document {
    client.database(database).run_command(command.clone()).run().unwrap_or_else(|e| panic!("{command}: {e}"))
}

fn insert(client: &Client, collection: &str, documents: impl IntoIterator<Item = Document>) {
    client.database("app").collection::<Document>(collection).insert_many(documents).run().unwrap();
}

fn insert_raw(client: &Client, collection: &str, documents: impl IntoIterator<Item = Vec<u8>>) {
    let documents = documents.into_iter().map(|it| RawDocumentBuf::from_bytes(it).unwrap());
    let into = client.database("app").collection::<RawDocumentBuf>(collection);
    into.insert_many(documents).run().unwrap();
}

/// Fills a server: the databases `app`, `other-db` and `admin`.
///
/// # Panics
/// If the server refuses something.
pub fn fill(client: &Client) {
    plain_collections(client);
    special_collections(client);
    indexes(client);
    time_series(client);
    users(client);
}

fn plain_collections(client: &Client) {
    let orders = Orders::new(1);
    let order = |n| {
        let mut out = Vec::new();
        orders.document(n, &mut out);
        out
    };
    insert_raw(client, "orders", (0..2000).map(order));
    let ids = every_id_type();
    insert_raw(client, "ids", ids.into_iter().filter(|it| it.equal_to.is_none()).map(|it| it.document));
    let long = "x".repeat(200);
    // More than 238 letters once it is escaped.
    let longer = "ü".repeat(110);
    for name in
        ["sl/ash", "sp ace", "plus+", "perc%25", "ünï", "with.dots", "UPPER", NEVER_RESTORED, &long, &longer]
    {
        insert(client, name, [doc! {"_id": 1, "name": name}]);
    }
    run(client, "app", doc! {"create": "empty"});
    run(client, "other-db", doc! {"create": "c"});
    insert(client, "system.js", [doc! {"_id": "f", "value": Bson::JavaScriptCode("function(){}".into())}]);
    client.database("admin").collection("mine").insert_one(doc! {"_id": 1}).run().unwrap();
}

fn special_collections(client: &Client) {
    let french = doc! {"locale": "fr", "strength": 2};
    let validator =
        doc! {"$expr": {"$gt": ["$a", 1_i64]}, "d": {"$gt": DateTime::from_millis(-5)}, "x": 1.0e30};
    for command in [
        doc! {"create": "capped", "capped": true, "size": 8192, "max": 10},
        doc! {"create": "collated", "collation": &french},
        doc! {"create": "clustered", "clusteredIndex": {"key": {"_id": 1}, "unique": true}, "expireAfterSeconds": 1_000_000},
        doc! {"create": "checked", "validator": validator, "validationLevel": "moderate", "validationAction": "warn"},
        doc! {"create": "images", "changeStreamPreAndPostImages": {"enabled": true}},
        doc! {"create": "view", "viewOn": "orders", "pipeline": [
            {"$match": {"_id": {"$gt": 3_i64}, "s": {"$regex": "^a", "$options": "i"}, "t": {"$type": "string"}}},
            {"$set": {"re": Bson::RegularExpression(bson::Regex { pattern: "a/\"\\b".try_into().unwrap(), options: "im".try_into().unwrap() }),
                      "oid": bson::oid::ObjectId::from_bytes([7; 12]), "min": Bson::MinKey, "n": null,
                      "bin": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::UserDefined(0x81), bytes: vec![1, 2, 3] }),
                      "dec": "1.20E+5".parse::<bson::Decimal128>().unwrap(),
                      "ts": Bson::Timestamp(bson::Timestamp { time: u32::MAX, increment: 1 })}},
        ]},
        doc! {"create": "view of view", "viewOn": "view", "pipeline": []},
        doc! {"create": "collated view", "viewOn": "collated", "pipeline": [], "collation": &french},
    ] {
        run(client, "app", command);
    }
    // More than fit: the natural order does not begin with the least _id.
    insert(client, "capped", (0..25).map(|n| doc! {"_id": (n * 7) % 25, "n": n}));
    insert(client, "collated", ["b", "A", "c", "é", "E"].map(|it| doc! {"_id": it}));
    insert(client, "clustered", (0..50).map(|n| doc! {"_id": 50 - n, "n": n}));
    insert(client, "checked", [doc! {"a": 5}, doc! {"a": "unchecked"}]);
    insert(client, "images", [doc! {"_id": 1}]);
}

fn indexes(client: &Client) {
    let indexes = [
        doc! {"key": {"a": 1, "b": -1}, "name": "compound"},
        doc! {"key": {"b": -1, "a": 1}, "name": "other order"},
        doc! {"key": {"long": 1_i64, "double": -1.0, "half": 0.5}, "name": "types"},
        doc! {"key": {"u": 1}, "name": "unique", "unique": true, "sparse": true},
        doc! {"key": {"p": 1}, "name": "partial", "partialFilterExpression": {"p": {"$gt": 5_i64}, "q": {"$type": "string"}}},
        doc! {"key": {"at": 1}, "name": "ttl", "expireAfterSeconds": 3600},
        doc! {"key": {"txt": "text", "more": "text", "after": 1}, "name": "text", "weights": {"txt": 5}, "default_language": "german"},
        doc! {"key": {"point": "2d"}, "name": "2d", "bits": 20, "min": -100.5, "max": 100.0},
        doc! {"key": {"place": "2dsphere"}, "name": "2dsphere"},
        doc! {"key": {"h": "hashed"}, "name": "hashed"},
        doc! {"key": {"$**": 1}, "name": "wildcard", "wildcardProjection": {"a": 1, "b.c": 1}},
        doc! {"key": {"hid": 1}, "name": "hidden", "hidden": true},
        doc! {"key": {"col": 1}, "name": "collated", "collation": {"locale": "de", "numericOrdering": true}},
        doc! {"key": {"ünï.x": 1}, "name": "ünï \"quoted\" \\ \n"},
    ];
    run(client, "app", doc! {"createIndexes": "orders", "indexes": indexes.to_vec()});
    run(client, "app", doc! {"createIndexes": "collated", "indexes": [{"key": {"x": 1}, "name": "x_1"}]});
    run(client, "app", doc! {"createIndexes": "clustered", "indexes": [{"key": {"n": 1}, "name": "n_1"}]});
}

fn time_series(client: &Client) {
    let options = doc! {"timeField": "t", "metaField": "m", "granularity": "minutes"};
    let collation = doc! {"locale": "fr"};
    run(client, "app", doc! {"create": "ts", "timeseries": options, "expireAfterSeconds": 1_000_000});
    run(
        client,
        "app",
        doc! {"create": "plain ts", "timeseries": {"timeField": "at"}, "collation": collation},
    );
    let indexes = [
        doc! {"key": {"m.a": 1, "t": -1}, "name": "meta and time"},
        doc! {"key": {"m": 1}, "name": "meta"},
        doc! {"key": {"t": 1}, "name": "time"},
        doc! {"key": {"v": 1}, "name": "ascending"},
        doc! {"key": {"v": -1, "m.b": 1}, "name": "descending"},
        doc! {"key": {"place": "2dsphere"}, "name": "sphere"},
        doc! {"key": {"m.c": "2dsphere"}, "name": "meta sphere"},
        doc! {"key": {"m.d": 1}, "name": "partial", "partialFilterExpression": {"v": {"$gt": 5}}},
    ];
    run(client, "app", doc! {"createIndexes": "ts", "indexes": indexes.to_vec()});
    let measured = |n: i64| {
        let at = DateTime::from_millis(1_700_000_000_000 + n * 60_000);
        let place = doc! {"type": "Point", "coordinates": [1.5, n % 90]};
        doc! {"t": at, "m": {"a": n % 3, "b": "x"}, "v": n, "place": place}
    };
    insert(client, "ts", (0..500).map(measured));
    insert(client, "plain ts", (0..50).map(|n| doc! {"at": DateTime::from_millis(n * 1000), "v": 1}));
}

fn users(client: &Client) {
    run(
        client,
        "app",
        doc! {"createRole": "reader", "roles": [], "privileges": [
            {"resource": {"db": "app", "collection": "orders"}, "actions": ["find"]},
        ]},
    );
    run(
        client,
        "app",
        doc! {"createUser": "ann", "pwd": "secret", "roles": ["reader"], "customData": {"n": 1_i64}},
    );
    run(client, "admin", doc! {"createUser": "bob", "pwd": "secret", "roles": ["root"]});
}

/// The documents of a reply that is a cursor.
///
/// # Panics
/// If they are not all in one batch.
pub fn first_batch(reply: &Document) -> impl Iterator<Item = &Document> {
    let cursor = reply.get_document("cursor").unwrap();
    assert_eq!(cursor.get_i64("id").unwrap(), 0, "all in one batch");
    cursor.get_array("firstBatch").unwrap().iter().map(|it| it.as_document().unwrap())
}
