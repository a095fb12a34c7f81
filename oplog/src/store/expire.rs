//! Removing slices that nobody needs any more.
//!
//! Which those are is the caller's decision (`docs/ordering.md`); here only refs go, oldest first, so that
//! whatever stops it what stays of a chain is one stretch. The blocks go with the next collection.
//!
//! What always holds: the slice that the tip stands for is there. The tip is read before the slices, and only
//! what was behind it then may go. Tips move forward only, so what is listed later cannot be mistaken: neither
//! a slice that was appended meanwhile nor one of a chain that was begun meanwhile.

use super::{ATTEMPTS, Result, SliceStore, StoreError, Stored, Tip};
use tidemark_base::Timestamp;
use tidemark_base::limits::MAX_PUBLISH_CHANGES;
use tidemark_blockstore::{Error, Expect, RefChange, RefVersion, Session};

impl SliceStore {
    /// Removes the slices, of all chains, that end at or before `before`, but never the last of the present
    /// chain, and none that was appended since this began. Returns how many went. The rest still knows what it
    /// follows.
    ///
    /// # Errors
    /// [`StoreError::Contended`] if others expire at the same time again and again; failures of the store:
    /// the oldest may be gone, and the caller opens a new session and asks again.
    pub fn expire(&self, session: &Session, before: Timestamp) -> Result<usize> {
        let mut gone = 0;
        for _ in 0..ATTEMPTS {
            let expired = self.expired(before)?;
            match self.remove(session, &expired, &mut gone) {
                Err(StoreError::Blocks(error)) if matches!(*error, Error::RefConflict { .. }) => {}
                outcome => return outcome.map(|()| gone),
            }
        }
        Err(StoreError::Contended { prefix: self.names.prefix.clone() })
    }

    /// Names and versions of the refs that may go, oldest first.
    fn expired(&self, before: Timestamp) -> Result<Vec<(String, RefVersion)>> {
        let Some(tip) = self.tip()? else { return Ok(Vec::new()) };
        let may_go = |(stored, version): (Stored, RefVersion)| {
            let goes = stored.header.last.ts <= before && is_behind(&tip, &stored);
            goes.then(|| (self.names.slice(stored.chain, stored.header.first.ts), version))
        };
        Ok(self.list(&self.names.slices())?.into_iter().filter_map(may_go).collect())
    }

    fn remove(&self, session: &Session, expired: &[(String, RefVersion)], gone: &mut usize) -> Result<()> {
        for batch in expired.chunks(MAX_PUBLISH_CHANGES) {
            let change = |(name, version): &(String, RefVersion)| RefChange {
                name: name.clone(),
                expect: Expect::Version(*version),
                set: None,
            };
            session.publish(&batch.iter().map(change).collect::<Vec<_>>())?;
            *gone += batch.len();
        }
        Ok(())
    }
}

/// Whether a slice was there when this was the tip, and is not the one that the tip stands for.
fn is_behind(tip: &Tip, stored: &Stored) -> bool {
    stored.chain < tip.chain || (stored.chain == tip.chain && stored.header.last.ts < tip.link.at.ts)
}
