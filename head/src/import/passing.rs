//! How documents pass through an import: from batches to bases, with bounded memory.
//!
//! The caller's thread does what must be done in order; it waits only when too much is on the way.

use super::Import;
use super::collecting::Collecting;
use crate::error::Result;
use crate::run::base::{Sorted, Task, Unfit};
use std::sync::Arc;
use tidemark_base::CollectionUuid;

/// How the memory of an import is shared out, all in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// A batch: it is sorted before anything else, so what is out of order by less costs nothing.
    pub(super) batch_bytes: usize,
    /// All that waits to become batches, of all collections.
    pub(super) waiting_bytes: usize,
    /// All that is being sorted, compressed and put.
    pub(super) passing_bytes: usize,
    /// What came late, of all collections, before it is put aside. Twice that is held meanwhile.
    pub(super) aside_bytes: usize,
    /// Open leaves of all collections.
    pub(super) tail_bytes: usize,
}

impl Shares {
    pub(super) fn of(budget_bytes: usize) -> Self {
        const MIB: usize = 1 << 20;
        Self {
            batch_bytes: (budget_bytes / 64).clamp(1, 2 * MIB),
            waiting_bytes: (budget_bytes / 32).min(32 * MIB),
            passing_bytes: (budget_bytes / 8).min(64 * MIB),
            aside_bytes: budget_bytes / 5,
            tail_bytes: (budget_bytes / 32).min(32 * MIB),
        }
    }
}

/// What collections hold in memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// Open leaves.
    pub(super) tail_bytes: usize,
    /// What came late.
    pub(super) late_bytes: usize,
    /// What is being put aside.
    pub(super) putting_bytes: usize,
}

impl Held {
    /// Counts what one collection holds now, in place of what it held before.
    fn exchange(&mut self, before: Self, now: Self) {
        self.tail_bytes = self.tail_bytes - before.tail_bytes + now.tail_bytes;
        self.late_bytes = self.late_bytes - before.late_bytes + now.late_bytes;
        self.putting_bytes = self.putting_bytes - before.putting_bytes + now.putting_bytes;
    }
}

impl Import {
    /// Has what waits of a collection sorted.
    pub(super) fn sort(&mut self, uuid: CollectionUuid) -> Result<()> {
        let Some(collecting) = self.collecting.get_mut(&uuid) else { return Ok(()) };
        let documents = std::mem::take(&mut collecting.waiting);
        if documents.is_empty() {
            return Ok(());
        }
        self.waiting_bytes -= documents.len();
        let tools = Arc::clone(&self.tools);
        let charge = self.tools.meter.charge(documents.capacity());
        let task = Task::begin(&self.tools.meter, move || {
            let sorted = tools.sort(documents);
            drop(charge);
            sorted
        });
        self.sorting.push_back((uuid, task));
        while let Some(sorted) = self.sorting.front().and_then(|(_, task)| task.try_take()) {
            self.pass_first(sorted)?;
        }
        loop {
            let most_bytes = self.held.late_bytes + self.held.putting_bytes + self.shares.passing_bytes;
            if self.tools.meter.bytes() <= most_bytes {
                return Ok(());
            }
            if !self.pass_next()? {
                self.tools.meter.wait_for(most_bytes);
                return Ok(());
            }
        }
    }

    /// Has all sorted that waits.
    pub(super) fn sort_all(&mut self) -> Result<()> {
        let waiting = self.collecting.iter().filter(|(_, it)| !it.waiting.is_empty());
        let waiting: Vec<_> = waiting.map(|(uuid, _)| *uuid).collect();
        waiting.into_iter().try_for_each(|uuid| self.sort(uuid))
    }

    /// Waits for the first batch that is being sorted and passes it on; false if there is none.
    fn pass_next(&mut self) -> Result<bool> {
        let Some((uuid, task)) = self.sorting.pop_front() else { return Ok(false) };
        self.pass(uuid, task.wait())?;
        Ok(true)
    }

    fn pass_first(&mut self, sorted: Result<Sorted, Unfit>) -> Result<()> {
        match self.sorting.pop_front() {
            Some((uuid, _)) => self.pass(uuid, sorted),
            None => Ok(()),
        }
    }

    fn pass(&mut self, uuid: CollectionUuid, sorted: Result<Sorted, Unfit>) -> Result<()> {
        let Some(collecting) = self.collecting.get_mut(&uuid) else { return Ok(()) };
        let sorted = sorted.map_err(|unfit| collecting.refused(unfit))?;
        let before = collecting.holds();
        collecting.take(sorted)?;
        self.held.exchange(before, collecting.holds());
        if self.held.late_bytes > self.shares.aside_bytes {
            self.put_aside()?;
        }
        if self.held.tail_bytes > self.shares.tail_bytes {
            self.collecting.values_mut().try_for_each(Collecting::end_run)?;
            self.count_held();
        }
        Ok(())
    }

    /// Counts anew what all collections hold.
    fn count_held(&mut self) {
        self.held = Held::default();
        self.collecting.values().for_each(|it| self.held.exchange(Held::default(), it.holds()));
    }

    /// Begins to put aside what came late, of the collection that has most of it.
    fn put_aside(&mut self) -> Result<()> {
        // One at a time, so that no more than twice the share is held.
        for collecting in self.collecting.values_mut() {
            collecting.wait_for_aside()?;
        }
        let most = self.collecting.values_mut().max_by_key(|it| it.holds().late_bytes);
        most.map_or(Ok(()), Collecting::put_aside)?;
        self.count_held();
        Ok(())
    }

    /// Ends all bases and hands them to the state.
    pub(super) fn end_bases(&mut self) -> Result<()> {
        self.sort_all()?;
        while self.pass_next()? {}
        // All are handed out before the first is waited for.
        self.collecting.values_mut().try_for_each(Collecting::close)?;
        while let Some((uuid, mut collecting)) = self.collecting.pop_first() {
            let ended = collecting.end(self.shares.passing_bytes);
            let base = match ended {
                Ok(base) => base,
                Err(error) => {
                    // What explains it may be in it.
                    self.collecting.insert(uuid, collecting);
                    return Err(error.into());
                }
            };
            self.state.set_base(uuid, base);
        }
        Ok(())
    }
}
