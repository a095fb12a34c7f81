//! Memory that is counted while it is held, and waiting until there is less of it.
//!
//! Batches of documents are shared by the leaves that are cut of them and freed with the last, on whatever thread
//! that happens. So each says itself what it takes, for as long as it lives.

use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidemark_blockstore::{Chunk, Scratch};

/// How long a thread of a pool that finds no other work sleeps before it looks again.
const NAP: Duration = Duration::from_millis(1);

/// How many buffers are kept to be used again, and of which length: fresh memory costs, page by page, as much as to
/// copy into it.
const MOST_SPARE: usize = 8;
const SPARE_BYTES: RangeInclusive<usize> = 1 << 20..=4 << 20;

/// How much is held, and how many tasks are at work.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    load: Mutex<Load>,
    changed: Condvar,
    spare: Mutex<Vec<Vec<u8>>>,
}

/// What a meter shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// Memory of all that is charged, in bytes.
    pub(crate) bytes: usize,
    /// The most there ever was.
    pub(crate) most_bytes: usize,
    /// Tasks that were begun and did not end.
    pub(crate) tasks: usize,
}

/// Some bytes on a meter, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    meter: Arc<Meter>,
    bytes: usize,
    tasks: usize,
}

impl Meter {
    fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much is held now, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The most that was ever held at once, in bytes.
    #[cfg(test)]
    pub(crate) fn most_bytes(&self) -> usize {
        self.lock().most_bytes
    }

    /// Counts memory, in bytes.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.add(bytes, 0)
    }

    /// Counts a task.
    pub(super) fn task(self: &Arc<Self>) -> Charge {
        self.add(0, 1)
    }

    /// An empty buffer with room for so much; one that was kept if there is one.
    pub(crate) fn buffer(&self, bytes: usize) -> Vec<u8> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let found = spare.iter().rposition(|buffer| buffer.capacity() >= bytes);
        match found.filter(|_| SPARE_BYTES.contains(&bytes)) {
            Some(at) => spare.swap_remove(at),
            None => Vec::with_capacity(bytes),
        }
    }

    /// Keeps a buffer that nobody needs any more.
    pub(crate) fn keep(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE && SPARE_BYTES.contains(&buffer.capacity()) {
            buffer.clear();
            spare.push(buffer);
        }
    }

    fn add(self: &Arc<Self>, bytes: usize, tasks: usize) -> Charge {
        let mut held = self.lock();
        held.bytes += bytes;
        held.most_bytes = held.most_bytes.max(held.bytes);
        held.tasks += tasks;
        Charge { meter: Arc::clone(self), bytes, tasks }
    }

    /// Waits until no more is held than so much, or no task is left that could let anything go. On a thread of
    /// rayon's pool it works on what there is meanwhile.
    pub(crate) fn wait_for(&self, most_bytes: usize) {
        self.wait(|load| load.bytes <= most_bytes || load.tasks == 0);
    }

    /// Waits until no task is at work.
    pub(crate) fn wait_for_tasks(&self) {
        self.wait(|load| load.tasks == 0);
    }

    fn wait(&self, is_enough: impl Fn(Load) -> bool) {
        loop {
            if is_enough(*self.lock()) {
                return;
            }
            match rayon::yield_now() {
                Some(rayon::Yield::Executed) => {}
                is_of_pool => {
                    let held = self.lock();
                    if is_enough(*held) {
                        return;
                    }
                    // Outside of the pool somebody else does all the work, and says so.
                    let waited = if is_of_pool.is_some() {
                        self.changed.wait_timeout(held, NAP).map(drop).map_err(drop)
                    } else {
                        self.changed.wait(held).map(drop).map_err(drop)
                    };
                    waited.unwrap_or_default();
                }
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut held = self.meter.lock();
        held.bytes -= self.bytes;
        held.tasks -= self.tasks;
        self.meter.changed.notify_all();
    }
}

/// Documents, one behind the other, shared by whoever cuts something of them.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Bytes,
    charge: Charge,
}

#[derive(Debug)]
enum Bytes {
    Own(Vec<u8>),
    Read(Chunk, Arc<Scratch>),
}

impl Buffer {
    /// What somebody has in memory.
    pub(crate) fn own(bytes: Vec<u8>, meter: &Arc<Meter>) -> Self {
        let charge = meter.charge(bytes.capacity());
        Self { bytes: Bytes::Own(bytes), charge }
    }

    /// What was read back; its memory goes back there when nobody needs it any more.
    pub(crate) fn read(chunk: Chunk, from: &Arc<Scratch>, meter: &Arc<Meter>) -> Self {
        let charge = meter.charge(chunk.memory_bytes());
        Self { bytes: Bytes::Read(chunk, Arc::clone(from)), charge }
    }

    /// All bytes.
    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Read(chunk, _) => chunk.bytes(),
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        match &mut self.bytes {
            Bytes::Own(bytes) => self.charge.meter.keep(std::mem::take(bytes)),
            Bytes::Read(chunk, from) => from.keep(std::mem::take(chunk)),
        }
    }
}
