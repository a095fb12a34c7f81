//! Who starts the applier, kills it at random moments, and starts it again.

use crate::applier::Task;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tidemark_base::threads;
use tidemark_testkit::workload::Dice;

/// How much longer than it was an applier lives at most: so some get nowhere, and some far.
const LIVES_MS: [i32; 6] = [20, 60, 100, 150, 250, 500];
/// How long the last applier may take before it counts as stuck.
const PATIENCE_MS: u64 = 60_000;

/// A thread that kills.
pub(crate) struct Killer {
    thread: JoinHandle<u32>,
    is_over: Arc<AtomicBool>,
}

impl Killer {
    pub(crate) fn start(store: &Path, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, store) = (is_over.clone(), store.to_owned());
        let thread = threads::spawn("killer", move || kill_until(&over, &store, seed)).unwrap();
        Self { thread, is_over }
    }

    /// Lets the last one come to the end of the log; returns how many were killed.
    pub(crate) fn finish(self) -> u32 {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn kill_until(over: &AtomicBool, store: &Path, seed: u64) -> u32 {
    let mut dice = Dice::new(seed);
    let mut kills = 0;
    loop {
        let own = seed.wrapping_mul(1000).wrapping_add(kills.into());
        let task = Task { store: store.to_owned(), round: seed, seed: own };
        let mut applier = task.command().spawn().unwrap();
        let life = dice.pick(&LIVES_MS) + dice.below(20);
        for _ in 0..life {
            std::thread::sleep(Duration::from_millis(1));
            if over.load(Ordering::SeqCst) {
                wait(applier);
                return kills;
            }
        }
        if let Some(status) = applier.try_wait().unwrap() {
            panic!("the applier ended by itself, {status}: what it said stands above");
        }
        applier.kill().unwrap();
        applier.wait().unwrap();
        kills += 1;
    }
}

/// Waits until it has come to the end.
fn wait(mut applier: Child) {
    drop(applier.stdin.take());
    for _ in 0..PATIENCE_MS / 10 {
        if let Some(status) = applier.try_wait().unwrap() {
            assert!(status.success(), "the applier ended with {status}: what it said stands above");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    applier.kill().unwrap();
    applier.wait().unwrap();
    panic!("the applier did not come to the end of the log in {PATIENCE_MS} ms");
}
