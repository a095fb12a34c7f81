//! Damaged and arbitrary bytes: errors, never panics.

use super::super::{Body, Entry, Fuzzy, Step};
use super::{apply_ops, bytes, entry};
use bson::doc;
use proptest::prelude::*;
use tidemark_base::bson::{Doc, split};
use tidemark_testkit::captures;

/// Parses, and reads the operations if there are any. Whether all was understood.
fn read(raw: Doc<'_>) -> bool {
    let Ok(entry) = Entry::parse(raw, Fuzzy::default()) else { return false };
    let operations = match entry.body {
        Body::Group(operations) => operations,
        Body::Transaction(step) => match step.step {
            Step::Part(operations) | Step::Prepare(operations) | Step::Commit(operations) => operations,
            Step::CommitPrepared | Step::Abort => return true,
        },
        _ => return true,
    };
    operations.iter().all(|operation| operation.is_ok())
}

/// Some twenty entries of each of a few captures, and a nested one.
fn seeds() -> Vec<Vec<u8>> {
    let names =
        ["applyops_command", "txn_prepared", "rename", "index_builds", "create_options", "crud_basic"];
    let real = names.into_iter().flat_map(|name| {
        let entries = &captures::get(name).unwrap().entries;
        entries.iter().step_by(entries.len() / 20 + 1).filter(|raw| raw.len() < 4096).map(|raw| raw.to_vec())
    });
    let delete = doc! {"op": "d", "ns": "a.b", "o": {"_id": 1}};
    let nested = doc! {"op": "c", "ns": "a.$cmd", "o": {"applyOps": [delete.clone()]}};
    real.chain([bytes(&entry(apply_ops(vec![delete, nested])))]).collect()
}

#[test]
fn an_entry_cut_anywhere_is_no_document() {
    for seed in seeds() {
        for len in 0..seed.len() {
            assert!(Doc::new(&seed[..len]).is_err());
        }
    }
}

#[test]
fn an_entry_cut_anywhere_and_closed_again_is_an_error() {
    for seed in seeds() {
        // The version stands behind all that matters but the clock.
        let version = seed.windows(3).rposition(|bytes| bytes == b"\x12v\0").unwrap();
        for len in 4..=version {
            let mut cut = seed[..len].to_vec();
            cut.push(0);
            let total = u32::try_from(cut.len()).unwrap().to_le_bytes();
            cut[..4].copy_from_slice(&total);
            if let Ok(doc) = Doc::new(&cut) {
                assert!(!read(doc), "cut at {len} of {}", seed.len());
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for doc in split(&bytes).flatten() {
            let _ = read(doc);
        }
    }

    #[test]
    fn changed_entries_never_panic(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        thread_local!(static SEEDS: Vec<Vec<u8>> = seeds());
        let mut bytes = SEEDS.with(|seeds| which.get(seeds).clone());
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        if let Ok(doc) = Doc::new(&bytes) {
            let _ = read(doc);
        }
    }
}
