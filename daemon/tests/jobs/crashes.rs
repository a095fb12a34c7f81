//! A machine that dies at any call of its store, and calls that fail once: whoever comes after goes on, and nothing
//! that was acknowledged is lost.

use crate::rig::{HOUR, Rig};
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::{Clock, SeededEntropy};
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{Backend, Depth, Quiet, Store};

/// How long a scene may take before it is taken for finished, in looks of ten milliseconds.
const LOOKS: usize = 150;

/// A whole life in short on a store that fails at a call: built, followed, snapshots, proofs, a rollback.
fn scene(at: FaultAt) -> (Rig, u64) {
    let mut rig = Rig::new();
    rig.copy();
    let failing = Arc::new(FaultBackend::new(rig.backend.clone(), at));
    let daemon =
        rig.daemon_on("d1", rig.metadata.clone(), Store::new(Arc::clone(&failing) as Arc<dyn Backend>));
    let is_dead = || at.and_all_later && at.call > 0 && failing.calls() >= at.call;
    let wait = |rig: &Rig, snapshots: usize| {
        for _ in 0..LOOKS {
            let proven = rig.snapshots().iter().filter(|(_, it)| it.proven.is_some()).count();
            if is_dead() || proven >= snapshots {
                break;
            }
            // Who failed waits before it is tried again.
            rig.clock.advance(Duration::from_secs(1));
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait(&rig, 1);
    rig.write(20);
    let common = rig.source.last.ts;
    rig.pass(7 * HOUR);
    rig.write(5);
    wait(&rig, 2);
    rig.roll_back(common);
    rig.write(10);
    // Long enough for a flush.
    rig.pass(HOUR);
    wait(&rig, 3);
    rig.pass(6 * HOUR);
    wait(&rig, 3);
    drop(daemon);
    let calls = failing.calls();
    (rig, calls)
}

fn goes_on(mut rig: Rig, what: &str) {
    rig.write(5);
    let _daemon = rig.daemon("d1");
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held, "{what}");
    rig.wait_while_time_passes("a proven snapshot", |rig| {
        let snapshots = rig.snapshots();
        let mut live = snapshots.iter().filter(|(_, it)| !it.is_dead_branch).peekable();
        live.peek().is_some() && live.all(|(_, it)| it.proven.is_some())
    });
    rig.assert_snapshots();
    let report = rig.store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{what}: {:?}", report.damage);
    assert!(!rig.has_event("RESYNC_REQUIRED"), "{what}");
    assert!(rig.clock.now() > crate::rig::START);
}

/// Some of all calls, other ones in each round.
fn some_calls(mut scene_of: impl FnMut(u64)) {
    let (_, calls) = scene(FaultAt { call: 0, fault: Fault::Fail, and_all_later: false });
    assert!(calls > 40, "{calls} calls");
    let rounds = u64::from(tidemark_testkit::rounds(1));
    for round in 0..rounds {
        let mut call = 1 + round;
        while call <= calls {
            scene_of(call);
            call += (calls / 12).max(1);
        }
    }
}

#[test]
fn a_machine_that_dies_loses_nothing() {
    some_calls(|call| {
        let (rig, _) = scene(FaultAt { call, fault: Fault::Fail, and_all_later: true });
        let backend = Arc::new(rig.backend.reopen(&mut SeededEntropy::new(2)));
        backend.crash();
        let store = Store::new(backend.clone());
        goes_on(Rig { backend, store, ..rig }, &format!("call {call}"));
    });
}

#[test]
fn a_call_that_fails_once_is_made_good_by_itself() {
    some_calls(|call| {
        let fault = [Fault::Fail, Fault::FailAfter, Fault::Tear][usize::try_from(call % 3).unwrap()];
        let (rig, _) = scene(FaultAt { call, fault, and_all_later: false });
        assert!(!rig.snapshots().is_empty(), "call {call}, {fault:?}");
        goes_on(rig, &format!("call {call}, {fault:?}"));
    });
}
