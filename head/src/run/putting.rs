//! Batches on their way to the store while the next one is filled.
//!
//! Used by [`super::RunWriter`]. Each batch is named, compressed and put by one task of rayon's pool; what became of
//! them comes back in order. A few are at work at once, so memory is bounded: [`MORE_THAN_THREADS`] more than there
//! are threads. Who waits on a thread of the pool works meanwhile. Without a scope they are put at once.

use super::base::Task;
use super::batch::Batch;
use super::error::{Result, RunError};
use super::index::Child;
use super::record::RunKind;
use rayon::Scope;
use std::collections::VecDeque;
use tidemark_blockstore::Session;

/// So many batches more than there are threads may be at work: each thread finds one when it has done one.
const MORE_THAN_THREADS: usize = 2;

/// A batch that was put, empty again, and the children that it made for the lowest nodes.
type Put = Result<(Batch, Vec<Child>)>;

/// Gives a batch to a task.
type Begin<'s> = Box<dyn Fn(Batch) -> Task<Put> + 's>;

/// The batches of one run.
pub(super) struct Putting<'s> {
    session: &'s Session,
    begin: Option<Begin<'s>>,
    tasks: VecDeque<Task<Put>>,
    most_tasks: usize,
    /// Empty ones, kept for their memory.
    spare: Vec<Batch>,
}

impl<'s> Putting<'s> {
    /// Puts every batch at once.
    pub(super) fn at_once(session: &'s Session) -> Self {
        Self { session, begin: None, tasks: VecDeque::new(), most_tasks: 0, spare: Vec::new() }
    }

    /// Puts batches by tasks of a scope.
    pub(super) fn in_scope<'scope: 's>(scope: &'s Scope<'scope>, session: &'scope Session) -> Self {
        let begin = move |batch| Task::begin_in(scope, move || put(session, batch));
        let most_tasks = rayon::current_num_threads() + MORE_THAN_THREADS;
        Self { begin: Some(Box::new(begin)), most_tasks, ..Self::at_once(session) }
    }

    /// Puts what is in a batch, which is empty then. Returns children of the lowest nodes, in order: of this batch,
    /// or of earlier ones.
    pub(super) fn hand_out(&mut self, kind: RunKind, batch: &mut Batch) -> Result<Vec<Child>> {
        let Some(begin) = &self.begin else { return self.put_here(batch) };
        let empty = self.spare.pop().unwrap_or_else(|| Batch::new(kind));
        self.tasks.push_back(begin(std::mem::replace(batch, empty)));
        let mut children = Vec::new();
        loop {
            let put = if self.tasks.len() > self.most_tasks {
                self.tasks.pop_front().map(Task::wait)
            } else {
                let put = self.tasks.front().and_then(Task::try_take);
                put.inspect(|_| drop(self.tasks.pop_front()))
            };
            let Some(put) = put else { return Ok(children) };
            self.take(put, &mut children)?;
        }
    }

    /// Puts what is in a batch, and waits for all that were handed out.
    pub(super) fn put_all(&mut self, kind: RunKind, batch: &mut Batch) -> Result<Vec<Child>> {
        // The last one of many goes the way of the others; a small run is put without a task.
        let mut children = if self.tasks.is_empty() { Vec::new() } else { self.hand_out(kind, batch)? };
        while let Some(task) = self.tasks.pop_front() {
            self.take(task.wait(), &mut children)?;
        }
        children.extend(self.put_here(batch)?);
        Ok(children)
    }

    fn put_here(&self, batch: &mut Batch) -> Result<Vec<Child>> {
        batch.put(self.session)
    }

    fn take(&mut self, put: Put, children: &mut Vec<Child>) -> Result<()> {
        let (batch, more) = put.map_err(|error| self.cause(error))?;
        self.spare.push(batch);
        children.extend(more);
        Ok(())
    }

    /// Of a failure and those of all tasks at work the one that explains the others: once one has failed to write,
    /// the others, earlier ones too, are only told that the session is broken.
    fn cause(&mut self, error: RunError) -> RunError {
        let mut failures = self.tasks.drain(..).filter_map(|task| task.wait().err());
        if !error.is_consequence() {
            // What is at work is waited for all the same.
            failures.by_ref().for_each(drop);
            return error;
        }
        failures.fold(error, |told, next| if told.is_consequence() { next } else { told })
    }
}

impl std::fmt::Debug for Putting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Putting").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

fn put(session: &Session, mut batch: Batch) -> Put {
    let children = batch.put(session)?;
    // Those of large items; what is below them was just put.
    batch.put_nodes(session)?;
    Ok((batch, children))
}
