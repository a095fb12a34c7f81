//! Where we differ from the primary of a real set: documents in which a field name is repeated.
//!
//! Such a document can be inserted. An update then changes the first of the fields on the primary, but every
//! one of them on a secondary that applies the logged diff: the members of the set differ from then on. We do
//! as secondaries do, since a diff does not say which field was meant. The capture's final state is the
//! primary's.

use crate::apply;
use bson::{RawDocumentBuf, rawdoc};
use std::collections::BTreeMap;
use tidemark_testkit::captures::{self, Capture};
use tidemark_testkit::raw;

/// Namespace and `_id` of a document.
type Key = (Vec<u8>, Vec<u8>);

fn part<'d>(document: &'d [u8], name: &str) -> &'d [u8] {
    raw::field(document, name).unwrap().unwrap_or_else(|| panic!("no {name}")).value
}

fn id(document: &[u8]) -> Vec<u8> {
    part(document, "_id").to_vec()
}

/// Applies the inserts, updates and deletes of user collections.
fn replay(capture: &Capture) -> BTreeMap<Key, Vec<u8>> {
    let mut documents = BTreeMap::new();
    for collection in &capture.initial.collections {
        for document in &collection.documents {
            documents.insert((collection.namespace().into_bytes(), id(document)), document.to_vec());
        }
    }
    for entry in &capture.entries {
        let namespace = raw::text(part(entry, "ns")).unwrap().to_vec();
        if namespace.starts_with(b"config.") {
            continue;
        }
        let o = part(entry, "o");
        match raw::text(part(entry, "op")).unwrap() {
            b"i" => drop(documents.insert((namespace, id(o)), o.to_vec())),
            b"d" => drop(documents.remove(&(namespace, id(o))).unwrap()),
            b"u" => {
                let old = documents.get_mut(&(namespace, id(part(entry, "o2")))).unwrap();
                *old = apply(old, o).unwrap().0;
            }
            _ => {}
        }
    }
    documents
}

#[test]
fn we_differ_from_the_primary_exactly_where_a_repeated_name_was_updated() {
    let capture = captures::divergent().unwrap();
    let ours = replay(capture);
    let mut different = Vec::new();
    for collection in &capture.final_.collections {
        for document in &collection.documents {
            let key = (collection.namespace().into_bytes(), id(document));
            let our = ours[&key].as_slice();
            if our != &**document {
                different
                    .push([our, document].map(|bytes| RawDocumentBuf::from_bytes(bytes.to_vec()).unwrap()));
            }
        }
    }
    // An update of another field makes no difference; one of the repeated field, by `u` or `d`, does.
    assert_eq!(ours.len(), 4);
    let expected = [
        [rawdoc! {"_id": 1, "dup": 9, "dup": 9, "k": 2}, rawdoc! {"_id": 1, "dup": 9, "dup": 2, "k": 2}],
        [rawdoc! {"_id": 3, "k": 2}, rawdoc! {"_id": 3, "dup": 2, "k": 2}],
    ];
    assert_eq!(different, expected, "each: ours, and the primary's");
}
