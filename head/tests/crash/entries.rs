//! Oplog entries as a server writes them, in the few forms that the source here uses.

use bson::{Document, doc};
use tidemark_base::CollectionUuid;

/// Where an entry stands: its second, all with the same ordinal.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) secs: u32,
    pub(crate) term: i64,
}

/// Of which collection.
#[derive(Clone, Copy)]
pub(crate) struct Of {
    pub(crate) uuid: CollectionUuid,
    pub(crate) name: &'static str,
}

pub(crate) fn binary(uuid: CollectionUuid) -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() }
}

fn timestamp(secs: u32) -> bson::Timestamp {
    bson::Timestamp { time: secs, increment: 1 }
}

/// A whole entry of what is special to it.
pub(crate) fn entry(place: Place, fields: Document) -> Vec<u8> {
    let mut entry = doc! {
        "ts": timestamp(place.secs), "t": place.term, "v": 2_i64, "wall": bson::DateTime::from_millis(0),
    };
    entry.extend(fields);
    entry.to_vec().unwrap()
}

pub(crate) fn insert(of: Of, document: Document) -> Document {
    doc! {"op": "i", "ns": format!("app.{}", of.name), "ui": binary(of.uuid), "o": document}
}

pub(crate) fn set(of: Of, id: i32, value: i32) -> Document {
    let o = doc! {"$v": 2, "diff": {"u": {"x": value}}};
    doc! {"op": "u", "ns": format!("app.{}", of.name), "ui": binary(of.uuid), "o": o, "o2": {"_id": id}}
}

pub(crate) fn delete(of: Of, id: i32) -> Document {
    doc! {"op": "d", "ns": format!("app.{}", of.name), "ui": binary(of.uuid), "o": {"_id": id}}
}

pub(crate) fn create(of: Of) -> Document {
    let id_index = doc! {"v": 2, "key": {"_id": 1}, "name": "_id_"};
    let o = doc! {"create": of.name, "idIndex": id_index};
    doc! {"op": "c", "ns": "app.$cmd", "ui": binary(of.uuid), "o": o}
}

pub(crate) fn drop_of(of: Of) -> Document {
    doc! {"op": "c", "ns": "app.$cmd", "ui": binary(of.uuid), "o": {"drop": of.name}, "o2": {"numRecords": 0}}
}

/// One part of a transaction that began at the second `number`: the first part has none before it.
pub(crate) fn part(
    number: u32,
    before: Option<Place>,
    operation: Document,
    is_last: bool,
    len: i64,
) -> Document {
    let mut o = doc! {"applyOps": [operation]};
    if is_last {
        o.insert("count", len);
    } else {
        o.insert("partialTxn", true);
    }
    let previous = match before {
        Some(place) => doc! {"ts": timestamp(place.secs), "t": place.term},
        None => doc! {"ts": bson::Timestamp { time: 0, increment: 0 }, "t": -1_i64},
    };
    let session = CollectionUuid::from_bytes([9; 16]);
    doc! {
        "op": "c", "ns": "admin.$cmd", "o": o, "lsid": {"id": binary(session)},
        "txnNumber": i64::from(number), "prevOpTime": previous, "stmtId": 0,
    }
}
