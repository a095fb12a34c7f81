//! Documents of a collection that came late: held in memory, and put aside sorted when that is too much.
//!
//! What is put aside is of no use once the base is written, so it goes to a scratch file, which is gone with the build
//! however that ends. Of each stretch only the places of its chunks are in memory. Many stretches become one before
//! too many would have to be read at once.

use super::spill;
use crate::run::base::{Batches, Merged, Sorted, Task, Tools};
use crate::run::{Result, RunError};
use std::sync::Arc;
use tidemark_blockstore::Spot;

/// So many stretches of one size become one of the next.
const MERGED_AT_ONCE: usize = 48;

/// Batches that were merged and put.
#[derive(Clone, Debug)]
struct Stretch {
    chunks: Vec<Spot>,
    /// How often what is in it was merged.
    merges: u32,
}

/// What came late.
#[derive(Debug)]
pub(super) struct Aside {
    tools: Arc<Tools>,
    /// Batches as they were given.
    held: Vec<Arc<Sorted>>,
    held_bytes: usize,
    putting: Option<Putting>,
    /// Oldest first.
    stretches: Vec<Stretch>,
}

/// A stretch on its way.
#[derive(Debug)]
struct Putting {
    chunks: Task<Result<Vec<Spot>>>,
    bytes: usize,
}

impl Aside {
    pub(super) fn new(tools: &Arc<Tools>) -> Self {
        let (held, stretches) = (Vec::new(), Vec::new());
        Self { tools: Arc::clone(tools), held, held_bytes: 0, putting: None, stretches }
    }

    /// Memory of what is held, and of what is being put, in bytes.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (self.held_bytes, self.putting.as_ref().map_or(0, |putting| putting.bytes))
    }

    /// Holds a batch.
    pub(super) fn hold(&mut self, batch: Sorted) {
        self.held_bytes += batch.memory_bytes();
        self.held.push(Arc::new(batch));
    }

    /// Begins to put what is held.
    pub(super) fn put(&mut self) -> Result<()> {
        self.wait()?;
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let bytes = std::mem::take(&mut self.held_bytes);
        let tools = Arc::clone(&self.tools);
        let chunks = Task::begin(&self.tools.meter, move || {
            spill::put(&tools, Merged::open(held.into_iter().map(in_memory))?)
        });
        self.putting = Some(Putting { chunks, bytes });
        Ok(())
    }

    /// Waits until what is being put is there.
    pub(super) fn wait(&mut self) -> Result<()> {
        let Some(putting) = self.putting.take() else { return Ok(()) };
        self.stretches.push(Stretch { chunks: putting.chunks.wait()?, merges: 0 });
        while let Some(merges) = self.last_alike() {
            let some = self.stretches.split_off(self.stretches.len() - MERGED_AT_ONCE);
            let merged = Merged::open(some.into_iter().map(|it| spill::batches(&self.tools, it.chunks)))?;
            let chunks = spill::put(&self.tools, merged)?;
            self.stretches.push(Stretch { chunks, merges: merges + 1 });
        }
        Ok(())
    }

    /// How often the last stretches were merged, if there are enough alike.
    fn last_alike(&self) -> Option<u32> {
        let last = self.stretches.last()?.merges;
        let alike = self.stretches.iter().rev().take_while(|it| it.merges == last).count();
        (alike >= MERGED_AT_ONCE).then_some(last)
    }

    /// All of it by key; none if there is nothing. Nothing may come after it.
    pub(super) fn merged(&mut self) -> Result<Option<Merged<'static>>> {
        self.wait()?;
        if !self.stretches.is_empty() {
            self.put()?;
            self.wait()?;
        }
        let stretches = std::mem::take(&mut self.stretches);
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        if stretches.is_empty() && held.is_empty() {
            return Ok(None);
        }
        let stretches = stretches.into_iter().map(|it| spill::batches(&self.tools, it.chunks));
        Ok(Some(Merged::open(stretches.chain(held.into_iter().map(in_memory)))?))
    }

    /// Why what is being put could not be.
    pub(super) fn failure(&mut self) -> Option<RunError> {
        self.putting.take()?.chunks.wait().err()
    }
}

/// A batch in memory, as a place that has no other.
fn in_memory(batch: Arc<Sorted>) -> Batches<'static> {
    let mut batch = Some(batch);
    Box::new(move || Ok(batch.take()))
}
