//! Holders that go on where they must not: after an error without claiming the head again, and long after they
//! were taken over, change nothing; and one who goes back further than the oplog reaches goes on from there.

use crate::check::salts;
use crate::picture::Refs;
use crate::rig::{Rig, name};
use crate::script::{Late, Script, Step};
use std::sync::Arc;
use tidemark_base::Timestamp;
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{Backend, GcOptions, MemoryBackend, Quiet, Store};
use tidemark_head::HeadError;
use tidemark_head::head::{Head, look_up};
use tidemark_head::root::Root;

/// A head with a snapshot, something flushed after it, and something appended that is not applied.
struct Scene {
    script: Script,
    memory: Arc<MemoryBackend>,
    store: Store,
    /// Where the snapshot stands, and where the log ends.
    kept: Timestamp,
    end: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let (script, [kept, flushed, end]) = Script::of_slices([5, 5, 5]);
        let memory = Arc::new(MemoryBackend::new(&mut salts()));
        let store = Store::new(Arc::clone(&memory) as Arc<dyn Backend>);
        let mut rig = Rig::new(&script, store.clone());
        let steps = [
            Step::Begin,
            Step::Import,
            Step::Append(0),
            Step::Append(1),
            Step::Append(2),
            Step::Apply(kept),
            Step::Snapshot,
            Step::Apply(flushed),
            Step::Flush,
        ];
        steps.iter().for_each(|step| rig.run(step).unwrap());
        drop(rig);
        Self { script, memory, store, kept, end }
    }

    /// Where the head's root stands.
    fn stands(&self) -> Timestamp {
        Root::read(&self.store, look_up(&self.store, &name()).unwrap().root).unwrap().at.ts
    }

    /// One call of `late` fails, and who made it flushes as if nothing had happened. Whether there were that many.
    fn goes_on_after(&self, late: Late, call: u64, fault: Fault) -> bool {
        let backend = |call| {
            let at = FaultAt { call, fault, and_all_later: false };
            Arc::new(FaultBackend::counting_reads(Arc::clone(&self.memory) as Arc<dyn Backend>, at))
        };
        let claim = |failing: &Arc<FaultBackend>| {
            let mut rig = Rig::new(&self.script, Store::new(Arc::clone(failing) as Arc<dyn Backend>));
            rig.claim(Some(self.end)).unwrap();
            rig
        };
        let counting = backend(0);
        drop(claim(&counting));
        let call = counting.calls() + call;
        let failing = backend(call);
        let mut rig = claim(&failing);
        let outcome = rig.late(late);
        if outcome.is_ok() {
            // Some may fail: the end of a session is made good by the next collection.
            return failing.calls() >= call;
        }
        let stood = self.stands();
        let refs = Refs::read(&self.store).unwrap();
        let what = format!("{late:?}, call {call} {fault:?}");
        match rig.run(&Step::Flush) {
            Ok(()) if stood == self.kept => panic!("{what}: a head that went back is brought forward again"),
            Ok(()) => assert_eq!(self.stands(), self.end, "{what}"),
            Err(_) => assert_eq!(Refs::read(&self.store).unwrap(), refs, "{what}"),
        }
        let mut next = Rig::new(&self.script, self.store.clone());
        next.claim(None).unwrap();
        next.assert_documents();
        next.assert_snapshots();
        true
    }
}

#[test]
fn a_head_that_is_used_on_after_an_error_does_no_harm() {
    for late in [Late::Flush, Late::Compact, Late::Snapshot, Late::Rewind(1)] {
        for fault in [Fault::Fail, Fault::FailAfter, Fault::Tear] {
            let failed = (1..).take_while(|call| Scene::new().goes_on_after(late, *call, fault)).count();
            assert!(failed > 5, "{late:?} makes only {failed} calls");
        }
    }
}

/// What the loser stands on may be gone by then; it is told that it was taken over all the same.
#[test]
fn one_who_was_taken_over_is_told_so_even_when_what_it_stood_on_was_collected() {
    for late in [Late::Flush, Late::Compact, Late::Snapshot, Late::Rewind(1)] {
        let scene = Scene::new();
        let mut loser = Rig::new(&scene.script, scene.store.clone());
        loser.claim(Some(scene.end)).unwrap();
        let mut winner = Head::claim(&scene.store, &name()).unwrap();
        winner.rewind(1).unwrap();
        winner.compact().unwrap();
        for sweep in [true, true] {
            scene.store.collect(GcOptions { dry_run: false, sweep }, &Quiet).unwrap();
        }
        let refs = Refs::read(&scene.store).unwrap();
        let error = loser.late(late).unwrap_err();
        assert!(matches!(error, HeadError::Fenced { ours: 2, found: 3, .. }), "{late:?}: {error}");
        assert_eq!(Refs::read(&scene.store).unwrap(), refs, "{late:?}");
    }
}

/// The oplog goes on from where the head stands, without a gap, though nothing is left of what followed.
#[test]
fn going_back_to_a_copy_whose_oplog_has_expired_begins_the_log_anew_from_the_copy() {
    let (script, [first, second]) = Script::of_slices([5, 5]);
    let store = Store::new(Arc::new(MemoryBackend::new(&mut salts())));
    let mut rig = Rig::new(&script, store);
    let steps = [
        Step::Begin,
        Step::Import,
        Step::Snapshot,
        Step::Append(0),
        Step::Append(1),
        Step::Apply(second),
        Step::Flush,
        Step::Expire(first),
        Step::Rewind(1),
        Step::Append(0),
        Step::Apply(first),
    ];
    for step in steps {
        rig.run(&step).unwrap_or_else(|error| panic!("{step:?}: {error}"));
    }
    assert_eq!(rig.applied(), Some(first));
    rig.assert_documents();
}
