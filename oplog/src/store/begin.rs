//! Beginning a chain: the first, or one behind a resync or a rollback.

use super::refs::{ChainNumber, Tip};
use super::{Result, SliceStore, StoreError};
use crate::slice::Link;
use tidemark_blockstore::{Error, Expect, NewRef, RefChange, Session};

impl SliceStore {
    /// Begins the first chain after `at`. Durable when it returns. Asking again for the same is answered
    /// alike, as long as that chain is the present one.
    ///
    /// # Errors
    /// [`StoreError::OtherChain`] if there is one that began elsewhere; failures of the store, after which
    /// the caller opens a new session and asks again.
    pub fn start(&self, session: &Session, at: Link) -> Result<Tip> {
        if let Some(tip) = self.tip()? {
            return if tip.start == at { Ok(tip) } else { Err(StoreError::OtherChain(Box::new(tip))) };
        }
        self.set_tip(session, self.last_chain()?, at, Expect::Absent)
    }

    /// Begins a new chain after `at`, behind `from`, which is the present one as the caller knows it; its
    /// slices stay until they expire. Durable when it returns. Asking again for the same is answered alike.
    ///
    /// # Errors
    /// [`StoreError::OtherChain`] if the present tip is neither `from` nor the one asked for; failures of
    /// the store, after which the caller opens a new session and asks again.
    pub fn restart(&self, session: &Session, from: &Tip, at: Link) -> Result<Tip> {
        let (tip, version) = self.required_tip()?;
        if tip != *from {
            let done = from.chain.0.checked_add(1) == Some(tip.chain.0) && tip.start == at;
            return if done { Ok(tip) } else { Err(StoreError::OtherChain(Box::new(tip))) };
        }
        self.set_tip(session, from.chain, at, Expect::Version(version))
    }

    /// The beginning of a chain after `at`, behind whatever is there now, and the change that makes it so: for a publish
    /// together with others.
    pub(super) fn beginning(&self, at: Link) -> Result<(Tip, RefChange)> {
        let (last, expect) = match self.versioned_tip()? {
            Some((tip, version)) => (tip.chain, Expect::Version(version)),
            None => (self.last_chain()?, Expect::Absent),
        };
        let tip = Tip { chain: last.next(), start: at, link: at };
        let set = Some(NewRef { roots: Vec::new(), value: tip.encode() });
        Ok((tip, RefChange { name: self.names.tip(), expect, set }))
    }

    /// The last chain that slices are left of, where there is no tip: there are some if somebody has removed the tip,
    /// and then their chains' numbers are used up.
    fn last_chain(&self) -> Result<ChainNumber> {
        Ok(self.list(&self.names.slices())?.last().map_or(ChainNumber(0), |(stored, _)| stored.chain))
    }

    /// Sets the tip to the beginning of the chain after number `last`.
    fn set_tip(&self, session: &Session, last: ChainNumber, at: Link, expect: Expect) -> Result<Tip> {
        let tip = Tip { chain: last.next(), start: at, link: at };
        let set = Some(NewRef { roots: Vec::new(), value: tip.encode() });
        match session.publish(&[RefChange { name: self.names.tip(), expect, set }]) {
            Ok(_) => Ok(tip),
            Err(Error::RefConflict { .. }) => match self.tip()? {
                Some(other) if other == tip => Ok(tip),
                Some(other) => Err(StoreError::OtherChain(Box::new(other))),
                None => Err(StoreError::Contended { prefix: self.names.prefix.clone() }),
            },
            Err(error) => Err(error.into()),
        }
    }
}
