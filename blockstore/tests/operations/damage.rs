//! Packs that are cut, changed or gone: what is in them is named, the rest is served.

use crate::sample::{Sample, assert_index_rebuilt, assert_says, change, collect, noise, put_tree, refs};
use std::path::Path;
use tidemark_base::ErrorKind;
use tidemark_blockstore::{BlockRef, Depth, Error, GcOptions, Quiet, Store};

/// `verify` names damaged blocks, and of the refs just this one as hurt.
fn assert_hurts(store: &Store, name: &str) {
    for depth in [Depth::Quick, Depth::Full] {
        let report = store.verify(depth, &Quiet).unwrap();
        let hurt: Vec<&str> =
            report.damage.iter().flat_map(|damage| &damage.hurts).map(String::as_str).collect();
        assert!(!hurt.is_empty() && hurt.iter().all(|it| *it == name), "{:#?}", report.damage);
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_truncated_pack_costs_what_was_cut_off() {
    let mut sample = Sample::new();
    let pack = sample.packs()[1].clone();
    let whole = std::fs::read(&pack).unwrap();
    std::fs::write(&pack, &whole[..whole.len() - 100]).unwrap();
    let store = sample.open();
    let error = store.get_one(sample.refs["b"]).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert_says(&error, ErrorKind::Corrupt, &["pack 2", "shorter than it was", "tidemark store verify"]);
    assert!(store.get_one(sample.refs["a"]).is_ok() && store.get_one(sample.refs["c"]).is_ok());
    assert_hurts(&store, "b");
    // Nothing is deleted from a store that is not understood.
    assert!(store.collect(GcOptions::default(), &Quiet).is_err());
    drop(store);
    std::fs::write(&pack, whole).unwrap();
    sample.assert_whole();
}

#[test]
fn a_flipped_bit_costs_one_block() {
    let mut sample = Sample::new();
    let pack = sample.packs()[1].clone();
    // In the middle of the payload of the first leaf.
    flip(&pack, 2000);
    let store = sample.open();
    let first = BlockRef::leaf(&noise(10, 4000)).id();
    let error = store.get_one(first).unwrap_err();
    assert_says(&error, ErrorKind::Corrupt, &["pack 2", "is damaged", "tidemark store verify"]);
    assert_hurts(&store, "b");
    let damage = store.verify(Depth::Full, &Quiet).unwrap().damage;
    assert!(matches!(&damage[..], [one] if one.block == Some(first)), "{damage:#?}");
    drop(store);
    flip(&pack, 2000);
    sample.assert_whole();
}

/// A pack that is gone is not relied on: what it held is written again when it is put again.
#[test]
fn a_lost_pack_is_noticed_and_what_it_held_can_be_put_again() {
    let mut sample = Sample::new();
    let pack = sample.packs()[1].clone();
    let aside = sample.beside().join("aside");
    std::fs::rename(&pack, &aside).unwrap();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "pack 2");
    assert_eq!(refs(&store), sample.refs, "no ref is given up");
    assert!(matches!(store.get_one(sample.refs["b"]), Err(Error::Missing { .. })));
    assert!(store.get_one(sample.refs["a"]).is_ok());
    assert_hurts(&store, "b");
    let session = store.session(&[]).unwrap();
    assert_eq!(put_tree(&session, 2).unwrap(), sample.refs["b"]);
    session.publish(&[change("b", Some(sample.refs["b"]))]).unwrap();
    drop(session);
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

/// The newest, put aside and put back after others were written: its number was not given out again.
#[test]
fn a_pack_that_comes_back_is_known_again() {
    let mut sample = Sample::new();
    let pack = sample.packs()[2].clone();
    let aside = sample.beside().join("aside");
    std::fs::rename(&pack, &aside).unwrap();
    let (store, _) = sample.open_healed();
    let session = store.session(&[]).unwrap();
    sample.publish_in(&session, "meanwhile");
    drop((session, store));
    assert_eq!(sample.packs().last().unwrap().file_name().unwrap(), "0000000000000004.pack", "a new number");
    std::fs::rename(&aside, &pack).unwrap();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "does not know pack 3");
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

/// As when the folder of packs was not mounted: nothing is forgotten that comes back.
#[test]
fn packs_that_come_back_are_known_again() {
    let mut sample = Sample::new();
    let aside = sample.beside().join("aside");
    std::fs::rename(sample.path("packs"), &aside).unwrap();
    std::fs::create_dir(sample.path("packs")).unwrap();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "pack 1");
    assert_eq!(refs(&store), sample.refs, "no ref is given up");
    assert!(store.collect(GcOptions::default(), &Quiet).is_err());
    drop(store);
    std::fs::remove_dir(sample.path("packs")).unwrap();
    std::fs::rename(&aside, sample.path("packs")).unwrap();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "pack");
    sample.assert_refs(&store);
    collect(&store);
    drop(store);
    sample.assert_whole();
}
