//! A backend that fails on purpose: the n-th call fails, is delayed, or is torn in the middle.
//!
//! For tests of everything that stands on a store. Calls that change something are counted, and those that only
//! read as well if asked for; when the count reaches the chosen one the fault happens, once, or from then on.

use crate::backend::{Backend, PackWriter, TxnBody};
use crate::error::{Error, Result};
use crate::ids::{OwnerId, PackId};
use crate::scratch::Scratch;
use crate::superblock::Superblock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The call does nothing and fails.
    Fail,
    /// The call does its work, and fails all the same: its outcome is unknown to the caller.
    FailAfter,
    /// An append writes only the first half and fails; other calls do nothing and fail.
    Tear,
    /// The given function is called first: it may wait, or let others run.
    Pause(fn()),
}

/// When a fault happens.
#[derive(Clone, Copy, Debug)]
pub struct FaultAt {
    /// The number of the call, from 1. 0 never comes.
    pub call: u64,
    /// What happens then.
    pub fault: Fault,
    /// Whether every later call fails as well, as after a power cut or a dead disk.
    pub and_all_later: bool,
}

struct Counter {
    calls: AtomicU64,
    reads: bool,
    at: FaultAt,
}

impl Counter {
    /// Runs a call that only reads.
    fn run_read<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.reads { self.run(work) } else { work() }
    }

    /// Counts a call; what should happen to it.
    fn next(&self) -> (u64, Option<Fault>) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = match call {
            _ if self.at.call == 0 => None,
            call if call == self.at.call => Some(self.at.fault),
            call if call > self.at.call && self.at.and_all_later => Some(Fault::Fail),
            _ => None,
        };
        (call, fault)
    }

    fn run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (call, fault) = self.next();
        match fault {
            None => work(),
            Some(Fault::Pause(pause)) => {
                pause();
                work()
            }
            Some(Fault::FailAfter) => work().and(Err(Error::Injected { call })),
            Some(Fault::Fail | Fault::Tear) => Err(Error::Injected { call }),
        }
    }
}

/// Wraps a backend.
pub struct FaultBackend {
    inner: Arc<dyn Backend>,
    counter: Arc<Counter>,
}

impl FaultBackend {
    /// Wraps `inner`; its calls that change something are counted from 1.
    pub fn new(inner: Arc<dyn Backend>, at: FaultAt) -> Self {
        Self { inner, counter: Arc::new(Counter { calls: AtomicU64::new(0), reads: false, at }) }
    }

    /// Wraps `inner`; its calls are counted from 1, those too that only read transactions and packs: for races
    /// in which what was read is acted upon.
    pub fn counting_reads(inner: Arc<dyn Backend>, at: FaultAt) -> Self {
        Self { inner, counter: Arc::new(Counter { calls: AtomicU64::new(0), reads: true, at }) }
    }

    /// How many calls that are counted have been made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.counter.calls.load(Ordering::SeqCst)
    }
}

impl Backend for FaultBackend {
    fn superblock(&self) -> &Superblock {
        self.inner.superblock()
    }

    fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.counter.run_read(|| self.inner.read(body))
    }

    fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.counter.run(|| self.inner.write(body))
    }

    fn write_relaxed(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.counter.run(|| self.inner.write_relaxed(body))
    }

    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        let inner = self.counter.run(|| self.inner.create_pack(id))?;
        Ok(Box::new(FaultWriter { inner, counter: Arc::clone(&self.counter) }))
    }

    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        self.counter.run_read(|| self.inner.read_pack(id, offset, len))
    }

    fn remove_pack(&self, id: PackId) -> Result<()> {
        self.counter.run(|| self.inner.remove_pack(id))
    }

    fn list_packs(&self) -> Result<Vec<(PackId, u64)>> {
        self.counter.run_read(|| self.inner.list_packs())
    }

    fn owner(&self) -> OwnerId {
        self.inner.owner()
    }

    fn owner_alive(&self, owner: OwnerId) -> Result<bool> {
        self.inner.owner_alive(owner)
    }

    fn lock_collection(&self) -> Result<Box<dyn Send>> {
        self.inner.lock_collection()
    }

    fn scratch(&self) -> Result<Scratch> {
        self.counter.run(|| self.inner.scratch())
    }

    fn audit(&self) -> Result<Vec<String>> {
        self.inner.audit()
    }

    fn require_reserve(&self) -> Result<()> {
        self.inner.require_reserve()
    }

    fn release_reserve(&self) -> Result<bool> {
        self.inner.release_reserve()
    }

    fn restore_reserve(&self) {
        self.inner.restore_reserve();
    }
}

struct FaultWriter {
    inner: Box<dyn PackWriter>,
    counter: Arc<Counter>,
}

impl PackWriter for FaultWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let (call, fault) = self.counter.next();
        match fault {
            None => self.inner.append(bytes),
            Some(Fault::Pause(pause)) => {
                pause();
                self.inner.append(bytes)
            }
            Some(Fault::FailAfter) => self.inner.append(bytes).and(Err(Error::Injected { call })),
            Some(Fault::Fail) => Err(Error::Injected { call }),
            Some(Fault::Tear) => {
                let (half, _) = bytes.split_at(bytes.len() / 2);
                self.inner.append(half).and(Err(Error::Injected { call }))
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        let (call, fault) = self.counter.next();
        match fault {
            None => self.inner.sync(),
            Some(Fault::Pause(pause)) => {
                pause();
                self.inner.sync()
            }
            Some(Fault::FailAfter) => self.inner.sync().and(Err(Error::Injected { call })),
            Some(Fault::Fail | Fault::Tear) => Err(Error::Injected { call }),
        }
    }
}
