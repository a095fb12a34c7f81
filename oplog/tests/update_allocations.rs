//! Applying a diff allocates nothing but the room for its result, as long as it names few fields.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{RawDocumentBuf, rawdoc};
use tidemark_base::bson::Doc;
use tidemark_oplog::update::Update;

/// How often applying an update allocates when the buffer has room.
fn allocations(document: &RawDocumentBuf, o: &RawDocumentBuf) -> u64 {
    let mut out = Vec::with_capacity(4096);
    let info = allocation_counter::measure(|| {
        let update = Update::parse(Doc::new(o.as_bytes()).unwrap()).unwrap();
        update.apply(Doc::new(document.as_bytes()).unwrap(), &mut out).unwrap();
    });
    assert!(!out.is_empty() && out != document.as_bytes());
    info.count_total
}

#[test]
fn the_usual_updates_are_applied_without_allocating() {
    let document = rawdoc! {
        "_id": 1, "status": "new", "items": [{"n": 1}, {"n": 2}], "payment": {"state": "open", "paid": {"a": 1}},
        "note": "x", "version": 1,
    };
    for o in [
        rawdoc! {"$v": 2, "diff": {"u": {"status": "sent", "version": 2}, "spayment": {"u": {"state": "done"}}}},
        rawdoc! {"$v": 2, "diff": {"d": {"note": false}, "i": {"a": 1, "b": 2}}},
        rawdoc! {"$v": 2, "diff": {"sitems": {"a": true, "u2": {"n": 3}}}},
        rawdoc! {"$v": 2, "diff": {"sitems": {"a": true, "l": 1, "s0": {"u": {"n": 3}}}}},
        rawdoc! {"$v": 2, "diff": {"spayment": {"spaid": {"u": {"a": 2}, "i": {"b": 1}}}}},
        rawdoc! {"$v": 2, "diff": {"u": {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1}}},
        rawdoc! {"_id": 1, "all": "new"},
    ] {
        assert_eq!(allocations(&document, &o), 0, "{o:?}");
    }
    // So that the test is known to count: the ninth field takes a table.
    let nine = rawdoc! {
        "$v": 2,
        "diff": {"u": {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1}},
    };
    assert!(allocations(&document, &nine) > 0);
}
