//! The open chains: whose they are, and which of them a step goes on with.

use super::chain::{Chain, Problem};
use crate::entry;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use tidemark_base::{OpTime, Timestamp};

/// Chains under their keys, and how many bytes they hold, kept up: nothing goes over all of them.
#[derive(Clone, Debug)]
struct Chains<K> {
    chains: BTreeMap<K, Chain>,
    bytes: usize,
}

impl<K: Ord> Chains<K> {
    fn insert(&mut self, key: K, chain: Chain) {
        self.bytes += chain.bytes();
        let before = self.chains.insert(key, chain);
        self.bytes -= before.map_or(0, |before| before.bytes());
    }

    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<Chain>
    where
        K: Borrow<Q>,
    {
        let chain = self.chains.remove(key)?;
        self.bytes -= chain.bytes();
        Some(chain)
    }
}

impl<K> Default for Chains<K> {
    fn default() -> Self {
        Self { chains: BTreeMap::new(), bytes: 0 }
    }
}

/// All open chains.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    /// By session, whole: a session has one transaction at a time, here or among those prepared.
    sessions: Chains<Box<[u8]>>,
    /// The prepared ones, by session: apart, because they outlast terms.
    prepared: Chains<Box<[u8]>>,
    /// Those without a session, by their last entry.
    loose: Chains<Timestamp>,
}

impl Open {
    pub(super) const fn held_bytes(&self) -> usize {
        self.sessions.bytes + self.prepared.bytes + self.loose.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.chains.len() + self.prepared.chains.len() + self.loose.chains.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chain> {
        let in_sessions = self.sessions.chains.values().chain(self.prepared.chains.values());
        in_sessions.chain(self.loose.chains.values())
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
        match step.session {
            Some(session) if chain.prepared => self.prepared.insert(session.as_bytes().into(), chain),
            Some(session) => self.sessions.insert(session.as_bytes().into(), chain),
            None => self.loose.insert(chain.last().ts, chain),
        }
    }

    /// Forgets what was not prepared: its end can no longer come.
    pub(super) fn end_of_term(&mut self) {
        self.sessions = Chains::default();
        self.loose = Chains::default();
    }

    fn remove(&mut self, step: &entry::Chain<'_>) -> Option<Chain> {
        let Some(session) = step.session else { return self.loose.remove(&step.previous.ts) };
        let session = session.as_bytes();
        self.sessions.remove(session).or_else(|| self.prepared.remove(session))
    }
}
