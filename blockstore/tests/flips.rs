//! Every flipped byte of the golden store is found, or changes no answer; none gives a panic or wrong bytes.
//!
//! Packs, `refs.log` and superblock are swept whole. The index, where each position means opening a store,
//! is sampled; `cargo xtask long flips` sweeps it as well. A store that heals itself when it is opened says
//! so: that counts as found, and what it says afterwards must be right.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "golden_store/copies.rs"]
mod copies;
mod golden_store;

use copies::{Copy, kept};
use golden_store::{Contents, ask, open};
use rayon::prelude::*;
use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use tidemark_base::{BlockId, SeededEntropy};
use tidemark_blockstore::{Depth, Header, LocalBackend, Quiet, Store};
use tidemark_testkit::rounds;

/// What a byte is changed by: its lowest bit, its highest bit, all of them.
const PATTERNS: [u8; 3] = [0x01, 0x80, 0xff];

/// Positions that are tried for the index in an ordinary test run.
const INDEX_SAMPLE: u32 = 1000;

/// One changed byte of a file.
#[derive(Clone, Copy, Debug)]
struct Flip {
    file: &'static str,
    at: usize,
    pattern: u8,
}

fn bytes_of(file: &str) -> Vec<u8> {
    std::fs::read(kept().join(file)).unwrap()
}

fn flips_of(file: &'static str) -> Vec<Flip> {
    let flip = |at| PATTERNS.map(|pattern| Flip { file, at, pattern });
    (0..bytes_of(file).len()).flat_map(flip).collect()
}

impl Flip {
    /// Makes the change in a file that may be open, or takes it back.
    fn apply(&self, copy: &Copy) {
        let file = File::options().read(true).write(true).open(copy.root.join(self.file)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.at as u64).unwrap();
        file.write_all_at(&[byte[0] ^ self.pattern], self.at as u64).unwrap();
    }
}

/// A copy of the store that one thread works on.
struct Worker {
    copy: Copy,
    contents: Contents,
    opened: OnceCell<Store>,
}

impl Worker {
    fn new() -> Self {
        let (copy, contents) = (Copy::new().unwrap(), Contents::new().unwrap());
        Self { copy, contents, opened: OnceCell::new() }
    }

    /// Puts index and log back as they are kept; packs are never changed by opening.
    fn reset(&self) {
        for side in ["index.db-wal", "index.db-shm"] {
            drop(std::fs::remove_file(self.copy.root.join(side)));
        }
        for file in ["index.db", "refs.log"] {
            std::fs::write(self.copy.root.join(file), bytes_of(file)).unwrap();
        }
    }

    /// The store, opened before anything was changed and kept open.
    fn opened(&self) -> &Store {
        self.opened.get_or_init(|| store_on(open(&self.copy.root).unwrap()))
    }
}

/// Runs `check` on each flip, in parallel, and shows those that fail.
fn sweep(flips: &[Flip], check: impl Fn(&Worker, Flip) -> Result<(), String> + Sync) {
    let problems: Vec<String> = flips
        .par_chunks(flips.len().div_ceil(16))
        .flat_map_iter(|part| {
            let worker = Worker::new();
            let run = |flip: &Flip| check(&worker, *flip).err().map(|problem| format!("{flip:?}: {problem}"));
            part.iter().filter_map(run).collect::<Vec<_>>()
        })
        .collect();
    let some: Vec<_> = problems.iter().take(20).collect();
    assert!(problems.is_empty(), "{} of {} flips: {some:#?}", problems.len(), flips.len());
}

fn require(fact: bool, otherwise: &str) -> Result<(), String> {
    if fact { Ok(()) } else { Err(otherwise.into()) }
}

fn store_on(backend: LocalBackend) -> Store {
    Store::new(Arc::new(backend))
}

fn verify_finds_something(store: &Store, depth: Depth) -> bool {
    store.verify(depth, &Quiet).map_or(true, |report| !report.is_clean())
}

/// Everything is there, nothing else is said, and verify has nothing to add.
fn require_whole(store: &Store, contents: &Contents) -> Result<(), String> {
    let answers = ask(store, contents);
    require(answers.wrong.is_empty() && answers.refused.is_empty(), &format!("{answers:?}"))?;
    let report = store.verify(Depth::Full, &Quiet).map_err(|e| e.to_string())?;
    require(report.is_clean(), &format!("{:?}", report.damage))
}

/// The blocks of a pack by the end of their records; the pack's header is nobody's.
fn records_of(pack: &[u8]) -> Vec<(usize, Option<BlockId>)> {
    let mut records = vec![(48, None)];
    let mut at = 48;
    while at < pack.len() {
        let header = Header::decode(&pack[at..]).unwrap();
        at += usize::try_from(header.record_len()).unwrap();
        records.push((at, Some(header.id)));
    }
    records
}

fn sweep_pack(file: &'static str) {
    let records = records_of(&bytes_of(file));
    let whole = Copy::new().unwrap();
    require_whole(&store_on(open(&whole.root).unwrap()), &Contents::new().unwrap()).unwrap();
    sweep(&flips_of(file), |worker, flip| {
        let store = worker.opened();
        flip.apply(&worker.copy);
        let block = records.iter().find(|(end, _)| flip.at < *end).unwrap().1;
        let answers = ask(store, &worker.contents);
        require(answers.wrong.is_empty(), &format!("{answers:?}"))?;
        let refused = answers.refused.iter().map(String::as_str).collect::<Vec<_>>();
        let expected = block.map(|id| id.to_string());
        let just_that = refused.len() == usize::from(block.is_some())
            && refused.iter().zip(&expected).all(|(refused, id)| refused.starts_with(id.as_str()));
        require(just_that, &format!("{refused:?} is refused instead of {expected:?}"))?;
        // What quick and full look at differs in no byte: one pattern is enough for both.
        let quick = flip.pattern != PATTERNS[0] || verify_finds_something(store, Depth::Quick);
        require(quick, "a quick verify finds nothing")?;
        let report = store.verify(Depth::Full, &Quiet).map_err(|e| e.to_string())?;
        let named = block.is_none_or(|id| report.damage.iter().any(|damage| damage.block == Some(id)));
        require(
            !report.is_clean() && named,
            &format!("verify does not name the block: {:?}", report.damage),
        )?;
        flip.apply(&worker.copy);
        Ok(())
    });
}

#[test]
fn every_flip_in_a_pack_is_found_by_verify_and_by_get() {
    for file in ["packs/0000000000000001.pack", "packs/0000000000000002.pack", "packs/0000000000000003.pack"]
    {
        sweep_pack(file);
    }
}

#[test]
fn every_flip_in_the_log_of_an_open_store_is_found_by_verify() {
    sweep(&flips_of("refs.log"), |worker, flip| {
        let store = worker.opened();
        flip.apply(&worker.copy);
        require(verify_finds_something(store, Depth::Quick), "verify finds nothing")?;
        flip.apply(&worker.copy);
        Ok(())
    });
}

#[test]
fn every_flip_in_the_log_is_healed_when_the_store_is_opened() {
    sweep(&flips_of("refs.log"), |worker, flip| {
        worker.reset();
        flip.apply(&worker.copy);
        let backend = open(&worker.copy.root).map_err(|e| e.to_string())?;
        require(!backend.healed().is_empty(), "nothing was said")?;
        require_whole(&store_on(backend), &worker.contents)
    });
}

#[test]
fn every_flip_in_the_log_is_told_when_the_index_is_lost_as_well() {
    let flips: Vec<_> = flips_of("refs.log").into_iter().filter(|flip| flip.pattern == 0x80).collect();
    sweep(&flips, |worker, flip| {
        worker.reset();
        flip.apply(&worker.copy);
        std::fs::remove_file(worker.copy.root.join("index.db")).unwrap();
        // Without a readable beginning nothing says what is in use: that must not pass for an empty store.
        let Ok(report) = tidemark_blockstore::repair(&worker.copy.root) else { return Ok(()) };
        require(report.damage.iter().any(|it| it.contains("refs.log")), "the loss is not told")?;
        require(report.refs > 0, "the store has become empty")?;
        let store = store_on(open(&worker.copy.root).map_err(|e| e.to_string())?);
        let refused = ask(&store, &worker.contents).refused;
        require(refused.is_empty(), &format!("{refused:?}"))
    });
}

#[test]
fn every_flip_in_the_superblock_is_refused() {
    sweep(&flips_of("superblock"), |worker, flip| {
        flip.apply(&worker.copy);
        require(open(&worker.copy.root).is_err(), "the store was opened")?;
        flip.apply(&worker.copy);
        open(&worker.copy.root).map(drop).map_err(|e| e.to_string())
    });
}

/// As many flips as are asked for, evenly and at random; all of them if so many are asked for.
fn sample(flips: Vec<Flip>, count: usize) -> Vec<Flip> {
    if count >= flips.len() {
        return flips;
    }
    let mut random = SeededEntropy::new(1);
    let part = flips.len() / count;
    let pick = |chunk: &[Flip]| chunk[usize::try_from(random.below(chunk.len() as u64)).unwrap()];
    flips.chunks(part).map(pick).collect()
}

#[test]
fn flips_in_the_index_are_found_or_change_no_answer() {
    let count = usize::try_from(rounds(INDEX_SAMPLE)).unwrap();
    sweep(&sample(flips_of("index.db"), count), |worker, flip| {
        worker.reset();
        flip.apply(&worker.copy);
        // Not opening at all is the plainest way of finding something.
        let Ok(backend) = open(&worker.copy.root) else { return Ok(()) };
        let was_healed = !backend.healed().is_empty();
        let store = store_on(backend);
        if was_healed {
            return require_whole(&store, &worker.contents);
        }
        let answers = ask(&store, &worker.contents);
        require(answers.wrong.is_empty(), &format!("{answers:?}"))?;
        let told = answers.refused.is_empty() || verify_finds_something(&store, Depth::Full);
        require(told, &format!("verify does not find what get can't: {:?}", answers.refused))
    });
}
