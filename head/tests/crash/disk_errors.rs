//! One disk operation fails, each in turn, by a bad or a full disk; then the disk works again.
//!
//! After any error the head is claimed again, as its documentation says, the oplog is applied again, and the step
//! is done again unless it turns out to have happened.

use crate::check::{Account, is_sound, options, salts, stands};
use crate::picture::{self, Picture, Refs};
use crate::rig::{Failure, Rig};
use crate::script::{SHORT_SEED, SHORT_STEPS, Script, Step};
use std::io;
use std::sync::Arc;
use tidemark_base::{ErrorKind, SeededEntropy};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_testkit::power::{Fault, Machine, scratch};

/// One failure, perhaps one more on the way back: claims that fail are made again.
const ATTEMPTS: usize = 4;

/// Does a script with trouble, and comes to its end all the same.
pub(crate) struct Persistent<'p> {
    pub(crate) pictures: &'p [Picture],
    /// How many claims there were beside those of the script.
    claims: u64,
}

impl<'p> Persistent<'p> {
    pub(crate) const fn new(pictures: &'p [Picture]) -> Self {
        Self { pictures, claims: 0 }
    }

    /// Does the script. Nothing is read that is not its own, so that whatever fails fails within it.
    pub(crate) fn run(&mut self, rig: &mut Rig<'_>, script: &Script) {
        let mut done = 0;
        while let Some(step) = script.steps.get(done) {
            done = match rig.run(step) {
                Ok(()) => done + 1,
                Err(error) => self.recover(rig, done, step, &error),
            };
        }
    }

    /// All was done, as if nothing had happened.
    pub(crate) fn assert_done(&self, rig: &mut Rig<'_>) {
        let (refs, _) = Refs::read(rig.store()).unwrap();
        let wanted = &self.pictures.last().unwrap().refs;
        assert_eq!(refs, *wanted, "{refs}\nnot {wanted}");
        rig.assert_documents();
        rig.assert_snapshots();
        is_sound(rig.store()).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// After a failure: finds out whether the step has happened, and claims the head again.
    fn recover(&mut self, rig: &mut Rig<'_>, done: usize, step: &Step, error: &Failure) -> usize {
        // A publish that finds another version looks who it was; it says what it found when it cannot.
        let is_unclear = matches!(step, Step::TakeOver(_)) && error.kind() == ErrorKind::Conflict;
        assert!(error.kind() == ErrorKind::Retry || is_unclear, "{step:?}: {error}");
        rig.drop_head();
        let (refs, epoch) = Refs::read(rig.store()).unwrap();
        let account = Account { done, is_under_way: true };
        let stands = stands(self.pictures, account, &refs)
            .unwrap_or_else(|problem| panic!("after {step:?} failed with {error}: {problem}"));
        let at_least = self.pictures[done].epoch + self.claims;
        assert!((at_least..=at_least + 1).contains(&epoch), "after {step:?} the epoch is {epoch}");
        let has_head = self.pictures[stands].refs.has_head();
        if has_head {
            let until = self.pictures[stands].applied;
            let claimed = (0..ATTEMPTS).find(|_| rig.claim(until).is_ok());
            claimed.expect("a failure happens once");
            rig.assert_documents();
        }
        let (_, epoch) = Refs::read(rig.store()).unwrap();
        self.claims = epoch - self.pictures[stands].epoch;
        stands
    }
}

/// Fails operation `after` of a script; whether it has that many.
fn fails(script: &Script, pictures: &[Picture], fault: Fault) -> bool {
    let dir = scratch();
    let machine: Arc<Machine<()>> = Machine::new(dir.path(), &dir.path().join("store"), fault.after, None);
    drop(options().disk(machine.disk(0)).entropy(Box::new(salts())).create(machine.root()).unwrap());
    let open = || {
        // Opening it may be what fails.
        let mut opened = (0..ATTEMPTS as u64).filter_map(|attempt| {
            let entropy = Box::new(SeededEntropy::new(fault.after << 8 | attempt));
            options().disk(machine.disk(0)).entropy(entropy).open(machine.root()).ok()
        });
        Store::new(Arc::new(opened.next().expect("a failure happens once")))
    };
    let mut rig = Rig::opening(script, open);
    machine.fail(fault);
    let mut persistent = Persistent::new(pictures);
    persistent.run(&mut rig, script);
    if !machine.has_failed() {
        return false;
    }
    persistent.assert_done(&mut rig);
    true
}

/// Fails every operation of a script in turn, or one in so many.
fn every_operation_fails(seed: u64, kind: io::ErrorKind, one_in: usize) -> u64 {
    let script = Script::write(seed, SHORT_STEPS);
    let memory = Store::new(Arc::new(MemoryBackend::new(&mut salts())));
    let pictures = picture::of_script(&script, memory);
    let mut failed = 0;
    for after in (seed % 3..).step_by(one_in) {
        if !fails(&script, &pictures, Fault { after, kind }) {
            break;
        }
        failed += 1;
    }
    failed
}

fn disk_errors(kind: io::ErrorKind) {
    // In a short run only a part, since each operation takes a run of the whole script.
    let rounds = u64::from(tidemark_testkit::rounds(1));
    let one_in = if rounds > 1 { 1 } else { 3 };
    for seed in SHORT_SEED..SHORT_SEED + rounds {
        let failed = every_operation_fails(seed, kind, one_in);
        println!("script {seed}: {failed} operations failed with {kind:?}");
        assert!(failed > 20, "script {seed} has only {failed} operations");
    }
}

#[test]
fn a_disk_error_at_any_operation_loses_nothing_and_the_same_roots_are_reached() {
    disk_errors(io::ErrorKind::Other);
}

#[test]
fn a_full_disk_at_any_operation_loses_nothing_and_the_same_roots_are_reached() {
    disk_errors(io::ErrorKind::StorageFull);
}
