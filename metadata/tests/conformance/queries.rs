//! Listings: order, prefixes, the secondary key, pages.

use crate::stores::{change, each, get, ids, make, put};
use tidemark_base::ErrorKind;
use tidemark_metadata::{By, Collection, Expect, Query, Write};

#[test]
fn ids_come_in_the_order_of_their_bytes() {
    each(|store| {
        for id in ["b", "A", "a:2", "a:10", "a", "~", "a~", "B", "!"] {
            make(store, id, None, "");
        }
        let all = ids(store, By::IdPrefix(""), None, 100);
        assert_eq!(all, ["!", "A", "B", "a", "a:10", "a:2", "a~", "b", "~"]);
    });
}

#[test]
fn a_prefix_is_taken_literally() {
    each(|store| {
        for id in ["g1:a", "g1:b", "g10:a", "g2:a", "g1", "g1~", "G1:a", "g_:a", "g%:a", "g*:a", "g1:~~"] {
            make(store, id, None, "");
        }
        assert_eq!(ids(store, By::IdPrefix("g1:"), None, 100), ["g1:a", "g1:b", "g1:~~"]);
        assert_eq!(ids(store, By::IdPrefix("g_:"), None, 100), ["g_:a"]);
        assert_eq!(ids(store, By::IdPrefix("g%:"), None, 100), ["g%:a"]);
        assert_eq!(ids(store, By::IdPrefix("g*:"), None, 100), ["g*:a"]);
        assert!(ids(store, By::IdPrefix("g3"), None, 100).is_empty());
    });
}

#[test]
fn pages_follow_each_other_without_gap_or_double() {
    each(|store| {
        for n in 0..25 {
            let key = if n % 2 == 0 { "even" } else { "odd" };
            make(store, &format!("p{n:02}"), Some(key), "");
        }
        make(store, "q", None, "");
        for (by, count) in
            [(By::IdPrefix("p"), 25), (By::IdPrefix(""), 26), (By::Key("even"), 13), (By::Key("odd"), 12)]
        {
            let mut found: Vec<String> = Vec::new();
            loop {
                let page = ids(store, by, found.last().map(String::as_str), 4);
                assert!(page.len() <= 4);
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            assert_eq!(found.len(), count, "{by:?}");
            assert!(found.is_sorted_by(|a, b| a < b));
        }
        assert!(ids(store, By::IdPrefix(""), None, 0).is_empty());
    });
}

#[test]
fn no_page_is_longer_than_the_limit_of_the_house() {
    each(|store| {
        for n in 0..63 {
            let batch: Vec<_> = (0..16)
                .map(|m| change(&format!("{n:02}-{m:02}"), Expect::Absent, put(Some("k"), "")))
                .collect();
            store.apply(&batch).unwrap();
        }
        assert_eq!(ids(store, By::IdPrefix(""), None, usize::MAX).len(), 1000);
        assert_eq!(ids(store, By::Key("k"), None, usize::MAX).len(), 1000);
    });
}

#[test]
fn the_secondary_key_follows_its_document() {
    each(|store| {
        make(store, "a", Some("old"), "");
        make(store, "b", Some("old"), "");
        make(store, "c", None, "");
        assert_eq!(ids(store, By::Key("old"), None, 10), ["a", "b"]);
        let version = get(store, "a").unwrap().version;
        store.apply(&[change("a", Expect::At(version), put(Some("new"), ""))]).unwrap();
        let version = get(store, "b").unwrap().version;
        store.apply(&[change("b", Expect::At(version), put(None, ""))]).unwrap();
        assert!(ids(store, By::Key("old"), None, 10).is_empty());
        assert_eq!(ids(store, By::Key("new"), None, 10), ["a"]);
        let version = get(store, "a").unwrap().version;
        store.apply(&[change("a", Expect::At(version), Write::Delete)]).unwrap();
        assert!(ids(store, By::Key("new"), None, 10).is_empty());
        assert_eq!(ids(store, By::IdPrefix(""), None, 10), ["b", "c"]);
    });
}

#[test]
fn hostile_ids_and_keys_in_questions_find_nothing_and_break_nothing() {
    each(|store| {
        make(store, "a", Some("k"), "");
        for id in ["", "a' OR '1'='1", "a\0", "ü", "%", "_", "A"] {
            assert_eq!(get(store, id), None, "{id:?}");
        }
        for by in [By::Key("k' OR '1'='1"), By::Key(""), By::IdPrefix("a b"), By::IdPrefix("\u{7f}")] {
            let query = Query { by, after: None, limit: 10 };
            let error = store.scan(Collection::Group, query).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{by:?}");
        }
        let query = Query { by: By::IdPrefix(""), after: Some(""), limit: 10 };
        assert_eq!(store.scan(Collection::Group, query).unwrap_err().kind(), ErrorKind::Invalid);
    });
}
