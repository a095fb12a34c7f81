//! One open chain: what it holds, and whether a step goes on with it. All of them are in [`super::open`].

use crate::entry::{Entry, Operations};
use tidemark_base::OpTime;
use tidemark_base::bson::Doc;
use tidemark_base::codec::CodecError;

/// Why a step does not go on with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Its beginning is not held: it may lie before what was fetched.
    Missing(String),
    /// Its beginning is held, and something after it is not.
    Lost(String),
    /// The entries contradict each other.
    Wrong(String),
    /// An entry is broken.
    Broken(CodecError),
}

/// One entry that is held.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) at: OpTime,
    pub(super) raw: Box<[u8]>,
}

impl Part {
    /// The entry.
    pub(super) fn doc(&self) -> Doc<'_> {
        Doc::new(&self.raw).expect("copied from a document")
    }
}

/// The entries of one transaction, so far.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) number: i64,
    pub(super) prepared: bool,
    pub(super) parts: Vec<Part>,
    /// Of all parts. Kept up: there may be very many parts.
    bytes: usize,
    /// In all parts, nested ones counted as one.
    operations: u64,
}

impl Chain {
    pub(super) const fn new(number: i64) -> Self {
        Self { number, prepared: false, parts: Vec::new(), bytes: 0, operations: 0 }
    }

    /// Adds an entry with these operations.
    pub(super) fn push(
        &mut self,
        entry: &Entry<'_>,
        operations: Operations<'_>,
        prepared: bool,
    ) -> Result<(), Problem> {
        self.operations = self.with(operations)?;
        let raw: Box<[u8]> = entry.raw.as_bytes().into();
        self.bytes += raw.len();
        self.parts.push(Part { at: entry.at, raw });
        self.prepared = prepared;
        Ok(())
    }

    /// How many operations there are with these.
    fn with(&self, last: Operations<'_>) -> Result<u64, Problem> {
        let mut operations = self.operations;
        for operation in last.array.elements() {
            operation.map_err(Problem::Broken)?;
            operations += 1;
        }
        Ok(operations)
    }

    /// Fails if the last entry says that there are more or fewer operations than are held with its own. A
    /// transaction of a single entry does not say.
    pub(super) fn check_count(&self, last: Operations<'_>, count: Option<i64>) -> Result<(), Problem> {
        let Some(count) = count.filter(|_| !self.parts.is_empty()) else { return Ok(()) };
        let held = self.with(last)?;
        if u64::try_from(count) == Ok(held) {
            return Ok(());
        }
        Err(Problem::Lost(format!("its last entry counts {count} operations, but it has {held} operations")))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (OpTime, Doc<'_>)> {
        self.parts.iter().map(|part| (part.at, part.doc()))
    }

    pub(super) fn last(&self) -> OpTime {
        self.parts.last().map_or(OpTime::NULL, |part| part.at)
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Fails unless the entry before the step is the last one that is held.
    pub(super) fn check_last(&self, previous: OpTime) -> Result<(), Problem> {
        let last = self.last();
        if last == previous {
            return Ok(());
        }
        let what = format!("the entry before this one is {previous}, but the last one held is {last}");
        Err(if previous.ts > last.ts { Problem::Lost(what) } else { Problem::Wrong(what) })
    }
}
