//! The golden store of format version 1 is read for ever: its refs, its blocks, and what repair makes of it.
//!
//! The kept bytes in `testdata/v1` were written by `examples/write_golden.rs`; every later version of the
//! code must read them. Bytes that a dependency decides about (zstd frames, SQLite pages) may come out
//! differently today; everything else must still be written as it was.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

#[path = "golden_store/copies.rs"]
mod copies;
#[path = "golden_store/generator.rs"]
mod generator;
mod golden_store;

use copies::{Copy, FILES, kept};
use generator::write;
use golden_store::{Contents, ask, open};
use std::sync::Arc;
use tidemark_blockstore::{Depth, Header, Healed, Quiet, RECORD_HEADER_LEN, Store, repair};

fn assert_whole(store: &Store) {
    let answers = ask(store, &Contents::new().unwrap());
    assert!(answers.wrong.is_empty() && answers.refused.is_empty(), "{answers:#?}");
    for depth in [Depth::Quick, Depth::Full] {
        let report = store.verify(depth, &Quiet).unwrap();
        assert!(report.is_clean(), "{:#?}", report.damage);
        let blocks = Contents::new().unwrap().all().count() as u64;
        assert_eq!((report.packs, report.records, report.reached_blocks), (3, blocks, blocks - 1));
    }
}

#[test]
fn version_1_is_read() {
    let copy = Copy::new().unwrap();
    let backend = open(&copy.root).unwrap();
    assert_eq!(backend.healed(), []);
    assert_whole(&Store::new(Arc::new(backend)));
}

#[test]
fn version_1_is_rebuilt_from_packs_and_log_alone() {
    let copy = Copy::new().unwrap();
    std::fs::remove_file(copy.root.join("index.db")).unwrap();
    let report = repair(&copy.root).unwrap();
    assert_eq!((report.packs, report.refs, report.left_out_last_publish), (3, 2, false));
    assert_eq!(report.blocks, Contents::new().unwrap().all().count() as u64);
    assert_eq!(report.damage, [""; 0]);
    let backend = open(&copy.root).unwrap();
    assert_eq!(backend.healed(), []);
    assert_whole(&Store::new(Arc::new(backend)));
}

#[test]
fn opening_version_1_without_its_index_rebuilds_it() {
    let copy = Copy::new().unwrap();
    std::fs::remove_file(copy.root.join("index.db")).unwrap();
    let backend = open(&copy.root).unwrap();
    assert!(matches!(backend.healed(), [Healed::IndexRebuilt { .. }]), "{:?}", backend.healed());
    assert_whole(&Store::new(Arc::new(backend)));
}

#[test]
fn version_1_is_small_enough_for_a_sweep_over_every_byte() {
    let total: u64 = FILES.iter().map(|file| kept().join(file).metadata().unwrap().len()).sum();
    assert!(total <= 32 << 10, "{total} bytes");
}

/// The records of a pack: header and payload.
fn records(pack: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut rest = &pack[48..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let header = Header::decode(rest).unwrap();
        let (record, after) = rest.split_at(header.record_len() as usize);
        records.push((header, record[RECORD_HEADER_LEN..].to_vec()));
        rest = after;
    }
    records
}

#[test]
fn version_1_is_still_written_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    write(&root).unwrap();
    for file in FILES {
        let (then, now) =
            (std::fs::read(kept().join(file)).unwrap(), std::fs::read(root.join(file)).unwrap());
        if file.ends_with(".pack") {
            assert_eq!(then[..48], now[..48], "{file}");
            let names =
                |pack: &[u8]| records(pack).into_iter().map(|(it, _)| (it.id, it.kind)).collect::<Vec<_>>();
            assert_eq!(names(&then), names(&now), "{file}");
        } else if file != "index.db" {
            assert_eq!(then, now, "{file}");
        }
    }
}

#[test]
fn version_1_has_a_sample_of_everything() {
    use tidemark_base::BlockKind::{Leaf, Node};
    use tidemark_blockstore::Codec::{Raw, Zstd};
    let mut seen = std::collections::BTreeSet::new();
    for file in FILES.iter().filter(|file| file.ends_with(".pack")) {
        for (header, _) in records(&std::fs::read(kept().join(file)).unwrap()) {
            seen.insert((header.kind == Node, header.codec == Zstd, header.plain_len == 0));
        }
    }
    let sample = |kind, codec, empty| seen.contains(&(kind == Node, codec == Zstd, empty));
    assert!(sample(Leaf, Raw, false) && sample(Leaf, Zstd, false) && sample(Leaf, Raw, true), "{seen:?}");
    assert!(sample(Node, Raw, false) && sample(Node, Zstd, false), "{seen:?}");
    let log = std::fs::read(kept().join("refs.log")).unwrap();
    // Record kinds stand behind magic and length: a checkpoint, then publishes.
    let mut kinds = Vec::new();
    let mut at = 48;
    while at < log.len() {
        let len = u32::from_le_bytes(log[at + 4..at + 8].try_into().unwrap()) as usize;
        kinds.push(log[at + 8]);
        at += 16 + len;
    }
    assert_eq!(kinds, [2, 1, 1], "a checkpoint of refs, a deletion, a change");
}
