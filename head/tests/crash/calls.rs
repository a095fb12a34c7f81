//! Every call that a head makes of its backend fails in turn, those too that only read: before it does anything,
//! after it did it, or half-way.

use crate::check::{After, go_on, is_sound, salts, stands};
use crate::disk_errors::Persistent;
use crate::picture::{self, Picture, Refs};
use crate::rig::Rig;
use crate::script::{SHORT_SEED, SHORT_STEPS, Script};
use std::sync::Arc;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{Backend, MemoryBackend, Store};

struct Scene {
    script: Script,
    pictures: Vec<Picture>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let script = Script::write(seed, SHORT_STEPS);
        let memory = Store::new(Arc::new(MemoryBackend::new(&mut salts())));
        let pictures = picture::of_script(&script, memory);
        Self { script, pictures }
    }

    /// One call fails; whether there were that many.
    fn fails_once(&self, call: u64, fault: Fault) -> bool {
        let memory = Arc::new(MemoryBackend::new(&mut salts()));
        let at = FaultAt { call, fault, and_all_later: false };
        let failing = Arc::new(FaultBackend::counting_reads(memory, at));
        let mut rig = Rig::new(&self.script, Store::new(Arc::clone(&failing) as Arc<dyn Backend>));
        let mut persistent = Persistent::new(&self.pictures);
        persistent.run(&mut rig, &self.script);
        if failing.calls() < call {
            return false;
        }
        persistent.assert_done(&mut rig);
        true
    }

    /// All calls fail from one on, and what was not synced is lost, as when a machine dies; another goes on.
    fn dies(&self, call: u64, fault: Fault) -> bool {
        let memory = Arc::new(MemoryBackend::new(&mut salts()));
        let at = FaultAt { call, fault, and_all_later: true };
        let failing = Arc::new(FaultBackend::counting_reads(memory.clone(), at));
        let mut rig = Rig::new(&self.script, Store::new(Arc::clone(&failing) as Arc<dyn Backend>));
        let done = self.script.steps.iter().position(|step| rig.run(step).is_err());
        drop(rig);
        let Some(done) = done else { return false };
        let next = memory.reopen(&mut SeededEntropy::new(2));
        next.crash();
        let store = Store::new(Arc::new(next));
        let account = crate::check::Account { done, is_under_way: true };
        let (refs, _) = Refs::read(&store).unwrap();
        let found = stands(&self.pictures, account, &refs);
        let stands = found.unwrap_or_else(|problem| panic!("call {call}, {fault:?}: {problem}"));
        let outcome = is_sound(&store)
            .and_then(|()| go_on(Rig::new(&self.script, store), &self.pictures, stands, After::GoesOn));
        outcome.unwrap_or_else(|problem| panic!("call {call}, {fault:?}: {problem}"));
        true
    }
}

fn every_call(fails: impl Fn(&Scene, u64) -> bool) {
    // In a short run only a part, since each call takes a run of the whole script.
    let rounds = u64::from(tidemark_testkit::rounds(1));
    let one_in = if rounds > 1 { 1 } else { 5 };
    for seed in SHORT_SEED..SHORT_SEED + rounds {
        let scene = Scene::new(seed);
        let mut calls = (1 + seed % 5..).step_by(one_in);
        let mut failed = 0;
        while calls.next().is_some_and(|call| fails(&scene, call)) {
            failed += 1;
        }
        println!("script {seed}: {failed} calls failed");
        assert!(failed > 30, "script {seed} has only {failed} calls");
    }
}

#[test]
fn a_call_that_fails_once_loses_nothing() {
    every_call(|scene, call| scene.fails_once(call, Fault::Fail));
}

#[test]
fn a_call_whose_outcome_is_unknown_loses_nothing() {
    every_call(|scene, call| scene.fails_once(call, Fault::FailAfter));
}

#[test]
fn a_call_that_is_torn_in_the_middle_loses_nothing() {
    every_call(|scene, call| scene.fails_once(call, Fault::Tear));
}

#[test]
fn a_machine_that_dies_at_a_call_loses_nothing_that_was_acknowledged() {
    every_call(|scene, call| scene.dies(call, Fault::Fail));
}

#[test]
fn a_machine_that_dies_after_a_call_loses_nothing_that_was_acknowledged() {
    every_call(|scene, call| scene.dies(call, Fault::FailAfter));
}
