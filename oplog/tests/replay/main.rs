//! The captures of a real 6.0.5 server, applied: the final state must come out byte for byte.
//!
//! Documents, options, UUIDs and index specifications are compared. Each capture is a test of its own, twice:
//! in its own mode, and once more fuzzily over its own final state, which must change nothing.

#![expect(clippy::unwrap_used, reason = "a test")]

mod divergent;
mod replayer;
mod transactions;

use replayer::Replayer;
use tidemark_oplog::entry::Fuzzy;
use tidemark_testkit::captures::{self, Capture, Mode};
use tidemark_testkit::model::{Scope, difference};
use tidemark_testkit::state::State;

/// Copies that were taken while a workload ran left `admin` out.
fn scope(capture: &Capture) -> Scope {
    match capture.mode {
        Mode::Exact => Scope::UsersAndAdmin,
        Mode::InitialSync => Scope::Users,
    }
}

/// The capture's own mode. What comes after a copy is consistent is strict again.
fn own_mode(capture: &Capture) -> Fuzzy {
    match capture.mode {
        Mode::Exact => Fuzzy { until: None },
        Mode::InitialSync => Fuzzy { until: Some(capture.consistent_from.unwrap()) },
    }
}

fn replay(capture: &Capture, from: &State, fuzzy: Fuzzy) -> Replayer {
    let mut replayer = Replayer::load(from, scope(capture), capture.apply_after, fuzzy);
    capture.entries.iter().for_each(|entry| replayer.entry(entry));
    replayer.finish()
}

fn assert_final(capture: &Capture, replayer: &Replayer) {
    let difference = difference(&replayer.model, &capture.final_, scope(capture));
    assert!(difference.is_empty(), "{}:\n{}", capture.name, difference.join("\n"));
    let divergences: Vec<_> = replayer.divergences.iter().map(ToString::to_string).collect();
    assert!(divergences.is_empty(), "{}:\n{}", capture.name, divergences.join("\n"));
}

fn applied_in_its_own_mode_it_gives_the_final_state(name: &str) {
    let capture = captures::get(name).unwrap();
    let replayer = replay(capture, &capture.initial, own_mode(capture));
    assert_final(capture, &replayer);
}

fn applied_fuzzily_to_its_final_state_it_changes_nothing(name: &str) {
    let capture = captures::get(name).unwrap();
    let replayer = replay(capture, &capture.final_, Fuzzy { until: Some(capture.stop) });
    assert_final(capture, &replayer);
}

macro_rules! captures {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(mod $name {
            #[test]
            fn applied_in_its_own_mode_it_gives_the_final_state() {
                super::applied_in_its_own_mode_it_gives_the_final_state(stringify!($name));
            }

            #[test]
            fn applied_fuzzily_to_its_final_state_it_changes_nothing() {
                super::applied_fuzzily_to_its_final_state_it_changes_nothing(stringify!($name));
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
