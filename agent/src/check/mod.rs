//! `tidemark-agent check`: every problem with its fix, before anything starts.
//!
//! Called by the binary, and by who installs an agent. It asks the server and every replica set what the agent will
//! ask, and goes on after each problem, so that one run finds all. Nothing is written but one note in the oplog, which
//! is what a copy writes at its end.

mod server;
mod set;

use crate::Result;
use crate::config::Config;
use crate::mothership::Mothership;
use std::fmt;

/// Whether an agent can run with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It cannot back up.
    Blocks,
    /// It can, and something may go wrong later.
    Warns,
}

/// Something that is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether an agent can run with it.
    pub weight: Weight,
    /// What it is about: the server, a set, a member.
    pub about: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl Problem {
    fn blocks(about: &str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { weight: Weight::Blocks, about: about.to_owned(), what: what.into(), fix: fix.into() }
    }

    fn warns(about: &str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { weight: Weight::Warns, ..Self::blocks(about, what, fix) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Blocks => "PROBLEM",
            Weight::Warns => "warning",
        };
        write!(f, "{weight}  {}: {}\n         fix: {}", self.about, self.what, self.fix)
    }
}

/// Looks for everything that can be wrong.
///
/// # Errors
/// If the configuration cannot be used at all.
pub async fn check(config: &Config) -> Result<Vec<Problem>> {
    let mothership = Mothership::new(config)?;
    let mut problems = server::check(config, &mothership).await;
    if config.sets.is_empty() {
        problems.push(Problem::warns(
            "configuration",
            "no replica set is named, so the agent waits for one that is set up at the server",
            "put 'replicaSets = name/host:port,host:port' into the file",
        ));
    }
    for set in &config.sets {
        problems.extend(set::check(set).await);
    }
    Ok(problems)
}
