//! Keys are written where they are wanted: nothing is allocated on the way, not even for nested documents and
//! the longest of doubles.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::hint::black_box;
use tidemark_base::bson::Doc;
use tidemark_head::key::key_of_document;
use tidemark_testkit::captures;
use tidemark_testkit::generate::ids::every_id_type;

fn allocations<'a>(documents: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let documents: Vec<&[u8]> = documents.into_iter().collect();
    let mut out = Vec::with_capacity(1 << 20);
    let info = allocation_counter::measure(|| {
        for document in &documents {
            out.clear();
            key_of_document(Doc::new(document).unwrap(), black_box(&mut out)).unwrap();
        }
    });
    info.count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocation_counter::measure(|| drop(black_box(Box::new(7)))).count_total, 1);
}

#[test]
fn ids_of_every_type_have_their_keys_without_allocating() {
    let cases = every_id_type();
    assert_eq!(allocations(cases.iter().map(|case| case.document.as_slice())), 0);
}

#[test]
fn captured_documents_have_their_keys_without_allocating() {
    for name in captures::names().unwrap() {
        for collection in &captures::get(name).unwrap().final_.collections {
            assert_eq!(allocations(collection.documents.iter().map(|bytes| &bytes[..])), 0, "{name}");
        }
    }
}
