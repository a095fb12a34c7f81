//! What a real server stored, in its order of `_id`.

use super::*;
use std::collections::BTreeSet;
use tidemark_testkit::captures;
use tidemark_testkit::state::Order;

#[test]
fn collections_of_a_real_server_stand_in_the_order_of_their_keys() {
    let mut documents = 0;
    for name in captures::names().unwrap() {
        let capture = captures::get(name).unwrap();
        for state in [&capture.initial, &capture.final_] {
            for collection in state.collections.iter().chain(&state.admin).chain(&state.config) {
                let options = Doc::new(&collection.options).unwrap();
                if collection.order != Order::Id || options.get("collation").unwrap().is_some() {
                    continue;
                }
                let keys: Vec<_> = collection.documents.iter().map(|bytes| document_key(bytes)).collect();
                assert!(keys.is_sorted_by(|a, b| a < b), "{name} {}", collection.namespace());
                documents += keys.len();
            }
        }
    }
    assert!(documents > 10_000, "{documents}");
}

/// The capture whose documents have `_id`s of every type; the server refused those that are one key.
#[test]
fn the_ids_of_a_real_server_agree_each_with_each() {
    let capture = captures::get("id_types").unwrap();
    let mut types = BTreeSet::new();
    for collection in &capture.final_.collections {
        let ids =
            collection.documents.iter().map(|bytes| Doc::new(bytes).unwrap().get("_id").unwrap().unwrap());
        let ids: Vec<Value> = ids.map(|id| (id.kind, id.value.to_vec())).collect();
        all_agree(&ids);
        types.extend(ids.iter().map(|(kind, _)| *kind));
    }
    assert!(types.len() >= 15, "{types:?}");
}

fn document_key(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    key_of_document(Doc::new(bytes).unwrap(), &mut out).unwrap();
    out
}
