//! The open chains: whose they are, what they hold, and whether a step goes on with one.

use crate::entry::{self, Entry};
use std::collections::BTreeMap;
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, Timestamp};

/// Why a step does not go on with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Earlier entries are not held: they may lie before what was fetched.
    Missing(String),
    /// The entries contradict each other.
    Wrong(String),
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
    number: i64,
    pub(super) prepared: bool,
    pub(super) parts: Vec<Part>,
}

impl Chain {
    const fn new(number: i64) -> Self {
        Self { number, prepared: false, parts: Vec::new() }
    }

    pub(super) fn push(&mut self, entry: &Entry<'_>, prepared: bool) {
        self.parts.push(Part { at: entry.at, raw: entry.raw.as_bytes().into() });
        self.prepared = prepared;
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (OpTime, Doc<'_>)> {
        self.parts.iter().map(|part| (part.at, part.doc()))
    }

    fn last(&self) -> OpTime {
        self.parts.last().map_or(OpTime::NULL, |part| part.at)
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.raw.len()).sum()
    }

    /// Fails unless the entry before the step is the last one that is held.
    fn check_last(&self, previous: OpTime) -> Result<(), Problem> {
        let last = self.last();
        if last == previous {
            return Ok(());
        }
        Err(Problem::Wrong(format!(
            "the entry before this one is {previous}, but the last one held is {last}"
        )))
    }
}

/// All open chains.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    /// By session, whole: a session has one transaction at a time.
    sessions: BTreeMap<Box<[u8]>, Chain>,
    /// Those without a session, by their last entry.
    loose: BTreeMap<Timestamp, Chain>,
    held_bytes: usize,
}

impl Open {
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chain> {
        self.sessions.values().chain(self.loose.values())
    }

    /// Takes out the chain that a step goes on with; a new one if the step is the first.
    pub(super) fn take(&mut self, step: &entry::Chain<'_>) -> Result<Chain, Problem> {
        let held = self.remove(step);
        let held = match held {
            Some(chain) if chain.number < step.txn_number && chain.prepared => {
                let (old, new) = (chain.number, step.txn_number);
                return Err(Problem::Wrong(format!("its session begins {new} while {old} is prepared")));
            }
            Some(chain) if chain.number > step.txn_number => {
                let (old, new) = (chain.number, step.txn_number);
                return Err(Problem::Wrong(format!("its session is at {old} and goes back to {new}")));
            }
            // Whoever wrote it died before its end.
            Some(chain) if chain.number < step.txn_number => None,
            other => other,
        };
        let Some(chain) = held else {
            return match step.previous {
                OpTime::NULL => Ok(Chain::new(step.txn_number)),
                previous => {
                    Err(Problem::Missing(format!("the entry before this one, {previous}, is not held")))
                }
            };
        };
        chain.check_last(step.previous)?;
        if chain.prepared {
            let last = chain.last();
            return Err(Problem::Wrong(format!("it was prepared at {last} and can only be decided")));
        }
        Ok(chain)
    }

    /// Takes out the prepared chain that a step commits.
    pub(super) fn take_prepared(&mut self, step: &entry::Chain<'_>) -> Result<Chain, Problem> {
        let chain = self.remove(step).filter(|chain| chain.number == step.txn_number).ok_or_else(|| {
            Problem::Missing(format!("it commits what was prepared at {}, which is not held", step.previous))
        })?;
        chain.check_last(step.previous)?;
        if !chain.prepared {
            return Err(Problem::Wrong(format!("it commits what was not prepared, at {}", step.previous)));
        }
        Ok(chain)
    }

    /// Forgets a chain. One that is not known was dropped already, or began before what was fetched.
    pub(super) fn abort(&mut self, step: &entry::Chain<'_>) {
        if let Some(chain) = self.remove(step).filter(|chain| chain.number > step.txn_number) {
            self.put(step, chain);
        }
    }

    /// Puts a chain back, one entry longer.
    pub(super) fn put(&mut self, step: &entry::Chain<'_>, chain: Chain) {
        self.held_bytes += chain.bytes();
        match step.session {
            Some(session) => drop(self.sessions.insert(session.as_bytes().into(), chain)),
            None => drop(self.loose.insert(chain.last().ts, chain)),
        }
    }

    /// Forgets what was not prepared: its end can no longer come.
    pub(super) fn end_of_term(&mut self) {
        self.sessions.retain(|_, chain| chain.prepared);
        self.loose.clear();
        self.held_bytes = self.iter().map(Chain::bytes).sum();
    }

    fn remove(&mut self, step: &entry::Chain<'_>) -> Option<Chain> {
        let chain = match step.session {
            Some(session) => self.sessions.remove(session.as_bytes()),
            None => self.loose.remove(&step.previous.ts),
        }?;
        self.held_bytes -= chain.bytes();
        Some(chain)
    }
}
