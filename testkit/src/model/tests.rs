//! The model against the captures, and each operation on its own.

use super::*;
use crate::captures::{self, Mode};
use crate::order::IdKey;
use bson::{Document, doc};

fn bytes(document: &Document) -> Vec<u8> {
    document.to_vec().unwrap()
}

fn key(id: impl Into<bson::Bson>) -> IdKey {
    IdKey::of_document(&bytes(&doc! { "_id": id })).unwrap().unwrap()
}

fn collection() -> Collection {
    Collection::new("db", "c", &bytes(&doc! {}))
}

const fn uuid(n: u8) -> CollectionUuid {
    CollectionUuid::from_bytes([n; 16])
}

#[test]
fn a_model_of_a_captured_state_equals_that_state() {
    for capture in captures::all().unwrap() {
        for state in [&capture.initial, &capture.final_] {
            for scope in [Scope::Users, Scope::UsersAndAdmin] {
                let model = Model::load(state, scope).unwrap();
                assert_eq!(difference(&model, state, scope), Vec::<String>::new(), "{}", capture.name);
            }
        }
    }
}

#[test]
fn the_final_state_of_every_capture_differs_from_its_initial_one() {
    for capture in captures::all().unwrap() {
        let scope = if capture.mode == Mode::Exact { Scope::UsersAndAdmin } else { Scope::Users };
        let model = Model::load(&capture.initial, scope).unwrap();
        assert!(!difference(&model, &capture.final_, scope).is_empty(), "{}", capture.name);
    }
}

#[test]
fn insert_refuses_what_is_there_and_put_replaces_it() {
    let mut c = collection();
    c.insert(&bytes(&doc! { "_id": 1, "v": 1 })).unwrap();
    let error = c.insert(&bytes(&doc! { "_id": 1.0 })).expect_err("an equal _id");
    assert_eq!(error.to_string(), "there is a document with _id 1 (type 0x01)");
    let replacement = bytes(&doc! { "_id": 1_i64, "v": 2 });
    assert_eq!(c.put(&replacement).unwrap().as_deref(), Some(bytes(&doc! { "_id": 1, "v": 1 }).as_slice()));
    assert_eq!(c.get(&key(1)), Some(replacement.as_slice()));
    // The new spelling is the key's, too.
    assert_eq!(c.by_id().next().unwrap().0.kind(), raw::kind::INT64);
    assert_eq!(c.insert(&bytes(&doc! { "v": 1 })), Err(ModelError::NoId));
    assert!(matches!(c.put(b"\x06\0\0\0\0\0"), Err(ModelError::Broken(_))));
}

#[test]
fn natural_order_is_that_of_insertion_and_survives_replacement() {
    let mut c = collection();
    for id in [3, 1, 2] {
        c.insert(&bytes(&doc! { "_id": id })).unwrap();
    }
    c.put(&bytes(&doc! { "_id": 1, "new": true })).unwrap();
    assert!(c.delete(&key(3)).is_some() && c.delete(&key(3)).is_none());
    c.insert(&bytes(&doc! { "_id": 3 })).unwrap();
    let ids = |list: Vec<(&IdKey, &[u8])>| list.into_iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(c.natural().collect()), [key(1), key(2), key(3)]);
    assert_eq!(ids(c.by_id().collect()), [key(1), key(2), key(3)]);
    c.clear();
    assert!(c.is_empty() && c.natural().next().is_none());
}

#[test]
fn two_collections_may_have_one_name() {
    let mut model = Model::new();
    model.create(uuid(1), collection()).unwrap();
    model.create(uuid(2), Collection::new("db", "other", &bytes(&doc! {}))).unwrap();
    assert_eq!(model.create(uuid(1), collection()), Err(ModelError::CollectionExists { uuid: uuid(1) }));
    model.rename(uuid(2), "db", "c").unwrap();
    assert_eq!(model.find("db", "c"), [uuid(1), uuid(2)]);
    assert_eq!(model.drop_collection(uuid(1)).unwrap().len(), 0);
    assert_eq!(model.find("db", "c"), [uuid(2)]);
    assert_eq!(model.rename(uuid(1), "a", "b"), Err(ModelError::NoCollection { uuid: uuid(1) }));
}

#[test]
fn every_kind_of_difference_is_named() {
    let capture = captures::get("capped").unwrap();
    let (state, scope) = (&capture.initial, Scope::Users);
    let clean = Model::load(state, scope).unwrap();
    let cap = clean.find("app", "cap")[0];
    let differs = |change: &dyn Fn(&mut Model)| {
        let mut model = clean.clone();
        change(&mut model);
        let found = difference(&model, state, scope);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    };
    let on = |change: fn(&mut Collection)| differs(&|model| change(model.collection_mut(cap).unwrap()));
    let first = || clean.collection(cap).unwrap().natural().next().unwrap();

    assert!(differs(&|model| drop(model.drop_collection(cap))).ends_with("is missing"));
    assert!(differs(&|model| model.create(uuid(9), collection()).unwrap()).ends_with("should not exist"));
    assert!(differs(&|model| model.rename(cap, "app", "x").unwrap()).ends_with("is named app.x"));
    assert!(on(|c| c.options = bytes(&doc! {})).contains("options are {} (5 bytes), expected { \"capped\""));
    assert!(on(|c| c.indexes.clear()).ends_with("index _id_ is missing"));
    assert!(on(|c| c.indexes.push(bytes(&doc! { "name": "x" }))).ends_with("index x should not exist"));
    assert!(on(|c| c.indexes[0] = bytes(&doc! { "name": "_id_" })).contains("index _id_ is { \"name\""));
    assert!(
        on(|c| c.insert(&bytes(&doc! { "_id": "new" })).unwrap()).ends_with("(type 0x02) should not exist")
    );
    let missing = differs(&|model| drop(model.collection_mut(cap).unwrap().delete(first().0)));
    assert!(missing.ends_with("is missing"), "{missing}");
    let moved = differs(&|model| {
        let c = model.collection_mut(cap).unwrap();
        c.delete(first().0);
        c.insert(first().1).unwrap();
    });
    assert!(moved.ends_with("natural order differs from document number 0 on"), "{moved}");
}

#[test]
fn many_differences_are_counted_rather_than_listed() {
    let capture = captures::get("crud_basic").unwrap();
    let mut model = Model::load(&capture.initial, Scope::Users).unwrap();
    model.collection_mut(model.find("app", "a")[0]).unwrap().clear();
    let found = difference(&model, &capture.initial, Scope::Users);
    assert_eq!(found.len(), 11);
    assert!(found[10].ends_with("290 more documents differ"), "{}", found[10]);
}

#[test]
fn a_state_that_does_not_fit_is_refused_by_name() {
    let mut state = captures::get("crud_basic").unwrap().initial.clone();
    let twice = state.collections[0].clone();
    state.collections.push(twice);
    let error = Model::load(&state, Scope::Users).map(|_| ()).expect_err("one uuid twice");
    assert_eq!(error.to_string(), "app.a cannot be in a model: its uuid is taken");
    state.collections[0].uuid = None;
    let error = Model::load(&state, Scope::Users).map(|_| ()).expect_err("no uuid");
    assert_eq!(error.to_string(), "app.a cannot be in a model: it has no uuid");
}
