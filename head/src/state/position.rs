//! Where a state stands in the oplog, and where its position comes from.
//!
//! Asked by whoever reads slices to it. A copy whose position nobody knew when it was taken in gets one once,
//! before anything is applied. Positions move only by applying entries otherwise.

use super::State;
use crate::error::{HeadError, Result};
use tidemark_base::{OpTime, Timestamp};
use tidemark_oplog::slice::Link;
use tidemark_oplog::transactions::Assembler;

/// Where a state stands, for whoever reads slices to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last entry that is applied.
    pub at: OpTime,
    /// [`State::taken_in`].
    pub taken_in: Option<Link>,
}

impl State {
    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { at: self.at, taken_in: self.taken_in() }
    }

    /// Whether it stands nowhere yet: what it holds was copied, and nobody has said at which position.
    #[must_use]
    pub fn has_no_position(&self) -> bool {
        self.at.ts == Timestamp::ZERO && self.read_to == Timestamp::ZERO
    }

    /// All entries up to here were taken in: applied, or held for a transaction that is open.
    #[must_use]
    pub const fn read_to(&self) -> Timestamp {
        self.read_to
    }

    /// The end of the slices that were taken in. None if no entry was taken in at all: then a chain is read
    /// from its start, and what lies before the position only feeds transactions that are open there.
    #[must_use]
    pub fn taken_in(&self) -> Option<Link> {
        (self.read_to > Timestamp::ZERO).then_some(self.link)
    }

    /// Says where a copy without a position stands: entries after `at` are applied to it, those up to it may
    /// be fed in for the sake of transactions that are open there.
    ///
    /// # Errors
    /// [`HeadError::HasPosition`].
    pub fn set_position(&mut self, at: OpTime) -> Result<()> {
        if !self.has_no_position() {
            return Err(HeadError::HasPosition { at: self.at, asked: at.ts });
        }
        self.at = at;
        self.link = Link::genesis(at);
        self.assembler = Assembler::new(at.ts);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_oplog::filter::Filter;

    #[test]
    fn a_position_is_given_once() {
        let at = |secs| OpTime { ts: Timestamp { secs, ordinal: 1 }, term: OpTime::NO_TERM };
        let mut state = State::empty(OpTime::NULL, Filter::default());
        assert!(state.has_no_position());
        state.set_position(at(10)).unwrap();
        assert_eq!((state.at(), state.link(), state.taken_in()), (at(10), Link::genesis(at(10)), None));
        let again = state.set_position(at(11));
        assert!(matches!(again, Err(HeadError::HasPosition { .. })), "{again:?}");
        assert_eq!(state.at(), at(10));
    }
}
