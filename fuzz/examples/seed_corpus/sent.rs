//! Seeds of what agents send: a batch in both codecs, a slice, a description, and each message.

use super::{Done, keep};
use serde_json::{Value, json};
use std::path::Path;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, DocWriter, kind};
use tidemark_oplog::initial_sync::{BatchId, BatchWriter};

pub(crate) fn keep_sent(here: &Path) -> Done {
    for text in ["x", &"x".repeat(400)] {
        let collection = CollectionUuid::from_bytes([7; 16]);
        let mut writer = BatchWriter::new(BatchId { sync: 1, collection, scan: 2, number: 3 });
        for id in 0..3 {
            let mut bytes = Vec::new();
            let mut w = DocWriter::new(&mut bytes);
            let open = w.begin();
            w.int32(b"_id", id);
            w.string(b"text", text.as_bytes());
            w.end(open);
            writer.push(Doc::new(&bytes)?)?;
        }
        keep(here, "ingest", &writer.finish().ok_or("a batch has documents")?.bytes)?;
    }
    keep(here, "ingest", &std::fs::read(here.join("../oplog/testdata/slice-v1/compressed"))?)?;
    keep(here, "ingest", &description())?;
    messages().iter().try_for_each(|it| keep(here, "ingest", it.to_string().as_bytes()))
}

fn description() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut w = DocWriter::new(&mut bytes);
    let open = w.begin();
    w.string(b"db", b"shop");
    w.string(b"name", b"orders");
    let options = w.begin_field(kind::OBJECT, b"options");
    w.bool(b"capped", true);
    w.end(options);
    let indexes = w.begin_field(kind::ARRAY, b"indexes");
    let index = w.begin_field(kind::OBJECT, b"0");
    w.int32(b"v", 2);
    w.string(b"name", b"_id_");
    w.end(index);
    w.end(indexes);
    w.end(open);
    bytes
}

fn messages() -> Vec<Value> {
    let at = json!({"ts": "1795341091,408", "term": 3});
    let entry = "5f".repeat(32);
    let member = json!({"host": "db1", "port": 27017, "state": "PRIMARY", "version": "6.0.5"});
    let set = json!({
        "id": "0123456789abcdef01234567", "name": "rs0", "members": [member], "sourceClockMs": 1_795_341_091_408_u64,
        "majority": at, "oldest": null, "problems": ["db2 lags"],
    });
    vec![
        json!({
            "agent": "a", "incarnation": "0011223344556677", "host": "h", "version": "0.1.0", "isCheck": false,
            "clockMs": 1_795_341_091_408_u64, "sets": [set],
        }),
        json!({"after": 1, "at": at}),
        json!({"scan": 1}),
        json!({"scan": 1, "batches": 2}),
        json!({"until": "1795341091,408"}),
        json!({"chain": 1, "tip": at, "common": {"at": at, "entry": entry}}),
        json!({"chain": 1, "tip": at, "reason": "fellOff", "detail": "oldest 1,1"}),
        json!({"node": "db1:27017", "token": "BwcH"}),
        json!({
            "seeds": [{"host": "db1", "port": 27017}], "user": "backup", "password": "x", "authSource": "admin",
            "caPem": null,
        }),
    ]
}
