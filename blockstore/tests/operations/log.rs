//! `refs.log` lost, damaged or old: it is written anew from the index; with the index gone as well, what is
//! missing is said and nothing is guessed.

use crate::sample::{Sample, assert_index_rebuilt, assert_says, options};
use std::sync::Arc;
use tidemark_base::ErrorKind;
use tidemark_blockstore::{Depth, Error, Healed, Quiet, Store, repair};

/// The log is whole again: the index can be rebuilt from it.
fn assert_log_is_whole(mut sample: Sample) {
    sample.assert_whole();
    sample.remove_index();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "missing");
    sample.assert_refs(&store);
}

fn assert_written_anew(sample: Sample) {
    let (store, healed) = sample.open_healed();
    assert_eq!(healed, [Healed::LogRewritten]);
    let text = healed[0].to_string();
    assert!(text.contains("refs.log") && text.contains("written anew from the index"), "{text}");
    sample.assert_refs(&store);
    drop(store);
    assert_log_is_whole(sample);
}

#[test]
fn a_lost_log_is_written_anew() {
    let sample = Sample::new();
    std::fs::remove_file(sample.path("refs.log")).unwrap();
    assert_written_anew(sample);
}

#[test]
fn an_old_log_is_written_anew() {
    let mut sample = Sample::new();
    let copy = std::fs::read(sample.path("refs.log")).unwrap();
    sample.publish("a");
    sample.publish("d");
    std::fs::write(sample.path("refs.log"), copy).unwrap();
    assert_written_anew(sample);
}

#[test]
fn a_damaged_or_cut_log_is_written_anew() {
    let sample = Sample::new();
    let whole = std::fs::read(sample.path("refs.log")).unwrap();
    drop(sample);
    for at in [0, 20, 60, whole.len() / 2, whole.len() - 1] {
        for cut in [false, true] {
            let sample = Sample::new();
            let mut bytes = std::fs::read(sample.path("refs.log")).unwrap();
            bytes[at] ^= 1;
            bytes.truncate(if cut { at } else { bytes.len() });
            std::fs::write(sample.path("refs.log"), bytes).unwrap();
            assert_written_anew(sample);
        }
    }
}

/// How often the log has been written anew, by its header.
fn generation(sample: &Sample) -> u8 {
    std::fs::read(sample.path("refs.log")).unwrap()[32]
}

/// The index is whole: a publish that finds the log too long writes it anew from there.
#[test]
fn a_log_damaged_under_an_open_store_is_rewritten_without_loss() {
    let mut sample = Sample::new();
    let backend = options().rewrite_log_from_bytes(1500).open(&sample.root).unwrap();
    let store = Store::new(Arc::new(backend));
    let mut bytes = std::fs::read(sample.path("refs.log")).unwrap();
    let value = b"value";
    let second = bytes.windows(value.len()).enumerate().filter(|(_, at)| at == value).nth(1).unwrap().0;
    bytes[second] ^= 1;
    std::fs::write(sample.path("refs.log"), bytes).unwrap();
    let session = store.session(&[]).unwrap();
    let before = generation(&sample);
    while generation(&sample) == before {
        sample.publish_in(&session, "x");
    }
    drop((session, store));
    sample.assert_refs(&sample.open());
    assert_log_is_whole(sample);
}

#[test]
fn a_lost_position_in_the_log_is_reported_and_healed() {
    let mut sample = Sample::new();
    let store = sample.open();
    sample.spoil_rows("l");
    let damage = store.verify(Depth::Quick, &Quiet).unwrap().damage;
    assert!(matches!(&damage[..], [one] if one.problem.contains("position in refs.log")), "{damage:#?}");
    drop(store);
    assert_index_rebuilt(&sample.open_healed().1, "position in refs.log");
    sample.assert_whole();
}

#[test]
fn index_and_log_both_lost_is_said_and_nothing_is_guessed() {
    let mut sample = Sample::new();
    let index = sample.copy_index();
    let log = std::fs::read(sample.path("refs.log")).unwrap();
    sample.remove_index();
    std::fs::remove_file(sample.path("refs.log")).unwrap();
    for error in [sample.open_error(), repair(&sample.root).unwrap_err()] {
        assert!(matches!(&error, Error::BadRow { place, .. } if place.ends_with("refs.log")), "{error:?}");
        let words = ["missing", "index", "put back a copy of index.db or refs.log", "packs/ are untouched"];
        assert_says(&error, ErrorKind::Corrupt, &words);
    }
    // Either of them is enough.
    std::fs::write(sample.path("refs.log"), &log).unwrap();
    sample.assert_refs(&sample.open_healed().0);
    sample.remove_index();
    std::fs::remove_file(sample.path("refs.log")).unwrap();
    sample.put_back(&index);
    let (store, healed) = sample.open_healed();
    assert_eq!(healed, [Healed::LogRewritten]);
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}
