//! Garbage collection beside sessions.

use crate::harness::{Harness, assert_clean, collect, delete, has, leaf, node, noise, set};
use std::collections::HashMap;
use tidemark_base::{BlockId, BlockKind, SeededEntropy};
use tidemark_blockstore::{Error, GcOptions, Observer, Others, Quiet, Session, Store};

pub(crate) fn garbage_goes_and_what_refs_reach_stays(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let kept = leaf(&session, b"kept");
    let root = node(&session, &[kept], b"");
    session.publish(&[set("r", root)]).unwrap();
    drop(session);
    let session = store.session(&[]).unwrap();
    let garbage = leaf(&session, b"garbage");
    session.sync().unwrap();
    drop(session);
    collect(&store);
    let report = collect(&store);
    assert!(has(&store, root) && has(&store, kept) && !has(&store, garbage));
    assert_eq!((report.deleted_packs, report.figures.live_blocks), (1, 2));
    assert_clean(&store);
}

pub(crate) fn a_condemned_pack_is_deleted_only_by_a_later_collection(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let garbage = leaf(&session, b"garbage");
    session.sync().unwrap();
    drop(session);
    let first = collect(&store);
    assert_eq!((first.condemned_packs, first.deleted_packs), (1, 0));
    assert!(has(&store, garbage));
    let second = collect(&store);
    assert_eq!((second.condemned_packs, second.deleted_packs), (0, 1));
    assert!(!has(&store, garbage));
    // With `sweep`, both in one call.
    let session = store.session(&[]).unwrap();
    let garbage = leaf(&session, b"garbage");
    session.sync().unwrap();
    drop(session);
    let report = store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
    assert_eq!((report.condemned_packs, report.deleted_packs), (1, 1));
    assert_eq!(report.figures.condemned_bytes, 0);
    assert!(!has(&store, garbage));
}

/// Notes whether a collection said that others are at work.
#[derive(Default)]
struct Paces(std::sync::Mutex<Vec<Others>>);

impl Observer for Paces {
    fn pace(&self, _bytes: u64, others: Others) {
        self.0.lock().unwrap().push(others);
    }
}

pub(crate) fn a_collection_says_whether_others_are_at_work(harness: &dyn Harness) {
    let (store, other) = (harness.open(), harness.open());
    let session = store.session(&[]).unwrap();
    let kept = leaf(&session, b"kept");
    leaf(&session, &noise(1, 20_000));
    session.publish(&[set("r", kept)]).unwrap();
    drop(session);
    let paces = |collect: &dyn Fn(&Paces)| {
        let paces = Paces::default();
        collect(&paces);
        paces.0.into_inner().unwrap()
    };
    let session = other.session(&[]).unwrap();
    let beside = paces(&|paces| drop(store.collect(GcOptions::default(), paces).unwrap()));
    assert!(!beside.is_empty() && beside.iter().all(|others| *others == Others::AtWork), "{beside:?}");
    drop(session);
    // Marking, copying, moving rows; the copying session is the collection's own.
    let alone = paces(&|paces| drop(store.collect(GcOptions::default(), paces).unwrap()));
    assert!(alone.len() >= 3 && alone.iter().all(|others| *others == Others::Away), "{alone:?}");
}

pub(crate) fn a_put_brings_a_condemned_pack_back(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"garbage for now");
    session.sync().unwrap();
    drop(session);
    assert_eq!(collect(&store).condemned_packs, 1);
    let session = store.session(&[]).unwrap();
    leaf(&session, b"garbage for now");
    session.sync().unwrap();
    collect(&store);
    collect(&store);
    assert!(has(&store, id));
    session.publish(&[set("r", id)]).unwrap();
    drop(session);
    collect(&store);
    collect(&store);
    assert!(has(&store, id));
}

pub(crate) fn what_an_open_session_put_stays(harness: &dyn Harness) {
    let (store, other) = (harness.open(), harness.open());
    // A dedup hit on a pack of a session that is gone, and a block of its own.
    let gone = store.session(&[]).unwrap();
    let hit = leaf(&gone, b"of a session that is gone");
    gone.sync().unwrap();
    drop(gone);
    let session = store.session(&[]).unwrap();
    leaf(&session, b"of a session that is gone");
    let own = leaf(&session, b"own");
    session.sync().unwrap();
    for _ in 0..4 {
        collect(&other);
    }
    assert!(has(&other, hit) && has(&other, own));
    let root = node(&session, &[hit, own], b"");
    session.publish(&[set("r", root)]).unwrap();
    drop(session);
    collect(&other);
    collect(&other);
    assert_clean(&other);
}

pub(crate) fn what_a_reader_pinned_stays_after_its_ref_is_gone(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let child = leaf(&session, b"child");
    let root = node(&session, &[child], b"");
    session.publish(&[set("r", root)]).unwrap();
    drop(session);
    let reader = store.session(&["r"]).unwrap();
    let deleter = store.session(&[]).unwrap();
    deleter.publish(&[delete("r")]).unwrap();
    drop(deleter);
    collect(&store);
    collect(&store);
    assert!(has(&store, root) && has(&store, child));
    drop(reader);
    collect(&store);
    collect(&store);
    assert!(!has(&store, root) && !has(&store, child));
}

pub(crate) fn sparse_packs_are_rewritten(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let ids: Vec<BlockId> = (0..100).map(|n| leaf(&session, &noise(n, 10_000))).collect();
    let kept: Vec<BlockId> = ids.iter().copied().step_by(3).collect();
    let root = node(&session, &kept, b"");
    session.publish(&[set("r", root)]).unwrap();
    drop(session);
    let report = collect(&store);
    assert_eq!(report.rewritten_packs, 1);
    assert!(report.figures.copied_bytes > 34 * 10_000);
    collect(&store);
    assert!(kept.iter().all(|id| has(&store, *id)));
    assert!(ids.iter().filter(|id| !kept.contains(id)).all(|id| !has(&store, *id)));
    let stats = store.stats(&Quiet).unwrap();
    assert!(stats.pack_bytes < 36 * 10_064 + 4000, "{} bytes are left", stats.pack_bytes);
    assert_clean(&store);
}

pub(crate) fn a_dry_run_changes_nothing(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let garbage = leaf(&session, b"garbage");
    session.sync().unwrap();
    drop(session);
    let dry = GcOptions { dry_run: true, ..GcOptions::default() };
    let report = store.collect(dry, &Quiet).unwrap();
    assert!(report.figures.dead_bytes > 0 && report.condemned_packs == 0);
    for _ in 0..3 {
        store.collect(dry, &Quiet).unwrap();
    }
    assert!(has(&store, garbage));
}

pub(crate) fn a_lost_block_in_use_stops_the_collection(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let absent = BlockId::of(BlockKind::Leaf, b"a child that was never put");
    let root = node(&session, &[absent], b"");
    session.publish(&[set("r", root)]).unwrap();
    drop(session);
    let session = store.session(&[]).unwrap();
    let garbage = leaf(&session, b"garbage");
    session.sync().unwrap();
    drop(session);
    for _ in 0..2 {
        let outcome = store.collect(GcOptions::default(), &Quiet);
        assert!(matches!(outcome, Err(Error::Missing { id }) if id == absent));
    }
    assert!(has(&store, garbage), "nothing goes while something in use is lost");
}

/// Random sessions, puts, publishes, expiries and collections on few blocks: everything that refs and pins
/// reach can be read after every step.
pub(crate) fn random_histories_lose_nothing(harness: &dyn Harness) {
    for seed in 0..30 {
        History::new(harness.open(), harness.open(), seed).run(60);
    }
}

struct History {
    store: Store,
    other: Store,
    random: SeededEntropy,
    seed: u64,
    writers: Vec<(Session, Vec<BlockId>)>,
    readers: Vec<(Session, Vec<BlockId>)>,
    /// What each ref reaches.
    refs: HashMap<String, Vec<BlockId>>,
}

impl History {
    fn new(store: Store, other: Store, seed: u64) -> Self {
        let random = SeededEntropy::new(seed);
        Self { store, other, random, seed, writers: Vec::new(), readers: Vec::new(), refs: HashMap::new() }
    }

    fn run(mut self, steps: u32) {
        for step in 0..steps {
            self.step();
            let kept = self.refs.values().chain(self.readers.iter().map(|(_, kept)| kept)).flatten();
            for id in kept {
                assert!(has(&self.store, *id), "seed {} lost {id:?} at step {step}", self.seed);
            }
        }
        drop(self.writers);
        drop(self.readers);
        collect(&self.other);
        collect(&self.other);
        assert!(self.refs.values().flatten().all(|id| has(&self.store, *id)), "seed {}", self.seed);
        let session = self.store.session(&[]).unwrap();
        let all: Vec<_> = self.refs.keys().map(|name| delete(name)).chain([delete("none")]).collect();
        session.publish(&all).unwrap();
    }

    fn step(&mut self) {
        match self.random.below(10) {
            0 if self.writers.len() < 2 => {
                let store = if self.random.below(2) == 0 { &self.store } else { &self.other };
                self.writers.push((store.session(&[]).unwrap(), Vec::new()));
            }
            0..=3 => self.put(),
            4 | 5 => self.publish(),
            6 => self.pin_or_unpin(),
            7 if !self.writers.is_empty() => {
                let (session, _) = self.writers.remove(0);
                if self.random.below(2) == 0 {
                    self.store.expire_session(session.id()).unwrap();
                }
                drop(session);
            }
            8 if !self.refs.is_empty() => {
                let name = format!("h/{}", self.random.below(3));
                let session = self.other.session(&[]).unwrap();
                session.publish(&[delete(&name)]).unwrap();
                self.refs.remove(&name);
            }
            _ => drop(collect(if self.random.below(2) == 0 { &self.store } else { &self.other })),
        }
    }

    fn put(&mut self) {
        let Some((session, put)) = self.writers.last_mut() else { return };
        // Sizes make sparse packs; few contents make dedup hits on condemned ones.
        let n = self.random.below(8);
        put.push(leaf(session, &noise(n, 500 + 300 * n as usize)));
        if self.random.below(3) == 0 {
            session.sync().unwrap();
        }
    }

    fn publish(&mut self) {
        if self.writers.is_empty() {
            return;
        }
        let at = self.random.below(self.writers.len() as u64) as usize;
        let (session, put) = &self.writers[at];
        let name = format!("h/{}", self.random.below(3));
        let root = node(session, put, name.as_bytes());
        session.publish(&[set(&name, root)]).unwrap();
        self.refs.insert(name, [put.as_slice(), &[root]].concat());
    }

    fn pin_or_unpin(&mut self) {
        if self.readers.len() > 1 {
            self.readers.remove(0);
        }
        if let Some((name, kept)) = self.refs.iter().min() {
            self.readers.push((self.store.session(&[name]).unwrap(), kept.clone()));
        }
    }
}
