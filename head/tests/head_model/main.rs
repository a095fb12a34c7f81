//! Random operations, flushes, compactions, crashes, snapshots and returns to them, slices of the oplog, forks
//! and exports, against an ordered map.
//!
//! `cargo xtask long head-model` runs thousands of seeds.

#![expect(clippy::unwrap_used, reason = "a test")]

mod dump;
mod look;
mod past;
mod rig;
mod step;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use rig::Rig;
use step::{Step, step};
use tidemark_blockstore::{Depth, Quiet};
use tidemark_head::snapshot;
use tidemark_testkit::rounds;

/// Seeds that failed once, from the folder of the crate.
const FAILED_ONCE: &str = "tests/head_model/failed_once.txt";

#[test]
fn a_head_holds_what_an_ordered_map_holds() {
    let config = ProptestConfig {
        cases: rounds(60),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(FAILED_ONCE))),
        ..ProptestConfig::default()
    };
    let histories = (any::<bool>(), prop::collection::vec(step(), 1..80));
    let outcome = TestRunner::new(config).run(&histories, |(tolerant, steps)| {
        live_through(tolerant, &steps);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// What random steps found first.
#[test]
fn a_transaction_of_one_operation_is_whole() {
    live_through(false, &[Step::Transaction(vec![(0, 100, 0)])]);
}

fn live_through(tolerant: bool, steps: &[Step]) {
    let mut rig = Rig::new(tolerant);
    for step in steps {
        rig.step(step);
        if !matches!(step, Step::Write { .. }) {
            rig.check();
        }
    }
    rig.check();
    rig.look_everywhere();
    for kept in &rig.snapshots {
        let proof = snapshot::prove(&rig.store, &rig.name, kept.id).unwrap();
        let expected: usize = kept.documents.iter().map(std::collections::BTreeMap::len).sum();
        assert_eq!(proof.snapshot.proven.unwrap().documents, expected as u64);
        assert!(proof.divergences.is_empty(), "{:?}", proof.divergences);
    }
    let report = rig.store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{report:?}");
}
