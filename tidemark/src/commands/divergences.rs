//! Divergences as they are collected and shown: operations that did not fit the data they met.

use serde::Serialize;
use std::fmt;

/// Most that are kept and shown; all are counted.
const MOST_SHOWN: usize = 100;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Divergences {
    pub(super) count: u64,
    /// Of these, those that were met before, and told then.
    earlier: u64,
    /// The first of the others.
    shown: Vec<String>,
}

impl Divergences {
    pub(super) fn add(&mut self, found: &tidemark_head::Divergences) {
        self.count += found.diverged().operations;
        let room = MOST_SHOWN - self.shown.len();
        self.shown.extend(found.iter().take(room).map(ToString::to_string));
    }

    /// What the state knows of from before.
    pub(super) fn add_earlier(&mut self, operations: u64) {
        self.count += operations;
        self.earlier += operations;
    }
}

impl fmt::Display for Divergences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return Ok(());
        }
        writeln!(f, "{} operations do not fit the data: it is no longer that of its source", self.count)?;
        self.shown.iter().try_for_each(|it| writeln!(f, "  {it}"))?;
        if self.earlier > 0 {
            writeln!(f, "  {} were met before, and told then", self.earlier)?;
        }
        match self.count.saturating_sub(self.earlier + self.shown.len() as u64) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }
}
