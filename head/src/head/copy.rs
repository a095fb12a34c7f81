//! What is said of a copy after it was made a head: where it stands, and from when on it is consistent.
//!
//! Said by an operator who imported a copy without knowing either. Durable when the call returns, so that
//! what is applied next is understood alike by whoever opens the head after a crash.

use super::Head;
use crate::error::Result;
use tidemark_base::{OpTime, Timestamp};

impl Head {
    /// Says where the copy stands; only of one that has no position: [`crate::state::State::set_position`].
    ///
    /// # Errors
    /// [`crate::HeadError::HasPosition`]; else as [`Self::flush`].
    pub fn set_position(&mut self, at: OpTime) -> Result<()> {
        self.state.set_position(at)?;
        self.flush().map(drop)
    }

    /// Says that the copy was taken while its source changed: entries up to `until`, inclusive, are applied
    /// tolerantly, and nothing earlier is restored. What was said before is only ever extended.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn extend_fuzzy_until(&mut self, until: Timestamp) -> Result<()> {
        if until <= self.at().ts || self.state.fuzzy_until().is_some_and(|said| said >= until) {
            return Ok(());
        }
        self.state.set_fuzzy_until(Some(until));
        self.flush().map(drop)
    }
}
