//! Files of other stores and of newer versions in a store's folder.

use crate::sample::{Sample, assert_index_rebuilt, assert_says, collect, refs};
use std::path::Path;
use tidemark_base::ErrorKind;
use tidemark_blockstore::{Depth, Error, Quiet, Store};

/// A byte of a header's version field, after the eight bytes of magic.
const VERSION_AT: usize = 8;

/// The only findings of `verify`, in words.
fn findings(store: &Store) -> Vec<String> {
    let report = store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.damage.iter().all(|damage| damage.hurts.is_empty()), "{:#?}", report.damage);
    report.damage.into_iter().map(|damage| damage.problem).collect()
}

/// Whatever its number: unknown, or above all that the store has given out.
#[test]
fn a_pack_of_another_store_is_named_and_left_alone() {
    let other = Sample::new();
    let foreign = other.packs()[0].clone();
    for name in ["0000000000000009.pack", "00000000ffffffff.pack", "ffffffffffffffff.pack"] {
        let mut sample = Sample::new();
        let path = sample.path("packs").join(name);
        std::fs::copy(&foreign, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (store, _) = sample.open_healed();
        assert_eq!(refs(&store), sample.refs);
        // The store goes on beside it, also collecting.
        let session = store.session(&[]).unwrap();
        sample.publish_in(&session, "beside");
        drop(session);
        collect(&store);
        assert_eq!(refs(&store), sample.refs);
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name} was touched");
        drop(store);
        std::fs::remove_file(&path).unwrap();
        let _ = sample.open_healed();
        sample.assert_whole();
    }
}

#[test]
fn an_unknown_pack_is_a_finding_of_verify() {
    let mut sample = Sample::new();
    let other = Sample::new();
    let path = sample.path("packs").join("0000000000000009.pack");
    std::fs::copy(&other.packs()[0], &path).unwrap();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "does not know pack 9");
    let text = healed[0].to_string();
    assert!(text.contains("1 damaged place"), "{text}");
    let found = findings(&store);
    assert!(matches!(&found[..], [one] if one.contains("pack 9")), "{found:?}");
    drop(store);
    assert_eq!(sample.open_healed().1, [], "one rebuild is enough");
    std::fs::remove_file(path).unwrap();
    sample.assert_whole();
}

#[test]
fn a_file_that_is_no_pack_is_ignored() {
    let mut sample = Sample::new();
    for name in ["README", "1.pack", "0000000000000001.pack.bak", ".pack"] {
        std::fs::write(sample.path("packs").join(name), "hello").unwrap();
    }
    sample.assert_whole();
    collect(&sample.open());
    assert!(sample.path("packs").join("README").exists());
}

#[test]
fn the_index_of_another_store_is_put_aside() {
    let mut sample = Sample::new();
    let other = Sample::new();
    std::fs::copy(other.path("index.db"), sample.path("index.db")).unwrap();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "belongs to store");
    sample.assert_refs(&store);
    drop(store);
    let aside = std::fs::read(sample.path("index.db.broken")).unwrap();
    assert_eq!(aside, std::fs::read(other.path("index.db")).unwrap());
    sample.assert_whole();
}

#[test]
fn something_else_in_the_index_s_place_is_put_aside() {
    for bytes in [b"".as_slice(), b"dear reader, this is a letter and no database", &[0; 8192]] {
        let mut sample = Sample::new();
        std::fs::write(sample.path("index.db"), bytes).unwrap();
        let (store, healed) = sample.open_healed();
        assert_index_rebuilt(&healed, "");
        sample.assert_refs(&store);
        drop(store);
        sample.assert_whole();
    }
}

#[test]
fn the_log_of_another_store_stops_the_opening() {
    let mut sample = Sample::new();
    let other = Sample::new();
    let own = std::fs::read(sample.path("refs.log")).unwrap();
    std::fs::copy(other.path("refs.log"), sample.path("refs.log")).unwrap();
    let error = sample.open_error();
    assert!(matches!(&error, Error::Foreign { path, .. } if path.ends_with("refs.log")), "{error:?}");
    assert_says(&error, ErrorKind::Corrupt, &["refs.log belongs to store", "move it out of the folder"]);
    // With the index lost as well, nothing is guessed.
    let index = sample.copy_index();
    sample.remove_index();
    assert!(matches!(sample.open_error(), Error::Foreign { .. }));
    sample.put_back(&index);
    std::fs::write(sample.path("refs.log"), own).unwrap();
    sample.assert_whole();
}

#[test]
fn the_superblock_of_another_store_makes_nothing_of_this_one_its_own() {
    let mut sample = Sample::new();
    let other = Sample::new();
    let own = std::fs::read(sample.path("superblock")).unwrap();
    std::fs::copy(other.path("superblock"), sample.path("superblock")).unwrap();
    assert!(matches!(sample.open_error(), Error::Foreign { .. }));
    std::fs::write(sample.path("superblock"), own).unwrap();
    let _ = sample.open_healed();
    sample.assert_whole();
}

#[test]
fn a_newer_format_asks_for_a_newer_version() {
    for name in ["superblock", "refs.log"] {
        let mut sample = Sample::new();
        let own = std::fs::read(sample.path(name)).unwrap();
        make_newer(&sample.path(name), 2);
        let error = sample.open_error();
        let newer =
            matches!(&error, Error::NewerFormat { found: 2, supported: 1, path } if path.ends_with(name));
        assert!(newer, "{error:?}");
        assert_says(&error, ErrorKind::Invalid, &[name, "format version 2", "use a newer Tidemark"]);
        std::fs::write(sample.path(name), own).unwrap();
        sample.assert_whole();
    }
}

/// Raises the version of a file and makes its header's checksum right again.
fn make_newer(path: &Path, version: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[VERSION_AT] = version;
    let len = if path.ends_with("superblock") { bytes.len() } else { 48 };
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..len - 8]);
    bytes[len - 8..len].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}
