//! Where a model and a state differ, in words a person can act on.

use super::{Collection, Model, Scope, index_name};
use crate::order::IdKey;
use crate::state::{self, Order, State};
use std::collections::{BTreeMap, BTreeSet};

/// At most so many documents of one collection are named.
const MAX_DOCUMENTS_NAMED: usize = 10;
/// So much of a document is shown.
const MAX_SHOWN_CHARS: usize = 400;

/// All differences between `model` and the collections of `state` in `scope`; none if they are equal.
///
/// Compared exactly: the set of (uuid, namespace), options, index specifications as a set by name, and every
/// document's bytes; the natural order where it is data ([`Order::Natural`]), else documents by `_id`.
#[must_use]
pub fn difference(model: &Model, state: &State, scope: Scope) -> Vec<String> {
    let mut found = Vec::new();
    let mut expected = BTreeSet::new();
    for collection in scope.collections(state) {
        let namespace = collection.namespace();
        let Some(uuid) = collection.uuid else {
            found.push(format!("{namespace}: has no uuid in the state, cannot be compared"));
            continue;
        };
        expected.insert(uuid);
        match model.collection(uuid) {
            Ok(ours) => compare(&format!("{namespace} ({uuid})"), ours, collection, &mut found),
            Err(_) => found.push(format!("{namespace} ({uuid}): is missing")),
        }
    }
    for (uuid, ours) in model.iter() {
        if scope.holds(&ours.db) && !expected.contains(&uuid) {
            found.push(format!("{} ({uuid}): should not exist", ours.namespace()));
        }
    }
    found
}

fn compare(what: &str, ours: &Collection, expected: &state::Collection, found: &mut Vec<String>) {
    if (&ours.db, &ours.name) != (&expected.db, &expected.name) {
        found.push(format!("{what}: is named {}", ours.namespace()));
    }
    if ours.options != *expected.options {
        found.push(format!(
            "{what}: options are {}, expected {}",
            show(&ours.options),
            show(&expected.options)
        ));
    }
    indexes(what, ours, expected, found);
    documents(what, ours, expected, found);
}

fn indexes(what: &str, ours: &Collection, expected: &state::Collection, found: &mut Vec<String>) {
    let by_name = |specs: &mut dyn Iterator<Item = &[u8]>| {
        let named: BTreeMap<_, _> = specs.map(|spec| (index_name(spec), spec.to_vec())).collect();
        named
    };
    let have = by_name(&mut ours.indexes.iter().map(Vec::as_slice));
    let want = by_name(&mut expected.indexes.iter().map(|spec| &**spec));
    if have.len() != ours.indexes.len() {
        found.push(format!("{what}: two indexes of one name"));
    }
    for (name, spec) in &want {
        match have.get(name) {
            None => found.push(format!("{what}: index {name} is missing")),
            Some(other) if other != spec => {
                found.push(format!("{what}: index {name} is {}, expected {}", show(other), show(spec)));
            }
            Some(_) => {}
        }
    }
    for name in have.keys().filter(|name| !want.contains_key(*name)) {
        found.push(format!("{what}: index {name} should not exist"));
    }
}

fn documents(what: &str, ours: &Collection, expected: &state::Collection, found: &mut Vec<String>) {
    let mut want: BTreeMap<IdKey, &[u8]> = BTreeMap::new();
    let mut order = Vec::new();
    for document in &expected.documents {
        match IdKey::of_document(document) {
            Ok(Some(id)) => {
                order.push(id.clone());
                if want.insert(id.clone(), document).is_some() && expected.order != Order::Scan {
                    found.push(format!("{what}: the state has two documents with _id {id}"));
                }
            }
            Ok(None) => found.push(format!("{what}: the state has a document without _id")),
            Err(error) => found.push(format!("{what}: the state has a broken document: {error}")),
        }
    }
    let mut differing = Vec::new();
    for (id, document) in &want {
        match ours.get(id) {
            None => differing.push(format!("{what}: document {id} is missing")),
            Some(other) if other != *document => {
                let (have, want) = (show(other), show(document));
                differing.push(format!("{what}: document {id} is {have}, expected {want}"));
            }
            Some(_) => {}
        }
    }
    for (id, _) in ours.by_id().filter(|(id, _)| !want.contains_key(id)) {
        differing.push(format!("{what}: document {id} should not exist"));
    }
    if differing.is_empty() && expected.order == Order::Natural {
        let at = ours.natural().map(|(id, _)| id).zip(&order).position(|(have, want)| have != want);
        if let Some(at) = at {
            differing.push(format!("{what}: natural order differs from document number {at} on"));
        }
    }
    let unnamed = differing.len().saturating_sub(MAX_DOCUMENTS_NAMED);
    found.extend(differing.into_iter().take(MAX_DOCUMENTS_NAMED));
    if unnamed > 0 {
        found.push(format!("{what}: {unnamed} more documents differ"));
    }
}

/// A document for people: as the `bson` crate shows it, or in hexadecimal; cut.
fn show(document: &[u8]) -> String {
    // Only small documents are worth decoding: of large ones nearly all is cut.
    let shown = match bson::Document::from_reader(document) {
        Ok(read) if document.len() <= 16 * MAX_SHOWN_CHARS => read.to_string(),
        _ => hex::encode(document.get(..MAX_SHOWN_CHARS / 2).unwrap_or(document)),
    };
    let cut: String = shown.chars().take(MAX_SHOWN_CHARS).collect();
    let dots = if cut.len() < shown.len() { "…" } else { "" };
    format!("{cut}{dots} ({} bytes)", document.len())
}
