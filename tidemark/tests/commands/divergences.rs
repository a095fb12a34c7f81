//! Operations that do not fit the data: found by whoever meets them, told, and a code of their own.

use crate::rig::Place;
use bson::{Document, doc};
use tidemark_base::Timestamp;
use tidemark_testkit::captures;

/// An operation on a collection of the capture, some seconds behind its end.
fn entry(secs: u32, fields: Document) -> Vec<u8> {
    let capture = captures::get("crud_basic").unwrap();
    let collection = capture.final_.collections.iter().find(|it| !it.documents.is_empty()).unwrap();
    let bytes = collection.uuid.unwrap().as_bytes().to_vec();
    let Timestamp { secs: end, .. } = capture.stop;
    let ts = bson::Timestamp { time: end + secs, increment: 1 };
    let mut entry = doc! {"ts": ts, "t": 100_i64, "v": 2_i64, "wall": bson::DateTime::from_millis(0),
    "ns": collection.namespace(), "ui": bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes }};
    entry.extend(fields);
    entry.to_vec().unwrap()
}

fn insert(secs: u32, id: &str) -> Vec<u8> {
    entry(secs, doc! {"op": "i", "o": {"_id": id}, "o2": {"_id": id}})
}

fn delete(secs: u32, id: &str) -> Vec<u8> {
    entry(secs, doc! {"op": "d", "o": {"_id": id}})
}

#[test]
fn what_is_seen_at_once_is_told_by_apply_and_by_a_point_in_time() {
    let place = Place::applied(captures::get("crud_basic").unwrap());
    place.on_head(&["snapshot", "create"]).code(0);
    let oplog = place.oplog("more.bson", &[&insert(1, "twice"), &insert(2, "twice"), &insert(3, "other")]);
    let applied = place.on_head(&["head", "apply", &oplog, "-o", "json"]).code(3).json();
    assert_eq!((&applied["divergences"]["count"], &applied["entries_applied"]), (&1.into(), &3.into()));
    assert!(applied["divergences"]["shown"][0].as_str().unwrap().contains("_id"), "{applied}");
    // The head has moved all the same: again there is nothing to do.
    place.on_head(&["head", "apply", &oplog]).code(0);
    // What was told once is not forgotten.
    let out = place.path("head");
    let exported = place.on_head(&["export", "--out", &out, "-o", "json"]).code(3).json();
    assert_eq!(exported["divergences"]["earlier"], 1);
    let listed = place.on_head(&["snapshot", "create", "-o", "json"]).code(0).json();
    assert_eq!(listed["diverged"], 1);
    place.on_head(&["snapshot", "delete", "2"]).code(0);
    // From the snapshot before, the same is met on the way.
    let secs = captures::get("crud_basic").unwrap().stop.secs;
    for (later, code) in [(1, 0), (2, 3)] {
        let time = Timestamp { secs: secs + later, ordinal: 1 }.to_string();
        let out = place.path(&time);
        let exported = place.on_head(&["export", "--out", &out, "--time", &time, "-o", "json"]).code(code);
        assert_eq!(exported.json()["divergences"]["count"], u64::from(code == 3));
    }
}

#[test]
fn what_is_seen_only_when_all_is_read_is_told_by_export_and_proof() {
    let place = Place::applied(captures::get("crud_basic").unwrap());
    let oplog = place.oplog("more.bson", &[&delete(1, "nobody")]);
    place.on_head(&["head", "apply", &oplog]).code(0);
    let exported = place.on_head(&["export", "--out", &place.path("out"), "-o", "json"]).code(3).json();
    assert_eq!(exported["divergences"]["count"], 1);
    let exported = place.on_head(&["export", "--archive", &place.path("archive")]).code(3).text();
    assert!(exported.contains("do not fit"), "{exported}");
    place.on_head(&["snapshot", "create"]).code(0);
    let proven = place.on_head(&["snapshot", "prove", "1"]).code(3).text();
    assert!(proven.contains("do not fit") && proven.contains("1 divergences"), "{proven}");
}
