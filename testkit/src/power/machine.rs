//! The machine: its files, its processes, what was promised on it, and what is to go wrong.
//!
//! Shared by the processes of a test, each with a [`SimDisk`] of its own. Every operation of those is counted,
//! and is a point where the power may be cut: the machine then notes a [`Cut`], the whole state in which the
//! operation is under way. A process can be killed (its operations fail from then on, what it wrote is still
//! seen by others), and one operation can fail once, as on a bad or full disk.

use super::disk::SimDisk;
use super::files::Files;
use super::real::{Real, RealState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidemark_base::SeededEntropy;
use tidemark_blockstore::disk::SyncSite;

/// What was promised so far, as the test keeps it.
pub trait Account: Clone + Default + Send + 'static {}

impl<T: Clone + Default + Send + 'static> Account for T {}

/// The state of the machine while one operation is under way.
pub struct Cut<A> {
    /// Which operation, counted from the beginning.
    pub number: u64,
    /// The operation.
    pub what: String,
    pub(crate) files: Files,
    /// What lies in the real folder.
    pub real: RealState,
    /// What was promised by then.
    pub account: A,
}

/// One failing operation.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// How many operations come before it.
    pub after: u64,
    /// How it fails.
    pub kind: io::ErrorKind,
}

#[derive(Default)]
struct Process {
    dead: bool,
    /// After how many operations it dies, and how far it gets with the last.
    kill_after: Option<(u64, Death)>,
}

/// How far a process gets with the operation in which it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Not at all.
    Before,
    /// A write is done in part; nothing else is done at all.
    Within,
    /// It is done, but the process never learns.
    After,
}

pub(super) struct State<A> {
    pub(super) files: Files,
    pub(super) real: Real,
    account: A,
    operations: u64,
    cuts: Vec<Cut<A>>,
    pub(super) recording: bool,
    pub(super) skipped: Option<SyncSite>,
    fault: Option<Fault>,
    fault_hit: Option<io::ErrorKind>,
    processes: Vec<Process>,
    pub(super) random: SeededEntropy,
}

/// A computer with a disk.
pub struct Machine<A> {
    state: Mutex<State<A>>,
    base: PathBuf,
    root: PathBuf,
}

impl<A: Account> Machine<A> {
    /// A machine on which a store may be made in `root`, somewhere below the existing `base`. `skipped`
    /// is a sync that does nothing.
    pub fn new(base: &Path, root: &Path, seed: u64, skipped: Option<SyncSite>) -> Arc<Self> {
        let state = State {
            files: Files::default(),
            real: Real::new(base, root),
            account: A::default(),
            operations: 0,
            cuts: Vec::new(),
            recording: false,
            skipped,
            fault: None,
            fault_hit: None,
            processes: (0..3).map(|_| Process::default()).collect(),
            random: SeededEntropy::new(seed),
        };
        Arc::new(Self { state: Mutex::new(state), base: base.into(), root: root.into() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder below which the store lies.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The store's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The disk as a process sees it.
    pub fn disk(self: &Arc<Self>, process: usize) -> Arc<SimDisk<A>> {
        Arc::new(SimDisk::new(Arc::clone(self), process))
    }

    /// Changes or reads what was promised.
    pub fn account<T>(&self, work: impl FnOnce(&mut A) -> T) -> T {
        work(&mut self.state().account)
    }

    /// Makes everything durable that is there, and begins to note cuts.
    pub fn record(&self) {
        let mut state = self.state();
        state.recording = true;
        state.real.sync_all();
    }

    /// Begins to note cuts while nothing is there yet.
    pub fn record_from_nothing(&self) {
        let mut state = self.state();
        let base = self.base.clone();
        state.recording = true;
        state.real.sync_dir(&base);
    }

    /// The cuts noted since the last call.
    pub fn take_cuts(&self) -> Vec<Cut<A>> {
        std::mem::take(&mut self.state().cuts)
    }

    /// The state now, between two operations.
    pub fn cut_now(&self) -> Cut<A> {
        self.state().cut("nothing".into())
    }

    /// Kills a process at one of its next operations.
    pub fn kill_after(&self, process: usize, operations: u64, death: Death) {
        self.state().processes[process].kill_after = Some((operations, death));
    }

    /// Whether a process was killed and not started again.
    #[must_use]
    pub fn is_dead(&self, process: usize) -> bool {
        self.state().is_dead(process)
    }

    /// The process is started again.
    pub fn revive(&self, process: usize) {
        self.state().processes[process] = Process::default();
    }

    /// Makes one of the next operations fail, once.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.state();
        state.fault = Some(fault);
        state.fault_hit = None;
    }

    /// Whether the fault has happened.
    pub fn has_failed(&self) -> bool {
        self.state().fault_hit.is_some()
    }

    /// Whether it was for want of space.
    pub fn was_full(&self) -> bool {
        self.state().fault_hit == Some(io::ErrorKind::StorageFull)
    }
}

/// What an operation must do instead of its work.
pub(super) enum Trouble {
    /// Fail without any effect.
    Before(io::Error),
    /// Do the work, then fail.
    After(io::Error),
    /// Do part of a write, or lose what a sync should keep, then fail.
    Halfway(io::Error),
}

impl<A: Account> State<A> {
    fn cut(&mut self, what: String) -> Cut<A> {
        Cut {
            number: self.operations,
            what,
            files: self.files.clone(),
            real: self.real.state(),
            account: self.account.clone(),
        }
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.recording {
            let cut = self.cut(what());
            self.cuts.push(cut);
        }
    }

    /// Counts an operation; what should go wrong with it.
    pub(super) fn begin(&mut self, process: usize) -> io::Result<Option<Trouble>> {
        self.alive(process)?;
        self.operations += 1;
        let doomed = &mut self.processes[process];
        match &mut doomed.kill_after {
            Some((0, death)) => {
                doomed.dead = true;
                return Ok(Some(match death {
                    Death::Before => Trouble::Before(killed()),
                    Death::Within => Trouble::Halfway(killed()),
                    Death::After => Trouble::After(killed()),
                }));
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        match &mut self.fault {
            Some(fault) if fault.after == 0 => {
                let error = io::Error::from(fault.kind);
                self.fault_hit = Some(fault.kind);
                self.fault = None;
                Ok(Some(Trouble::Halfway(error)))
            }
            Some(fault) => {
                fault.after -= 1;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    pub(super) fn is_dead(&self, process: usize) -> bool {
        self.processes[process].dead
    }

    pub(super) fn alive(&self, process: usize) -> io::Result<()> {
        if self.processes[process].dead { Err(killed()) } else { Ok(()) }
    }
}

fn killed() -> io::Error {
    io::Error::other("the process was killed")
}

impl Trouble {
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Before(e) | Self::After(e) | Self::Halfway(e) => e,
        }
    }
}
