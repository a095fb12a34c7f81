//! Transactions: operations that the oplog holds earlier than they take effect.
//!
//! Called by whoever applies the oplog, with every [`TransactionStep`] in order. [`Assembler::step`] keeps the
//! entries of transactions that are not decided, and gives the operations back, in order, where they are
//! committed. Entries are kept raw, so that a root can store what is open ([`Assembler::open_entries`]) and
//! a later process goes on from it ([`Assembler::rebuild`]).
//!
//! What holds: a chain is only committed whole. Its parts name each other by `prevOpTime`; a part that is
//! missing is an error, never fewer operations. Parts of unprepared transactions whose end can no longer come
//! are dropped (a later transaction of the session, a new term); what is prepared stays until it is decided,
//! however long that takes. Deliberately not here: spilling to disk ([`Assembler::held_bytes`] says how much
//! is held), and the sessions' bookkeeping that servers keep in `config.transactions`.

#![warn(clippy::indexing_slicing)]

mod chain;
mod committed;
mod open;

use crate::entry::{Body, Entry, Fuzzy, Operations, Step, TransactionStep};
use crate::{EntryError, EntryProblem};
use chain::{Chain, Problem};
use open::Open;
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, Timestamp};

pub use committed::Committed;

/// What a step did.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// Its operations are held until they are decided.
    Held,
    /// Nothing takes effect: it was aborted, or decided before application begins.
    Dropped,
    /// These operations take effect here.
    Commit(Committed<'a>),
}

/// The transactions that are open at one position of the oplog.
#[derive(Clone, Debug)]
pub struct Assembler {
    apply_after: Timestamp,
    term: i64,
    open: Open,
}

impl Assembler {
    /// No transaction is open. Entries up to `apply_after`, inclusive, are only fed in: what they decide has
    /// taken effect already, what they leave open is decided later. Zero if there are none.
    #[must_use]
    pub fn new(apply_after: Timestamp) -> Self {
        Self { apply_after, term: OpTime::NO_TERM, open: Open::default() }
    }

    /// An assembler as the one was that gave these entries ([`Self::open_entries`]).
    ///
    /// # Errors
    /// If an entry is broken, is no part of a transaction, or its chain is not complete.
    pub fn rebuild<'e>(
        apply_after: Timestamp,
        entries: impl IntoIterator<Item = Doc<'e>>,
    ) -> Result<Self, EntryError> {
        let mut assembler = Self::new(Timestamp::ZERO);
        for raw in entries {
            let entry = Entry::parse(raw, Fuzzy::default())?;
            let held = match &entry.body {
                Body::Transaction(step) => {
                    matches!(assembler.step(&entry, step, Fuzzy::default())?, Outcome::Held)
                }
                _ => false,
            };
            if !held {
                return Err(error(entry.at, "a stored entry is no part of an open transaction".to_owned()));
            }
        }
        assembler.apply_after = apply_after;
        Ok(assembler)
    }

    /// Takes note of an entry that is no step of a transaction: a new term ends what was not prepared.
    pub fn pass(&mut self, at: OpTime) {
        if at.term > self.term {
            self.term = at.term;
            self.open.end_of_term();
        }
    }

    /// Takes the next step. `fuzzy` is that of the entry: it decides, by the position of the commit, how
    /// operations must fit.
    ///
    /// # Errors
    /// [`EntryProblem::LostPart`] if a part is missing, or a commit is of nothing that is known: operations
    /// are lost, and only a resync brings them back. [`EntryProblem::Transaction`] for what no server writes.
    /// The assembler must not be used on.
    pub fn step<'a>(
        &mut self,
        entry: &Entry<'a>,
        step: &TransactionStep<'a>,
        fuzzy: Fuzzy,
    ) -> Result<Outcome<'a>, EntryError> {
        self.pass(entry.at);
        let feeding = entry.at.ts <= self.apply_after;
        let taken = match step.step {
            Step::Part(part) => self.hold(entry, step, part, false),
            Step::Prepare(last) => self.hold(entry, step, last, true),
            Step::Abort => {
                self.open.abort(&step.chain);
                Ok(Outcome::Dropped)
            }
            Step::Commit(last) => self.commit(entry, step, fuzzy, Some(last)),
            Step::CommitPrepared => self.commit(entry, step, fuzzy, None),
        };
        match taken {
            Ok(Outcome::Commit(_)) if feeding => Ok(Outcome::Dropped),
            Ok(outcome) => Ok(outcome),
            // Its beginning lies before what was fetched, so it was decided before application begins. If it
            // was not, its commit comes later, finds nothing, and is an error then.
            Err(Problem::Missing(_)) if feeding => Ok(Outcome::Dropped),
            Err(Problem::Missing(what) | Problem::Lost(what)) => {
                Err(EntryError::at(entry.at, EntryProblem::LostPart(what)))
            }
            Err(Problem::Wrong(what)) => Err(error(entry.at, what)),
            Err(Problem::Broken(broken)) => Err(EntryError::at(entry.at, broken)),
        }
    }

    fn hold<'a>(
        &mut self,
        entry: &Entry<'a>,
        step: &TransactionStep<'a>,
        operations: Operations<'a>,
        prepared: bool,
    ) -> Result<Outcome<'a>, Problem> {
        let mut chain = self.open.take(&step.chain)?;
        if prepared {
            chain.check_count(operations, step.count)?;
        }
        chain.push(entry, operations, prepared)?;
        self.open.put(&step.chain, chain);
        Ok(Outcome::Held)
    }

    /// Commits with the operations of this entry as the last ones, or what was prepared.
    fn commit<'a>(
        &mut self,
        entry: &Entry<'a>,
        step: &TransactionStep<'a>,
        fuzzy: Fuzzy,
        last: Option<Operations<'a>>,
    ) -> Result<Outcome<'a>, Problem> {
        let chain = match last {
            Some(last) => {
                let chain = self.open.take(&step.chain)?;
                chain.check_count(last, step.count)?;
                chain
            }
            None => self.open.take_prepared(&step.chain)?,
        };
        let manner = fuzzy.manner_at(entry.at.ts);
        Ok(Outcome::Commit(Committed::new(entry.at, manner, chain, last)))
    }

    /// The entries of all open transactions, in the order of the oplog.
    #[must_use]
    pub fn open_entries(&self) -> Vec<(OpTime, Doc<'_>)> {
        let mut entries: Vec<_> = self.open.iter().flat_map(Chain::entries).collect();
        entries.sort_unstable_by_key(|(at, _)| at.ts);
        entries
    }

    /// How many transactions are open.
    #[must_use]
    pub fn open_len(&self) -> usize {
        self.open.len()
    }

    /// How many bytes of entries are held in memory.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.open.held_bytes()
    }
}

fn error(at: OpTime, what: String) -> EntryError {
    EntryError::at(at, EntryProblem::Transaction(what))
}

#[cfg(test)]
mod tests;
