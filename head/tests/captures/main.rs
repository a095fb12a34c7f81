//! The captures of a real 6.0.5 server through import, apply and flush: the final state must come out byte for
//! byte, and the same root, whatever the way there.
//!
//! On the memory backend, and once on disk. Documents, options, UUIDs and index specifications are compared, and the natural
//! order of capped collections.

#![expect(clippy::unwrap_used, reason = "a test")]

mod rig;

use rig::Rig;
use tidemark_base::BlockId;
use tidemark_testkit::captures;

/// Captures with at most so many entries are reopened at every one of them.
const SMALL: usize = 250;

/// Where a capture is flushed in the tests of equal roots: after these parts of its entries.
const FLUSHES: [usize; 3] = [3, 2, 1];

fn rounds_of(len: usize) -> Vec<usize> {
    FLUSHES.iter().map(|part| len / part).collect()
}

/// Applies everything in batches of a size, flushing at the same entries always; the roots on the way, and the
/// root after full compaction.
fn roots(name: &str, batch: usize, threads: usize, budget_bytes: usize) -> (Vec<BlockId>, BlockId) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut rig = Rig::import(captures::get(name).unwrap(), budget_bytes);
        let mut roots = vec![rig.head().root()];
        let mut from = 0;
        for to in rounds_of(rig.capture.entries.len()) {
            for chunk in rig.capture.entries[from..to].chunks(batch) {
                rig.apply(chunk);
            }
            roots.push(rig.head_mut().flush().unwrap());
            from = to;
        }
        rig.assert_final();
        let compacted = rig.head_mut().compact().unwrap();
        rig.assert_final();
        (roots, compacted)
    })
}

fn it_gives_the_final_state_and_the_same_roots_whatever_the_batches_and_threads(name: &str) {
    let all = usize::MAX;
    let expected = roots(name, all, 1, all);
    for (batch, threads, budget_bytes) in [(1, 1, all), (7, 3, 1 << 16), (all, 3, 1 << 20)] {
        assert_eq!(
            roots(name, batch, threads, budget_bytes),
            expected,
            "batches of {batch}, {threads} threads"
        );
    }
}

fn compacted_it_has_one_root_wherever_it_was_flushed(name: &str) {
    let (_, expected) = roots(name, 7, 3, usize::MAX);
    let mut rig = Rig::import(captures::get(name).unwrap(), usize::MAX);
    let entries = &rig.capture.entries;
    // What was flushed, compacted and reopened at other places.
    let step = entries.len().div_ceil(5).max(1);
    for (number, chunk) in entries.chunks(step).enumerate() {
        rig.apply(chunk);
        match number % 3 {
            0 => drop(rig.head_mut().flush().unwrap()),
            1 => drop(rig.head_mut().compact().unwrap()),
            _ => {}
        }
        if number % 2 == 0 {
            // What was not flushed is lost, and comes again.
            rig.reopen();
            rig.apply(&entries[..entries.len().min((number + 1) * step)]);
        }
    }
    rig.head_mut().flush().unwrap();
    rig.assert_final();
    assert_eq!(rig.head_mut().compact().unwrap(), expected);
    rig.assert_final();
}

fn reopened_after_every_entry_it_gives_the_final_state(name: &str) {
    let capture = captures::get(name).unwrap();
    if capture.entries.len() > SMALL {
        // Too many to reopen at each: at some.
        let mut rig = Rig::import(capture, usize::MAX);
        for chunk in capture.entries.chunks(capture.entries.len().div_ceil(40)) {
            rig.apply(chunk);
            rig.head_mut().flush().unwrap();
            rig.reopen();
        }
        return rig.assert_final();
    }
    let mut rig = Rig::import(capture, usize::MAX);
    for (number, _) in capture.entries.iter().enumerate() {
        rig.apply(&capture.entries[number..=number]);
        // Every third is lost, and applied again.
        if number % 3 != 2 {
            rig.head_mut().flush().unwrap();
        }
        rig.reopen();
        rig.apply(&capture.entries[..=number]);
    }
    rig.assert_final();
}

/// The store is closed and opened again between import, parts of the log, and export.
fn on_disk_it_gives_the_final_state_and_the_dump_that_memory_gives(name: &str) {
    let capture = captures::get(name).unwrap();
    let mut disk = Rig::import_to_disk(capture, 1 << 16);
    let mut memory = Rig::import(capture, usize::MAX);
    for chunk in capture.entries.chunks(capture.entries.len().div_ceil(3).max(1)) {
        disk.reopen();
        disk.apply(chunk);
        memory.apply(chunk);
        let roots = [&mut disk, &mut memory].map(|rig| rig.head_mut().flush().unwrap());
        assert_eq!(roots[0], roots[1]);
    }
    disk.reopen();
    disk.assert_final();
    let dump = disk.export();
    assert_eq!(dump, memory.export());
    let roots = [&mut disk, &mut memory].map(|rig| rig.head_mut().compact().unwrap());
    assert_eq!(roots[0], roots[1]);
    disk.reopen();
    disk.assert_final();
    assert_eq!(disk.export(), dump);
    disk.assert_sound();
}

macro_rules! captures {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(mod $name {
            #[test]
            fn it_gives_the_final_state_and_the_same_roots_whatever_the_batches_and_threads() {
                super::it_gives_the_final_state_and_the_same_roots_whatever_the_batches_and_threads(stringify!($name));
            }

            #[test]
            fn compacted_it_has_one_root_wherever_it_was_flushed() {
                super::compacted_it_has_one_root_wherever_it_was_flushed(stringify!($name));
            }

            #[test]
            fn on_disk_it_gives_the_final_state_and_the_dump_that_memory_gives() {
                super::on_disk_it_gives_the_final_state_and_the_dump_that_memory_gives(stringify!($name));
            }

            #[test]
            fn reopened_after_every_entry_it_gives_the_final_state() {
                super::reopened_after_every_entry_it_gives_the_final_state(stringify!($name));
            }
        })*
    };
}

captures! {
    applyops_command, big_documents, capped, clustered, collmod, create_options, crud_basic,
    drop_and_recreate, fuzzy_0, fuzzy_1, fuzzy_2, gridfs, id_collation, id_types, index_builds,
    noops_terms_fcv, out_merge, preimages, random_0, random_1, random_2, random_3, rename,
    replacement_updates, retryable_findandmodify, timeseries, ttl, txn_large, txn_prepared,
    txn_prepared_spanning, txn_small, update_operators, update_pipeline, users_roles, views, weird_fields,
}

#[test]
fn every_capture_has_its_tests() {
    assert_eq!(captures::names().unwrap(), NAMES);
}
