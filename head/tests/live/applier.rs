//! The applier: a process that follows the stored oplog with a head until it is killed.
//!
//! Everything it does between two portions of entries is drawn by habits.dice. It says nothing: whatever is wrong is
//! a panic, which ends it with an exit code that its parent notices. When its input ends it goes on to the end
//! of the log, flushes and exits; so it also ends if its parent does.

use crate::verdict::assert_fits;
use crate::{log, place};
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tidemark_base::bson::Doc;
use tidemark_base::{UnixMillis, threads};
use tidemark_blockstore::{GcOptions, Quiet, Store};
use tidemark_head::follow;
use tidemark_head::head::Head;
use tidemark_head::snapshot;
use tidemark_testkit::workload::Dice;

const STORE: &str = "TIDEMARK_LIVE_STORE";
const ROUND: &str = "TIDEMARK_LIVE_ROUND";
const SEED: &str = "TIDEMARK_LIVE_SEED";
/// Waited for slices.
const PAUSE: Duration = Duration::from_millis(3);

/// What an applier is told.
pub(crate) struct Task {
    pub(crate) store: PathBuf,
    /// The seed of the round.
    pub(crate) round: u64,
    /// Its own.
    pub(crate) seed: u64,
}

impl Task {
    /// The task of this process, if it was started to have one.
    pub(crate) fn from_environment() -> Option<Self> {
        let store = std::env::var_os(STORE)?.into();
        let number = |name| std::env::var(name).unwrap().parse().unwrap();
        Some(Self { store, round: number(ROUND), seed: number(SEED) })
    }

    /// This program, started again with the task. By its file, not by its path: a long run does not mind that
    /// it is built anew meanwhile.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.env(STORE, &self.store);
        command.env(ROUND, self.round.to_string()).env(SEED, self.seed.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command
    }

    pub(crate) fn run(&self) {
        let is_last = Arc::new(AtomicBool::new(false));
        let seen = is_last.clone();
        threads::spawn("input", move || {
            // Nothing is ever said to us: this returns when the pipe is closed.
            let _ = std::io::stdin().read(&mut [0]);
            seen.store(true, Ordering::SeqCst);
        })
        .unwrap();
        let store = place::open(&self.store);
        let mut habits = Habits { compacts: self.round.is_multiple_of(2), dice: Dice::new(self.seed) };
        while follow_on(&store, &mut habits, &is_last).is_break() {}
    }
}

/// How an applier goes about it.
struct Habits {
    /// Appliers of other rounds leave stacks to grow, until they are so high that they must be merged.
    compacts: bool,
    dice: Dice,
}

/// Follows the log with a head that is claimed anew; breaks off when the dice say that it is to be opened again.
fn follow_on(store: &Store, habits: &mut Habits, is_last: &AtomicBool) -> ControlFlow<()> {
    let mut head = place::claim(store);
    loop {
        // Asked first: what is appended before the input ends is seen below.
        let goes_on = !is_last.load(Ordering::SeqCst);
        take_in_all_there_is(store, &mut head, habits)?;
        if !goes_on && head.at() == log::tip(store).link.at {
            head.flush().unwrap();
            return ControlFlow::Continue(());
        }
        std::thread::sleep(PAUSE);
    }
}

fn take_in_all_there_is(store: &Store, head: &mut Head, habits: &mut Habits) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    let (tip, slices, from) = (log::tip(store), place::name().slices(store), head.state().position());
    let taken = follow::follow(&slices, &tip, from, tip.link.at.ts, &mut |entries, end| {
        let mut left = entries;
        while flow.is_continue() && !left.is_empty() {
            let (now, later) = left.split_at(left.len().min(habits.dice.pick(&[1, 2, 7, 30, 100])));
            apply(head, now);
            left = later;
            if let Some(end) = end.filter(|_| left.is_empty()) {
                head.pass_slice(end)?;
            }
            flow = act(head, habits);
        }
        Ok(())
    });
    taken.unwrap_or_else(|error| panic!("{error}"));
    flow
}

fn apply(head: &mut Head, entries: &[Doc<'_>]) {
    head.apply(entries).unwrap_or_else(|error| panic!("{error}"));
    assert_fits(head.take_divergences());
}

/// Between two portions: flush, compact, take a snapshot, collect garbage, or throw everything in memory away.
fn act(head: &mut Head, habits: &mut Habits) -> ControlFlow<()> {
    let store = head.store().clone();
    match habits.dice.below(24) {
        0..4 => drop(head.flush().unwrap()),
        4..6 if habits.compacts => drop(head.compact().unwrap()),
        6..9 if head.state().require_consistent().is_ok() => {
            let (id, _) = head.snapshot(&UnixMillis(0)).unwrap();
            if habits.dice.one_in(3) {
                let proof = snapshot::prove(&store, head.name(), id).unwrap();
                assert_fits(proof.divergences);
            }
        }
        9 => drop(store.collect(GcOptions::default(), &Quiet).unwrap()),
        10..12 => return ControlFlow::Break(()),
        _ => {}
    }
    assert_fits(head.take_divergences());
    ControlFlow::Continue(())
}
