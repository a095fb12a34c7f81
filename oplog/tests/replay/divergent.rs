//! Repeated field names in stored documents, where primary and secondary of the real server differ.
//!
//! The choice: a diff changes and removes every field of a name, as the server's secondaries do. The capture's
//! final state is the primary's, which changes the first one only; so two of its four documents differ.

use crate::replay;
use tidemark_base::bson::DocWriter;
use tidemark_base::bson::kind::INT32;
use tidemark_oplog::entry::Fuzzy;
use tidemark_testkit::captures;
use tidemark_testkit::model::{Scope, difference};
use tidemark_testkit::order::IdKey;

fn document(fields: &[(&str, i32)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    fields.iter().for_each(|(name, value)| w.int32(name.as_bytes(), *value));
    w.end(open);
    out
}

#[test]
fn repeated_field_names_end_as_on_a_secondary() {
    let capture = captures::divergent().unwrap();
    let replayer = replay(capture, &capture.initial, Fuzzy { until: None });
    assert_eq!(replayer.divergences.len(), 0);
    let difference = difference(&replayer.model, &capture.final_, Scope::UsersAndAdmin);
    let names = |id: u8| difference.iter().filter(|line| line.contains(&format!("document {id} "))).count();
    assert_eq!((difference.len(), names(1), names(3)), (2, 1, 1), "{}", difference.join("\n"));

    let expected = [
        document(&[("_id", 0), ("dup", 1), ("dup", 2), ("k", 9)]),
        // `u: {dup: 9}`; the primary has 9 and 2.
        document(&[("_id", 1), ("dup", 9), ("dup", 9), ("k", 2)]),
        document(&[("_id", 2), ("dup", 1), ("dup", 2), ("k", 10)]),
        // `d: {dup: false}`; the primary has the second one still.
        document(&[("_id", 3), ("k", 2)]),
    ];
    let [uuid] = replayer.model.find("app", "dup")[..] else { panic!("no collection") };
    let collection = replayer.model.collection(uuid).unwrap();
    for (id, expected) in (0_i32..).zip(&expected) {
        let id = IdKey::new(INT32, &id.to_le_bytes()).unwrap();
        assert_eq!(collection.get(&id).unwrap(), expected, "document {id}");
    }
}
