//! Two appliers that take one head from each other; one of them is killed, and started again.

use crate::account::Account;
use crate::job::{Job, Role, open};
use crate::line::Line;
use crate::log;
use crate::process::Process;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::{GcOptions, LocalBackend, Quiet};

/// After so many kills all are killed, and everything is checked.
const REST_EVERY: u32 = 4;
/// Longest time between two kills, in milliseconds.
const LIFE_MS: u64 = 250;

pub(crate) fn killed_appliers_lose_nothing_acknowledged() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("store");
    drop(LocalBackend::create(&root).unwrap());
    drop(log::begin(&open(&root)));
    let mut scene = Scene { root: &root, appliers: [None, None], account: Account::new(), started: 0 };
    let mut random = SeededEntropy::new(1);
    let kills = tidemark_testkit::rounds(20);
    for kill in 1..=kills {
        // Half of the time one is alone: then it gets further before it is killed.
        let both = random.below(2) == 0;
        scene.start(both);
        std::thread::sleep(Duration::from_millis(20 + random.below(LIFE_MS)));
        if kill % REST_EVERY == 0 {
            scene.rest();
        } else {
            scene.kill(usize::from(both && random.below(2) == 0));
        }
    }
    scene.rest();
    let Account { slices, flushes, fenced, .. } = scene.account;
    println!(
        "{kills} kills of {} processes; {slices} slices and {flushes} flushes acknowledged, fenced {fenced} times",
        scene.started
    );
    assert!(slices > 0 && flushes > 0, "they got somewhere");
    let store = open(&root);
    store.collect(GcOptions { dry_run: false, sweep: true }, &Quiet).unwrap();
    scene.account.check_at_rest(&store);
}

struct Scene<'a> {
    root: &'a Path,
    appliers: [Option<Process>; 2],
    account: Account,
    started: u64,
}

impl Scene<'_> {
    /// Starts the first if it is missing, and perhaps the second.
    fn start(&mut self, both: bool) {
        for applier in self.appliers.iter_mut().take(1 + usize::from(both)).filter(|it| it.is_none()) {
            self.started += 1;
            let job = Job { role: Role::Applier, store: self.root.into(), seed: self.started };
            let process = Process::start(&job);
            // It gets as far as this, whatever the machine is busy with.
            let line = process.next_line();
            assert!(!matches!(line, Line::Failed(_)), "{line:?}");
            self.account.note(line);
            *applier = Some(process);
        }
    }

    fn kill_quietly(&mut self, victim: usize) {
        let lines = self.appliers[victim].take().map(Process::kill).unwrap_or_default();
        lines.into_iter().for_each(|line| self.account.note(line));
    }

    /// Kills one, and checks while the other goes on.
    fn kill(&mut self, victim: usize) {
        self.kill_quietly(victim);
        let said: Vec<Line> = self.appliers.iter().flatten().flat_map(Process::said).collect();
        said.into_iter().for_each(|line| self.account.note(line));
        self.account.check_growing(&open(self.root));
    }

    /// Kills all, and checks everything.
    fn rest(&mut self) {
        for victim in 0..self.appliers.len() {
            self.kill_quietly(victim);
        }
        self.account.check_at_rest(&open(self.root));
    }
}
