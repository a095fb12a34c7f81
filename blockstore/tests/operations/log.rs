//! `refs.log` lost, damaged or old: it is written anew from the index; with the index gone as well, what is
//! missing is said and nothing is guessed.

use crate::sample::{Sample, assert_index_rebuilt, assert_says};
use tidemark_base::ErrorKind;
use tidemark_blockstore::{Error, Healed, repair};

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
