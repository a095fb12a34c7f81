//! The stored text of every kind of record, frozen: `testdata/records-v1` was written by this version and is read for
//! ever. A change of a record is a new schema number and lines of its own, never a change of these.

#![expect(clippy::unwrap_used, reason = "a test")]

mod samples;

use samples::{Sample, all};
use std::collections::BTreeSet;
use std::sync::Arc;
use tidemark_base::ErrorKind;
use tidemark_metadata::{Change, Collection, Expect, MemoryStore, Metadata, Store, Write};

const GOLDEN: &str = include_str!("../../testdata/records-v1");

/// A line of the golden file: collection, id, key (or `-`), text.
fn lines() -> Vec<[&'static str; 4]> {
    let split = |line: &'static str| {
        let mut parts = line.splitn(4, ' ');
        std::array::from_fn(|_| parts.next().unwrap())
    };
    GOLDEN.lines().map(split).collect()
}

fn line_of(sample: &Sample) -> String {
    let store = Arc::new(MemoryStore::new());
    sample.create(store.clone());
    let document = store.get(sample.collection, &sample.id).unwrap().unwrap();
    let key = document.key.unwrap_or_else(|| "-".to_owned());
    format!("{} {} {key} {}", sample.collection, sample.id, document.body)
}

/// A store with this text in the place of the sample.
fn store_with(sample: &Sample, id: &str, key: Option<&str>, body: &str) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let write = Write::Put { key: key.map(str::to_owned), body: body.to_owned() };
    let change = Change { collection: sample.collection, id: id.to_owned(), expect: Expect::Absent, write };
    store.apply(&[change]).unwrap();
    store
}

#[test]
fn records_are_written_as_they_were() {
    let written: Vec<String> = all().iter().map(line_of).collect();
    let golden: Vec<&str> = GOLDEN.lines().collect();
    assert_eq!(written, golden, "all lines as they are now:\n{}\n", written.join("\n"));
}

#[test]
fn records_are_read_as_they_were_written() {
    assert_eq!(lines().len(), all().len());
    for (sample, [_, id, key, body]) in all().iter().zip(lines()) {
        let key = (key != "-").then_some(key);
        let store = store_with(sample, id, key, body);
        assert_eq!(sample.read(store), Ok(true), "{} {id}", sample.collection);
    }
}

#[test]
fn every_collection_is_frozen() {
    let frozen: BTreeSet<&str> = lines().into_iter().map(|[collection, ..]| collection).collect();
    let known: BTreeSet<&str> = Collection::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(frozen, known);
}

#[test]
fn a_check_reads_every_record_of_every_kind() {
    let store = Arc::new(MemoryStore::new());
    all().iter().for_each(|it| it.create(store.clone()));
    let metadata = Metadata::new(store.clone());
    assert_eq!(metadata.check().unwrap(), u64::try_from(lines().len()).unwrap());
    for sample in all() {
        let document = store.get(sample.collection, &sample.id).unwrap().unwrap();
        let write = |expect, body: &str| {
            let write = Write::Put { key: document.key.clone(), body: body.to_owned() };
            let (collection, id) = (sample.collection, sample.id.clone());
            Expect::At(store.apply(&[Change { collection, id, expect, write }]).unwrap())
        };
        let damaged = write(Expect::At(document.version), "{}");
        let error = metadata.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&sample.id), "{error}");
        write(damaged, &document.body);
    }
    metadata.check().unwrap();
}

#[test]
fn a_record_of_a_newer_schema_is_refused_as_such() {
    for (sample, [_, id, key, body]) in all().iter().zip(lines()) {
        let newer =
            body.replacen("{\"schema\":1,\"record\":{", "{\"schema\":2,\"record\":{\"later\":[1],", 1);
        assert_ne!(newer, body);
        let store = store_with(sample, id, (key != "-").then_some(key), &newer);
        assert_eq!(sample.read(store), Err(ErrorKind::Invalid), "{} {id}", sample.collection);
    }
}

#[test]
fn a_record_that_was_changed_or_lies_elsewhere_is_damage() {
    for (sample, [_, id, key, body]) in all().iter().zip(lines()) {
        let key = (key != "-").then_some(key);
        let unknown = body.replacen("\"record\":{", "\"record\":{\"later\":1,", 1);
        let doubled = body.replacen("{\"schema\":1,", "{\"schema\":1,\"schema\":1,", 1);
        for bad in [
            "",
            "{}",
            "null",
            "{\"schema\":1}",
            "{\"schema\":0}",
            &unknown,
            &doubled,
            &body[..body.len() - 1],
        ] {
            let store = store_with(sample, id, key, bad);
            assert_eq!(sample.read(store), Err(ErrorKind::Corrupt), "{} {bad}", sample.collection);
        }
        let spaced = body.replacen("{\"schema\":1,", "{ \"schema\":1,", 1);
        let left_out = body.replacen(",\"lastError\":null", "", 1).replacen(",\"connection\":null", "", 1);
        for other in [&spaced, &left_out] {
            let store = store_with(sample, id, key, other);
            let expected = if other == body { Ok(true) } else { Err(ErrorKind::Corrupt) };
            assert_eq!(sample.read(store), expected, "{other}");
        }
        let store = store_with(sample, id, Some("elsewhere"), body);
        assert_eq!(sample.read(store), Err(ErrorKind::Corrupt), "{} under another key", sample.collection);
    }
}

#[test]
fn no_cut_and_no_flip_of_a_text_panics() {
    for (sample, [_, id, key, body]) in all().iter().zip(lines()) {
        let key = (key != "-").then_some(key);
        for at in 0..body.len() {
            let mut bytes = body.as_bytes().to_owned();
            bytes[at] ^= 1 << (at % 7);
            for bad in [&bytes, &body.as_bytes()[..at]] {
                let bad = String::from_utf8_lossy(bad);
                // A flip in a name is another name; what is wrong in form is an error.
                if let Err(kind) = sample.read(store_with(sample, id, key, &bad)) {
                    assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Invalid), "{bad}");
                }
            }
        }
    }
}
