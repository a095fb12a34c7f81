//! Batches: whole or not at all, each write against the version it replaces, limits.

use crate::stores::{change, each, get, make, put};
use tidemark_base::ErrorKind;
use tidemark_base::limits::{MAX_BATCH_CHANGES, MAX_RECORD_BYTES, MAX_RECORD_ID_BYTES};
use tidemark_metadata::{Change, Collection, Error, Expect, Write};

#[test]
fn what_is_written_is_read() {
    each(|store| {
        assert_eq!(get(store, "a"), None);
        let version = make(store, "a", Some("k"), "{\"ä\":1}");
        let found = get(store, "a").unwrap();
        assert_eq!((found.id.as_str(), found.key.as_deref()), ("a", Some("k")));
        assert_eq!((found.version, found.body.as_str()), (version, "{\"ä\":1}"));
        assert_eq!(store.get(Collection::User, "a").unwrap(), None, "collections are apart");
    });
}

#[test]
fn a_write_names_the_version_it_replaces_and_a_conflict_says_which() {
    each(|store| {
        let first = make(store, "a", None, "1");
        let second = store.apply(&[change("a", Expect::At(first), put(None, "2"))]).unwrap();
        assert_ne!(first, second);
        let late = store.apply(&[change("a", Expect::At(first), put(None, "3"))]).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Conflict);
        let Error::Conflict { collection, id, expected, found } = &late else { panic!("{late}") };
        assert_eq!((*collection, id.as_str()), (Collection::Group, "a"));
        assert_eq!((*expected, *found), (Some(first), Some(second)));
        assert_eq!(get(store, "a").unwrap().body, "2");
        for write in [put(None, "x"), Write::Keep] {
            let again = store.apply(&[change("a", Expect::Absent, write)]).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::Conflict);
        }
        for write in [put(None, "x"), Write::Keep, Write::Delete] {
            let missing = store.apply(&[change("b", Expect::At(second), write)]).unwrap_err();
            assert_eq!(missing.kind(), ErrorKind::Conflict);
        }
        assert_eq!(get(store, "b"), None);
    });
}

#[test]
fn a_version_never_comes_back() {
    each(|store| {
        let first = make(store, "a", None, "1");
        store.apply(&[change("a", Expect::At(first), Write::Delete)]).unwrap();
        assert_eq!(get(store, "a"), None);
        let second = make(store, "a", None, "1");
        assert_ne!(first, second);
        let late = store.apply(&[change("a", Expect::At(first), Write::Delete)]).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Conflict);
        assert_eq!(get(store, "a").unwrap().version, second);
    });
}

#[test]
fn one_conflict_anywhere_and_nothing_of_the_batch_happens() {
    each(|store| {
        let kept = make(store, "kept", None, "old");
        let gone = make(store, "gone", Some("k"), "old");
        for bad in 0..4 {
            let mut batch = vec![
                change("new", Expect::Absent, put(None, "new")),
                change("kept", Expect::At(kept), put(None, "new")),
                change("gone", Expect::At(gone), Write::Delete),
            ];
            batch.insert(bad, change("other", Expect::At(kept), Write::Keep));
            let error = store.apply(&batch).unwrap_err();
            let Error::Conflict { id, .. } = &error else { panic!("{error}") };
            assert_eq!(id, "other");
            assert_eq!(get(store, "new"), None);
            assert_eq!(get(store, "kept").unwrap().version, kept);
            assert_eq!(get(store, "gone").unwrap().body, "old");
        }
        let good = [
            change("new", Expect::Absent, put(None, "new")),
            change("kept", Expect::At(kept), Write::Keep),
            change("gone", Expect::At(gone), Write::Delete),
        ];
        let version = store.apply(&good).unwrap();
        assert_eq!(get(store, "new").unwrap().version, version);
        assert_eq!(get(store, "kept").unwrap().version, kept, "keeping changes nothing");
        assert_eq!(get(store, "gone"), None);
    });
}

#[test]
fn batches_that_break_a_rule_are_refused_and_change_nothing() {
    each(|store| {
        let new = |id: &str| change(id, Expect::Absent, put(None, "1"));
        let long = "x".repeat(MAX_RECORD_ID_BYTES + 1);
        let many: Vec<Change> = (0..=MAX_BATCH_CHANGES).map(|n| new(&n.to_string())).collect();
        let big = "x".repeat(MAX_RECORD_BYTES + 1);
        let refused: Vec<Vec<Change>> = vec![
            vec![],
            many,
            vec![new("a"), new("a")],
            vec![new("a"), new("")],
            vec![new("a"), new("b c")],
            vec![new("a"), new("ü")],
            vec![new("a"), new("a\n")],
            vec![new("a"), new(&long)],
            vec![new("a"), change("b", Expect::Absent, put(Some(""), "1"))],
            vec![new("a"), change("b", Expect::Absent, put(Some(&long), "1"))],
            vec![new("a"), change("b", Expect::Absent, put(None, &big))],
            vec![new("a"), change("b", Expect::Absent, Write::Delete)],
        ];
        for batch in refused {
            let error = store.apply(&batch).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{batch:?}: {error}");
            assert_eq!(get(store, "a"), None);
        }
        let most: Vec<Change> = (0..MAX_BATCH_CHANGES).map(|n| new(&n.to_string())).collect();
        store.apply(&most).unwrap();
        let longest = "x".repeat(MAX_RECORD_ID_BYTES);
        let body = "x".repeat(MAX_RECORD_BYTES);
        make(store, &longest, Some(&longest), &body);
        assert_eq!(get(store, &longest).unwrap().body, body);
    });
}

#[test]
fn contents_are_in_no_debug_output() {
    each(|store| {
        make(store, "a", None, "hunter2");
        let shown = format!("{:?} {:?}", get(store, "a"), change("a", Expect::Absent, put(None, "hunter2")));
        assert!(!shown.contains("hunter2"), "{shown}");
    });
}
