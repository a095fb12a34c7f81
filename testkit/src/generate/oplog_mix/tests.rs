//! The stream against a plain database that applies it, and against entries a real server wrote.

use super::*;
use crate::order::IdKey;
use crate::{captures, raw};
use bson::{Bson, Document};
use std::collections::BTreeMap;

fn mix(initial: u64, seed: u64) -> OplogMix {
    let target = Target { namespace: "shop.orders".to_owned(), uuid: CollectionUuid::from_bytes([7; 16]) };
    OplogMix::new(Orders::new(seed), target, initial, seed, Timestamp { secs: 1_700_000_000, ordinal: 0 })
}

fn next(mix: &mut OplogMix) -> Vec<u8> {
    let mut out = Vec::new();
    mix.entry(&mut out);
    out
}

fn content(mix: &OplogMix) -> BTreeMap<IdKey, Vec<u8>> {
    let documents = mix.live().iter().map(|&order| {
        let mut out = Vec::new();
        mix.document(order, &mut out);
        (IdKey::of_document(&out).unwrap().unwrap(), out)
    });
    documents.collect()
}

/// Applies a diff of the kinds this stream holds.
fn apply(diff: &Document, to: &mut Document) {
    for (section, value) in diff {
        let value = value.as_document().unwrap();
        match section.split_at(1) {
            ("u", "") => value.iter().for_each(|(name, value)| *to.get_mut(name).unwrap() = value.clone()),
            ("i", "") => value.iter().for_each(|(name, value)| {
                assert_eq!(to.insert(name, value.clone()), None, "{name} is not new");
            }),
            ("s", name) if value.get_bool("a").is_ok_and(|mark| mark) => {
                let array = to.get_array_mut(name).unwrap();
                for (name, value) in value.iter().skip(1) {
                    assert_eq!(name, &format!("u{}", array.len()));
                    array.push(value.clone());
                }
            }
            ("s", name) => apply(value, to.get_document_mut(name).unwrap()),
            other => panic!("unexpected section {other:?}"),
        }
    }
}

#[test]
fn applied_to_a_plain_database_the_entries_give_the_state_the_stream_claims() {
    let mut mix = mix(300, 11);
    let mut database = content(&mix);
    for _ in 0..5000 {
        let bytes = next(&mut mix);
        let entry = Document::from_reader(bytes.as_slice()).unwrap();
        let body = entry.get_document("o").unwrap();
        let id_of = if entry.contains_key("o2") { entry.get_document("o2").unwrap() } else { body };
        let key = IdKey::of_document(&id_of.to_vec().unwrap()).unwrap().unwrap();
        match entry.get_str("op").unwrap() {
            "i" => assert_eq!(database.insert(key, body.to_vec().unwrap()), None),
            "d" => assert!(database.remove(&key).is_some()),
            _ => {
                let stored = database.get_mut(&key).unwrap();
                let mut document = Document::from_reader(stored.as_slice()).unwrap();
                apply(body.get_document("diff").unwrap(), &mut document);
                *stored = document.to_vec().unwrap();
            }
        }
    }
    assert!(database == content(&mix));
}

#[test]
fn the_shares_are_60_20_15_5_and_entries_have_about_300_bytes() {
    let mut mix = mix(10_000, 3);
    let mut counts = [0; 4];
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        counts[match mix.entry(&mut bytes) {
            Effect::Update(_) => 0,
            Effect::Insert(_) => 1,
            Effect::Delete(_) => 2,
            Effect::Push(_) => 3,
        }] += 1;
    }
    for (count, expected) in counts.into_iter().zip([60_000_i32, 20_000, 15_000, 5_000]) {
        assert!((expected - count).abs() < 1000, "{counts:?}");
    }
    let mean = bytes.len() / 100_000;
    assert!((270..=330).contains(&mean), "{mean}");
}

#[test]
fn timestamps_ascend_strictly() {
    let mut mix = mix(10, 3);
    let mut before = mix.last().ts;
    for _ in 0..3000 {
        next(&mut mix);
        assert!(std::mem::replace(&mut before, mix.last().ts) < mix.last().ts);
    }
    assert_eq!(before, Timestamp { secs: 1_700_000_002, ordinal: 1000 });
}

#[test]
fn an_empty_collection_gets_an_insert_first() {
    assert!(matches!(mix(0, 1).entry(&mut Vec::new()), Effect::Insert(_)));
}

/// Names and types of the fields, of `o` and of its diff down to the sections.
fn shape(entry: &[u8]) -> Vec<(u8, String)> {
    let fields = |bytes: &[u8], prefix: &str| -> Vec<_> {
        let fields = raw::elements(bytes).unwrap().map(Result::unwrap);
        fields.map(|e| (e.kind, format!("{prefix}{}", String::from_utf8_lossy(e.name)))).collect()
    };
    let mut shape = fields(entry, "");
    let body = raw::field(entry, "o").unwrap().unwrap().value;
    if let Some(diff) = raw::field(body, "diff").unwrap() {
        shape.extend(fields(body, "o."));
        for element in raw::elements(diff.value).unwrap().map(Result::unwrap) {
            if element.name == b"sitems" || element.name == b"sa" {
                // An array diff: its mark comes first.
                shape.push((element.kind, "array diff".to_owned()));
                shape.extend(fields(element.value, "").into_iter().take(1));
            }
        }
    }
    shape
}

#[test]
fn entries_have_the_fields_types_and_order_of_a_real_server() {
    let is = |entry: &[u8], op: &[u8]| {
        let found = raw::field(entry, "op").unwrap().unwrap();
        raw::text(found.value).unwrap() == op && raw::field(entry, "lsid").unwrap().is_none()
    };
    let crud = &captures::get("crud_basic").unwrap().entries;
    let operators = &captures::get("update_operators").unwrap().entries;
    let real = crud.iter().chain(operators).filter(|e| is(e, b"i") || is(e, b"u") || is(e, b"d"));
    let real: Vec<_> = real.map(|entry| shape(entry)).collect();
    let mut mix = mix(100, 5);
    for _ in 0..500 {
        let ours = shape(&next(&mut mix));
        assert!(real.contains(&ours), "{ours:?}");
    }
}

#[test]
fn a_stream_can_be_made_again() {
    let (mut a, mut b) = (mix(50, 8), mix(50, 8));
    assert!((0..200).all(|_| next(&mut a) == next(&mut b)));
    assert_eq!(a.live(), b.live());
}

#[test]
fn notes_are_inserted_once_and_then_replaced() {
    let mut mix = mix(5, 2);
    let (mut inserted, mut replaced) = (0, 0);
    for _ in 0..500 {
        let entry = Document::from_reader(next(&mut mix).as_slice()).unwrap();
        let diff = entry.get_document("o").unwrap().get_document("diff");
        let has = |section: &str| {
            matches!(
                diff.as_ref().map(|d| d.get_document(section).map(|s| s.get("note"))),
                Ok(Ok(Some(Bson::String(_))))
            )
        };
        inserted += u32::from(has("i"));
        replaced += u32::from(has("u"));
    }
    assert!(inserted > 10 && replaced > 10, "{inserted} {replaced}");
}
