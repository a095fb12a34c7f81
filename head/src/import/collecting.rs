//! A collection while it is built: what ascends is written, what comes late is kept aside.
//!
//! What comes late was given later than what is written under the same key: so it overwrites, and what is aside does
//! among itself by the order it was given in.

use super::aside::Aside;
use super::passing::Held;
use crate::error::{self, HeadError};
use crate::run::base::{BaseWriter, Sorted, Tools, Unfit, merge_into};
use crate::run::{Result, Run, RunError};
use std::sync::Arc;

/// A collection that documents come of.
#[derive(Debug)]
pub(super) struct Collecting {
    /// Its name, escaped.
    namespace: String,
    tools: Arc<Tools>,
    /// Documents that wait to be enough for a batch.
    pub(super) waiting: Vec<u8>,
    below: Below,
    aside: Aside,
}

/// What ascended.
#[derive(Debug)]
enum Below {
    Open(Box<BaseWriter>),
    /// It was ended to save memory: all else is aside.
    Ended(Option<Run>),
}

impl Collecting {
    pub(super) fn new(tools: &Arc<Tools>, namespace: String) -> Self {
        Self {
            namespace,
            tools: Arc::clone(tools),
            waiting: Vec::new(),
            below: Below::Open(Box::new(BaseWriter::new(tools))),
            aside: Aside::new(tools),
        }
    }

    /// Takes documents to those that wait.
    pub(super) fn wait_for_more(&mut self, documents: &[u8], batch_bytes: usize) {
        if self.waiting.capacity() == 0 {
            // A collection of few documents is not to take the memory of a batch.
            let is_more = documents.len() > batch_bytes / 8;
            let room = if is_more { batch_bytes + batch_bytes / 4 } else { 0 };
            self.waiting = self.tools.meter.buffer(documents.len().max(room));
        }
        self.waiting.extend_from_slice(documents);
    }

    /// Takes a batch, in the order that batches were given in.
    pub(super) fn take(&mut self, batch: Sorted) -> Result<()> {
        let late = match &self.below {
            Below::Ended(_) => batch.len(),
            Below::Open(writer) => writer.last_key().map_or(0, |last| batch.up_to(last)),
        };
        if let Below::Open(writer) = &mut self.below {
            writer.push(&batch, late..batch.len())?;
            writer.let_go()?;
        }
        if late == batch.len() {
            self.aside.hold(batch);
        } else if late > 0 {
            self.aside.hold(batch.first(late, &self.tools.meter));
        }
        Ok(())
    }

    /// What it holds in memory.
    pub(super) fn holds(&self) -> Held {
        let tail_bytes = match &self.below {
            Below::Open(writer) => writer.tail_bytes(),
            Below::Ended(_) => 0,
        };
        let (late_bytes, putting_bytes) = self.aside.bytes();
        Held { tail_bytes, late_bytes, putting_bytes }
    }

    /// Begins to put aside what came late.
    pub(super) fn put_aside(&mut self) -> error::Result<()> {
        Ok(self.aside.put()?)
    }

    /// Waits until what is being put aside is.
    pub(super) fn wait_for_aside(&mut self) -> Result<()> {
        self.aside.wait()
    }

    /// Hands out what is left of what ascended.
    pub(super) fn close(&mut self) -> Result<()> {
        match &mut self.below {
            Below::Open(writer) => writer.close(),
            Below::Ended(_) => Ok(()),
        }
    }

    /// Ends what ascended, and all that comes now is late.
    pub(super) fn end_run(&mut self) -> Result<()> {
        let below = std::mem::replace(&mut self.below, Below::Ended(None));
        self.below = Below::Ended(match below {
            Below::Open(writer) => writer.finish()?,
            Below::Ended(run) => run,
        });
        Ok(())
    }

    /// The base of all documents; none if there are none.
    pub(super) fn end(&mut self, passing_bytes: usize) -> Result<Option<Run>> {
        self.end_run()?;
        let Below::Ended(below) = &mut self.below else { return Ok(None) };
        let below = below.take();
        match self.aside.merged()? {
            None => Ok(below),
            Some(above) => merge_into(&self.tools, below.as_ref(), above, passing_bytes),
        }
    }

    /// Why documents of it were not taken.
    pub(super) fn refused(&self, unfit: Unfit) -> HeadError {
        match unfit {
            Unfit::Broken { document, problem } => {
                HeadError::broken_bytes(self.namespace.clone(), &document, problem)
            }
            Unfit::Key(problem) => {
                HeadError::Document { what: format!("a document of {}", self.namespace), problem }
            }
            Unfit::Run(error) => error.into(),
        }
    }

    /// What failed in tasks whose results nobody has asked for.
    pub(super) fn failures(&mut self) -> Vec<RunError> {
        let mut failures: Vec<RunError> = match &mut self.below {
            Below::Open(writer) => writer.failures().collect(),
            Below::Ended(_) => Vec::new(),
        };
        failures.extend(self.aside.failure());
        failures
    }
}
