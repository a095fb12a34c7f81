//! The composition table of `docs/format.md`, cell by cell: a test for each, named older_newer.
//!
//! Each cell is composed of changes, `then` marks where the newer patch begins, and gives a patch in words and
//! a number of misfits. Each is also folded over a document and over none, against the changes one by one.

use super::groupings::{Truth, one_by_one};
use super::*;
use Manner::{Strict, Tolerant};

#[track_caller]
fn cell(older: &[Step], newer: &[Step], expected: &str, misfits: u32) {
    let mut found = Vec::new();
    let (one, two) = (composed(older, &mut found), composed(newer, &mut found));
    assert_eq!(found, [], "the two patches themselves are without misfits");
    let patch = Folder::new().compose(one, two, &mut found);
    assert_eq!((words(&patch).as_str(), operations(&found)), (expected, misfits));

    let steps = [older, newer].concat();
    for below in [None, Some(document(-1))] {
        let mut found = found.clone();
        let document = folded(below.as_deref(), &patch, &mut found);
        let truth = one_by_one(below.as_deref(), &steps);
        assert_eq!(Truth { document, misfits: operations(&found) }, truth, "over {below:?}");
    }
}

macro_rules! cells {
    ($($name:ident: [$($older:expr),*] then [$($newer:expr),*] gives $expected:literal, $misfits:literal misfits;)*) => {
        $(#[test]
        fn $name() {
            cell(&[$($older),*], &[$($newer),*], $expected, $misfits);
        })*
    };
}

// A patch that ends in a document.
cells! {
    document_and_settled_expecting_any:
        [insert(Strict, 1)] then [insert(Tolerant, 2)] gives "absent: document 2", 0 misfits;
    document_and_gone_expecting_any:
        [insert(Strict, 1)] then [delete(Tolerant)] gives "absent: gone", 0 misfits;
    document_and_settled_expecting_absent:
        [insert(Strict, 1)] then [insert(Strict, 2)] gives "absent: document 2", 1 misfits;
    document_and_gone_expecting_absent:
        [insert(Strict, 1)] then [insert(Strict, 2), delete(Strict)] gives "absent: gone", 1 misfits;
    document_and_settled_expecting_present:
        [insert(Strict, 1)] then [delete(Strict)] gives "absent: gone", 0 misfits;
    document_and_document_expecting_present:
        [insert(Strict, 1)] then [delete(Strict), insert(Strict, 2)] gives "absent: document 2", 0 misfits;
    document_and_updates:
        [insert(Strict, 1)] then [diff(Strict, 2)] gives "absent: document 2", 0 misfits;
    document_and_updates_that_upsert:
        [insert(Tolerant, 1)] then [push(UPSERT, 2), diff(Tolerant, 3)] gives "any: document 3", 0 misfits;
    document_and_updates_expecting_present:
        [insert(Strict, 1)] then [diff(Strict, 2), replace(Strict, 3)] gives "absent: document 3", 0 misfits;
    tolerant_document_and_gone_stays_a_delete:
        [insert(Tolerant, 1)] then [delete(Tolerant)] gives "any: gone", 0 misfits;
    tolerant_document_and_strict_delete_stays_a_delete:
        [insert(Tolerant, 1)] then [delete(Strict)] gives "any: gone", 0 misfits;
}

// A patch that ends in none.
cells! {
    gone_and_settled_expecting_any:
        [delete(Strict)] then [insert(Tolerant, 2)] gives "present 1: document 2", 0 misfits;
    gone_and_gone_expecting_any:
        [delete(Strict)] then [delete(Tolerant)] gives "present 1: gone", 0 misfits;
    gone_and_settled_expecting_absent:
        [delete(Strict)] then [insert(Strict, 2)] gives "present 1: document 2", 0 misfits;
    gone_and_settled_expecting_present:
        [delete(Strict)] then [delete(Strict)] gives "present 1: gone", 1 misfits;
    gone_and_document_expecting_present:
        [delete(Tolerant)] then [diff(Strict, 0), delete(Strict), insert(Strict, 2)]
        gives "any: document 2", 2 misfits;
    gone_and_strict_updates:
        [delete(Strict)] then [diff(Strict, 2), push(Strict, 2), diff(Tolerant, 3)]
        gives "present 1: gone", 2 misfits;
    gone_and_tolerant_updates:
        [delete(Strict)] then [diff(Tolerant, 2), diff(USER, 2)] gives "present 1: gone", 0 misfits;
    gone_and_updates_that_upsert:
        [delete(Strict)] then [diff(Strict, 2), push(UPSERT, 2), diff(Strict, 3)]
        gives "present 1: document 3", 1 misfits;
    gone_and_updates_expecting_present:
        [delete(Tolerant)] then [diff(Strict, 2), replace(Tolerant, 3)] gives "any: gone", 1 misfits;
}

// A patch that waits, without updates that upsert.
cells! {
    updates_and_settled_expecting_any:
        [diff(Strict, 1), push(Strict, 1)] then [insert(Tolerant, 2)] gives "present 2: document 2", 0 misfits;
    tolerant_updates_and_settled_expecting_any:
        [diff(Tolerant, 1), push(USER, 1)] then [delete(Tolerant)] gives "any: gone", 0 misfits;
    updates_and_settled_expecting_absent:
        [diff(Strict, 1)] then [insert(Strict, 2)] gives "any: document 2", 1 misfits;
    more_updates_and_settled_expecting_absent:
        [diff(Strict, 1), push(Strict, 1), diff(Tolerant, 1)] then [insert(Strict, 2)]
        gives "present 1: document 2", 1 misfits;
    tolerant_updates_and_settled_expecting_absent:
        [diff(Tolerant, 1)] then [insert(Strict, 2)] gives "absent: document 2", 0 misfits;
    updates_and_settled_expecting_present:
        [diff(Strict, 1), diff(Tolerant, 2)] then [delete(Strict)] gives "present 2: gone", 0 misfits;
    updates_and_updates:
        [diff(Strict, 1)] then [push(Strict, 2), diff(Tolerant, 3)]
        gives "any: [diff!, modify!, diff?]", 0 misfits;
    updates_and_updates_that_upsert:
        [diff(Strict, 1)] then [push(UPSERT, 2)] gives "any: [diff!, modify+]", 0 misfits;
    updates_and_a_replacement:
        [diff(Strict, 1), push(Tolerant, 1), push(Strict, 1)] then [replace(Tolerant, 2), push(Strict, 3)]
        gives "present 2: [replace?, modify!]", 0 misfits;
    updates_and_updates_expecting_present:
        [diff(Strict, 1), replace(Strict, 1)] then [diff(Strict, 2), replace(Strict, 3)]
        gives "present 3: [replace!]", 0 misfits;
    updates_expecting_present_and_settled_expecting_absent:
        [diff(Strict, 1), replace(Strict, 1)] then [insert(Strict, 2)]
        gives "present 1: document 2", 1 misfits;
}

// A patch that waits, with an update that upserts: afterwards there is a document.
cells! {
    upserting_updates_and_settled_expecting_any:
        [push(UPSERT, 1), diff(Strict, 1)] then [delete(Tolerant)] gives "any: gone", 0 misfits;
    updates_that_come_to_upsert_and_settled_expecting_any:
        [diff(Strict, 1), push(UPSERT, 1), diff(Strict, 1)] then [insert(Tolerant, 2)]
        gives "present 1: document 2", 0 misfits;
    upserting_updates_and_settled_expecting_absent:
        [push(UPSERT, 1)] then [insert(Strict, 2)] gives "any: document 2", 1 misfits;
    updates_that_come_to_upsert_and_settled_expecting_absent:
        [diff(Strict, 1), push(UPSERT, 1)] then [insert(Strict, 2)] gives "present 1: document 2", 1 misfits;
    upserting_updates_and_settled_expecting_present:
        [push(UPSERT, 1)] then [delete(Strict)] gives "any: gone", 0 misfits;
    upserting_updates_and_updates:
        [push(UPSERT, 1)] then [diff(Strict, 2)] gives "any: [modify+, diff!]", 0 misfits;
    upserting_updates_and_a_replacement:
        [diff(Strict, 1), push(UPSERT, 1), diff(Strict, 1)] then [replace(Strict, 2)]
        gives "any: [diff!, modify+, replace!]", 0 misfits;
    upserting_updates_and_updates_expecting_present:
        [push(UPSERT, 1)] then [diff(Strict, 2), replace(Strict, 3)] gives "any: [modify+, replace!]", 0 misfits;
    upserting_updates_and_more_that_upsert:
        [push(UPSERT, 1)] then [diff(Strict, 1), push(UPSERT, 2), diff(Strict, 2)]
        gives "any: [modify+, diff!, modify+, diff!]", 0 misfits;
}
