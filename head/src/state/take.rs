//! The first pass over a batch of entries: positions, terms, and transactions up to their commit.
//!
//! What comes out takes effect, whole and in order. It owns the entries of committed transactions, so that the
//! second pass can borrow from them.

use super::State;
use crate::error::{HeadError, Result};
use tidemark_base::{OpTime, Timestamp};
use tidemark_oplog::entry::{Body, Change, CommandEntry, Entry, Fuzzy, Operations};
use tidemark_oplog::transactions::{Committed, Outcome};

/// An entry that takes effect.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    pub(super) at: OpTime,
    pub(super) work: Work<'a>,
}

/// What it does.
#[derive(Debug)]
pub(super) enum Work<'a> {
    Change(Change<'a>),
    Command(CommandEntry<'a>),
    Group(Operations<'a>),
    Transaction(Committed<'a>),
}

impl State {
    /// Checks that entries ascend, and that what was applied last is what the history has there.
    pub(super) fn check_order(&self, entries: &[Entry<'_>]) -> Result<()> {
        let mut previous: Option<Timestamp> = None;
        for entry in entries {
            if let Some(previous) = previous.filter(|previous| entry.at.ts <= *previous) {
                return Err(HeadError::Order { previous, found: entry.at });
            }
            let is_other = entry.at.ts == self.at.ts && entry.at != self.at;
            // The term of the position that a copy was begun at is not always known.
            if is_other && self.at.term != OpTime::NO_TERM {
                return Err(HeadError::Fork { expected: self.at, found: entry.at });
            }
            previous = Some(entry.at.ts);
        }
        Ok(())
    }

    /// Takes entries in.
    pub(super) fn take<'a>(&mut self, entries: &[Entry<'a>], fuzzy: Fuzzy) -> Result<Vec<Taken<'a>>> {
        let mut taken = Vec::with_capacity(entries.len());
        for entry in entries.iter().filter(|entry| entry.at.ts > self.read_to) {
            let is_applied = entry.at.ts > self.at.ts;
            self.assembler.pass(entry.at);
            let work = match entry.body {
                Body::Transaction(step) => match self.assembler.step(entry, &step, fuzzy)? {
                    Outcome::Held | Outcome::Dropped => None,
                    Outcome::Commit(committed) => Some(Work::Transaction(committed)),
                },
                Body::Change(change) if is_applied => Some(Work::Change(change)),
                Body::Command(command) if is_applied => Some(Work::Command(command)),
                Body::Group(operations) if is_applied => Some(Work::Group(operations)),
                Body::Change(_) | Body::Command(_) | Body::Group(_) | Body::Nothing => None,
            };
            taken.extend(work.map(|work| Taken { at: entry.at, work }));
            if is_applied {
                self.at = entry.at;
            }
        }
        if let Some(last) = entries.last() {
            self.read_to = self.read_to.max(last.at.ts);
        }
        Ok(taken)
    }
}
