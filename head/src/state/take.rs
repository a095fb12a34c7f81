//! The first pass over a batch of entries: positions, and transactions up to their commit.
//!
//! What comes out takes effect, whole and in order. It owns the entries of committed transactions, so that the
//! second pass can borrow from them.

use super::State;
use crate::error::Result;
use tidemark_base::OpTime;
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
            // That of the position too: of a copy's the term is not always known before.
            if entry.at.ts >= self.at.ts {
                self.at = entry.at;
            }
        }
        if let Some(last) = entries.last() {
            self.read_to = self.read_to.max(last.at.ts);
        }
        Ok(taken)
    }
}
