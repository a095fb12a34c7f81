//! The first pass over a batch of entries: positions, and transactions up to their commit.
//!
//! What comes out takes effect, whole and in order. It owns the entries of committed transactions, so that the
//! second pass can borrow from them. Changes of single entries, which are most, stay where they were parsed.

use super::State;
use crate::error::Result;
use tidemark_base::OpTime;
use tidemark_oplog::entry::{Body, CommandEntry, Entry, Fuzzy, Operations};
use tidemark_oplog::transactions::{Committed, Outcome};

/// What takes effect, where it stands.
#[derive(Debug)]
pub(super) enum Taken<'e, 'a> {
    Changes(Changes<'e, 'a>),
    Command(OpTime, CommandEntry<'a>),
    Group(OpTime, Operations<'a>),
    Transaction(OpTime, Committed<'a>),
}

/// Entries each of which is a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes<'e, 'a> {
    pub(super) entries: &'e [Entry<'a>],
    /// The number of the piece, if they are all of it.
    pub(super) piece: Option<usize>,
}

impl<'e, 'a> Taken<'e, 'a> {
    /// The entries, if each of them is a change.
    pub(super) const fn changes(&self) -> Option<Changes<'e, 'a>> {
        match self {
            Self::Changes(changes) => Some(*changes),
            _ => None,
        }
    }
}

impl State {
    /// Takes entries in: pieces of a batch.
    pub(super) fn take<'e, 'a>(
        &mut self,
        pieces: &'e [Vec<Entry<'a>>],
        fuzzy: Fuzzy,
    ) -> Result<Vec<Taken<'e, 'a>>> {
        let mut taken = Vec::with_capacity(pieces.len());
        for (piece_number, piece) in pieces.iter().enumerate() {
            // Those that were taken in before are passed over.
            let mut rest = piece.partition_point(|entry| entry.at.ts <= self.read_to)..piece.len();
            while let Some((number, entry)) = rest.next().and_then(|it| Some((it, piece.get(it)?))) {
                let is_applied = entry.at.ts > self.at.ts;
                self.passed(entry);
                match entry.body {
                    Body::Change(_) if is_applied => {
                        let changes = piece.get(number..).unwrap_or_default();
                        let is_change = |entry: &&Entry<'_>| matches!(entry.body, Body::Change(_));
                        let len = changes.iter().take_while(is_change).count();
                        let (changes, _) = changes.split_at(len);
                        changes.iter().for_each(|entry| self.passed(entry));
                        rest.start = number + len;
                        let piece = (len == piece.len()).then_some(piece_number);
                        taken.push(Taken::Changes(Changes { entries: changes, piece }));
                    }
                    Body::Transaction(step) => {
                        if let Outcome::Commit(committed) = self.assembler.step(entry, &step, fuzzy)? {
                            taken.push(Taken::Transaction(entry.at, committed));
                        }
                    }
                    Body::Command(command) if is_applied => taken.push(Taken::Command(entry.at, command)),
                    Body::Group(operations) if is_applied => taken.push(Taken::Group(entry.at, operations)),
                    Body::Change(_) | Body::Command(_) | Body::Group(_) | Body::Nothing => {}
                }
            }
            if let Some(last) = piece.last() {
                self.read_to = self.read_to.max(last.at.ts);
            }
        }
        Ok(taken)
    }

    /// Moves on to an entry.
    fn passed(&mut self, entry: &Entry<'_>) {
        self.assembler.pass(entry.at);
        // That of the position too: of a copy's the term is not always known before.
        if entry.at.ts >= self.at.ts {
            self.at = entry.at;
        }
    }
}
