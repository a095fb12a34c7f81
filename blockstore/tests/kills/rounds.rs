//! Two writers and a collector on one store; one of them is killed, looked after, and started again.

use crate::account::{Account, assert_clean};
use crate::job::{Job, Role, open};
use crate::line::Line;
use crate::process::Process;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::{Expect, GcOptions, Healed, LocalBackend, Quiet, RefChange, Store};

/// Who works on the store, in the order in which they are numbered here.
const WORKERS: [(Role, &str); 3] = [(Role::Writer, "w1"), (Role::Writer, "w2"), (Role::Collector, "gc")];
/// After so many kills everybody is killed, and the whole store checked at rest.
const REST_EVERY: u32 = 5;

pub(crate) fn killed_processes_lose_nothing_acknowledged() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("store");
    drop(LocalBackend::create(&root).unwrap());
    let mut scene = Scene::new(&root);
    let mut random = SeededEntropy::new(1);
    for kill in 1..=tidemark_testkit::rounds(20) {
        std::thread::sleep(Duration::from_millis(5 + random.below(296)));
        if kill % REST_EVERY == 0 {
            scene.kill_all();
        } else {
            let victim = usize::try_from(random.below(3)).unwrap();
            scene.kill(victim);
        }
        scene.start_missing();
    }
    scene.kill_all();
    scene.finish();
}

/// The store, those at work on it, and what they were promised.
struct Scene<'a> {
    root: &'a Path,
    workers: [Option<Process>; 3],
    accounts: [Account; 3],
    started: u64,
    deleted: u64,
    rewritten: u64,
}

impl<'a> Scene<'a> {
    fn new(root: &'a Path) -> Self {
        let accounts = std::array::from_fn(|_| Account::default());
        let mut scene =
            Self { root, workers: [None, None, None], accounts, started: 0, deleted: 0, rewritten: 0 };
        scene.start_missing();
        for (worker, account) in scene.workers.iter().zip(&mut scene.accounts) {
            // At least once everybody gets as far as this.
            account.note(worker.as_ref().unwrap().next_line());
        }
        scene
    }

    fn start_missing(&mut self) {
        for (worker, (role, name)) in self.workers.iter_mut().zip(WORKERS) {
            if worker.is_none() {
                self.started += 1;
                let job = Job { role, store: self.root.into(), name: name.into(), seed: self.started };
                *worker = Some(Process::start(&job));
            }
        }
    }

    /// Kills one, and checks what it was promised while the others go on.
    fn kill(&mut self, victim: usize) {
        self.kill_quietly(victim);
        let store = self.open();
        self.settle(&store, victim);
        for number in 0..WORKERS.len() {
            self.listen(number);
        }
        assert_clean(&store);
    }

    /// Kills all, and checks everything.
    fn kill_all(&mut self) {
        for victim in 0..WORKERS.len() {
            self.kill_quietly(victim);
        }
        let store = self.open();
        for victim in 0..WORKERS.len() {
            self.settle(&store, victim);
        }
        assert_clean(&store);
    }

    fn kill_quietly(&mut self, victim: usize) {
        let lines = self.workers[victim].take().map(Process::kill).unwrap_or_default();
        self.note(victim, lines);
    }

    fn listen(&mut self, number: usize) {
        let lines = self.workers[number].as_ref().map(Process::said).unwrap_or_default();
        self.note(number, lines);
    }

    fn note(&mut self, number: usize, lines: Vec<Line>) {
        for line in lines {
            if let Line::Collected(deleted, rewritten) = line {
                self.deleted += deleted;
                self.rewritten += rewritten;
            }
            self.accounts[number].note(line);
        }
    }

    fn settle(&mut self, store: &Store, number: usize) {
        let (role, name) = WORKERS[number];
        if role == Role::Writer {
            self.accounts[number].settle(store, name);
        }
    }

    /// Opens the store, whatever state a kill left it in. A kill loses nothing, so at most the last publish
    /// has to be carried over: never is the index or the log damaged.
    fn open(&self) -> Store {
        let backend = open(self.root).unwrap();
        for healed in backend.healed() {
            assert_eq!(*healed, Healed::PublishCompleted);
        }
        Store::new(Arc::new(backend))
    }

    /// All are dead. A collection finds everything that refs reach still there; and once the refs go, all
    /// goes, since no session of a dead process keeps anything.
    fn finish(mut self) {
        let store = self.open();
        let sweep = GcOptions { sweep: true, ..GcOptions::default() };
        store.collect(sweep, &Quiet).unwrap();
        for number in 0..WORKERS.len() {
            self.settle(&store, number);
        }
        assert_clean(&store);
        let delete = |(name, _)| RefChange { name, expect: Expect::Any, set: None };
        let all: Vec<RefChange> = store.list_refs("").unwrap().into_iter().map(delete).collect();
        store.session(&[]).unwrap().publish(&all).unwrap();
        store.collect(sweep, &Quiet).unwrap();
        assert_eq!(store.stats(&Quiet).unwrap().packs, 0, "packs that nothing keeps");
        let [first, second, _] = &self.accounts;
        let publishes = first.publishes + second.publishes;
        println!(
            "{} processes; {publishes} publishes acknowledged, {} more found; {} packs deleted, {} rewritten",
            self.started,
            first.unheard + second.unheard,
            self.deleted,
            self.rewritten
        );
        assert!(first.publishes > 0 && second.publishes > 0, "both writers got somewhere");
        assert!(self.deleted > 0 && self.rewritten > 0, "the collector had something to do");
    }
}
