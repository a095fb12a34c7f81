//! All captures load; what the capturing tool counted is what is there.
//!
//! Loading itself compares every collection's count and bytes, and the number of entries, with the manifests.

use super::*;
use crate::raw;
use crate::state::ListedKind;

#[test]
fn all_thirty_six_and_the_divergent_one_load() {
    assert_eq!(all().unwrap().len(), 36);
    assert_eq!(divergent().unwrap().name, "duplicate_field_names");
}

#[test]
fn every_entry_is_sound_and_stands_in_order_between_the_named_timestamps() {
    for capture in all().unwrap().into_iter().chain([divergent().unwrap()]) {
        let mut last = capture.fetch_after;
        for entry in &capture.entries {
            raw::check(entry).unwrap();
            let ts = raw::field(entry, "ts").unwrap().unwrap().value;
            let ts = Timestamp::from_u64(u64::from_le_bytes(ts.try_into().unwrap()));
            assert!(ts > last, "{}: {ts} after {last}", capture.name);
            last = ts;
        }
        assert_eq!(last, capture.stop, "{}", capture.name);
        assert!(capture.apply_after >= capture.fetch_after);
    }
}

#[test]
fn every_document_of_every_state_is_sound() {
    for capture in all().unwrap() {
        for state in [&capture.initial, &capture.final_] {
            for collection in state.collections.iter().chain(&state.admin) {
                for document in &collection.documents {
                    raw::check(document).unwrap();
                    assert!(raw::id(document).unwrap().is_some(), "{}", collection.namespace());
                }
                collection.indexes.iter().for_each(|spec| raw::check(spec).unwrap());
            }
        }
    }
}

#[test]
fn modes_and_titles_are_those_of_the_scenarios() {
    let fuzzy: Vec<_> = all().unwrap().into_iter().filter(|c| c.mode == Mode::InitialSync).collect();
    assert_eq!(fuzzy.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["fuzzy_0", "fuzzy_1", "fuzzy_2"]);
    assert!(fuzzy.iter().all(|c| c.consistent_from.is_some_and(|ts| ts > c.apply_after && ts < c.stop)));
    let spanning = get("txn_prepared_spanning").unwrap();
    assert!(spanning.fetch_after < spanning.apply_after);
    assert_eq!(get("crud_basic").unwrap().kinds["d"], 699);
}

#[test]
fn views_and_time_series_are_listed_with_their_options() {
    let listed = &get("drop_and_recreate").unwrap().initial.listed;
    let ts = listed.iter().find(|l| l.kind == ListedKind::TimeSeries).unwrap();
    assert_eq!((ts.db.as_str(), ts.name.as_str()), ("d2", "ts"));
    assert!(raw::field(&ts.options, "timeseries").unwrap().is_some());
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = get("nonsense").expect_err("no such capture");
    assert!(error.to_string().contains("crud_basic, "), "{error}");
}
