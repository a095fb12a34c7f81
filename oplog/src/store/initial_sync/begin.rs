//! Beginning and ending a sync, and removing what is left of those that are over.

use super::refs::{Names, SyncState};
use super::{ATTEMPTS, Result, SyncStore, SyncStoreError};
use crate::slice::Link;
use crate::store::{SliceStore, Tip};
use tidemark_base::limits::MAX_PUBLISH_CHANGES;
use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::{Error, Expect, NewRef, RefChange, Session};

impl SyncStore {
    /// Begins a sync behind `last`, which is the last one as the caller knows it, at a position of the source's
    /// oplog. What was kept of `last` counts no more. Durable when it returns. Asking again for the same is answered
    /// alike, until it has ended.
    ///
    /// # Errors
    /// [`SyncStoreError::OtherSync`] if another one was begun meanwhile; failures of the store, after which the
    /// caller opens a new session and asks again.
    pub fn begin(&self, session: &Session, last: Option<u32>, at: OpTime) -> Result<SyncState> {
        let state = after(last, at);
        for _ in 0..ATTEMPTS {
            let Some(expect) = self.to_begin(last, state)? else { return Ok(state) };
            if publish(session, &[self.state_change(state, expect)])? {
                return Ok(state);
            }
        }
        Err(self.contended())
    }

    /// Begins a sync as [`Self::begin`] does, and in the same publish the chain of oplog that goes with it, after the
    /// same position: there is never a copy whose oplog begins elsewhere. Asking again for the same begins nothing, and
    /// is answered with the tip as it is now.
    ///
    /// # Errors
    /// As [`Self::begin`]; [`SyncStoreError::Log`] if the tip is damaged.
    pub fn begin_with_log(
        &self,
        session: &Session,
        slices: &SliceStore,
        last: Option<u32>,
        at: OpTime,
    ) -> Result<(SyncState, Tip)> {
        let state = after(last, at);
        for _ in 0..ATTEMPTS {
            let Some(expect) = self.to_begin(last, state)? else {
                // Begun by one publish, so there is a tip, unless somebody has removed it.
                let tip = slices.tip()?;
                return tip.map(|tip| (state, tip)).ok_or_else(|| self.contended());
            };
            let (tip, moved) = slices.beginning(Link::genesis(at))?;
            if publish(session, &[self.state_change(state, expect), moved])? {
                return Ok((state, tip));
            }
        }
        Err(self.contended())
    }

    /// What must be there for `state` to begin behind `last`; none if it has begun.
    fn to_begin(&self, last: Option<u32>, state: SyncState) -> Result<Option<Expect>> {
        match self.versioned_state()? {
            Some((found, _)) if found == state => Ok(None),
            Some((found, version)) if Some(found.number) == last => Ok(Some(Expect::Version(version))),
            Some((found, _)) => Err(SyncStoreError::OtherSync { asked: state.number, found }),
            None if last.is_none() => Ok(Some(Expect::Absent)),
            None => Err(SyncStoreError::NoSync { prefix: self.names.prefix.clone() }),
        }
    }

    /// Ends a sync: every collection is copied, and none of the copies has seen an entry behind `until`. Durable when
    /// it returns. Asking again for the same is answered alike.
    ///
    /// # Errors
    /// [`SyncStoreError::NotDone`]; [`SyncStoreError::OtherSync`], [`SyncStoreError::NoSync`]; failures of the
    /// store, after which the caller opens a new session and asks again.
    pub fn end(&self, session: &Session, sync: u32, until: Timestamp) -> Result<SyncState> {
        let ended = |state: &SyncState| state.number == sync && state.until == Some(until);
        for _ in 0..ATTEMPTS {
            if let Some(state) = self.state()?.filter(ended) {
                return Ok(state);
            }
            let (state, version) = self.under_way(sync)?;
            let collections = self.list_progress(sync)?;
            if let Some((uuid, _)) = collections.into_iter().find(|(_, kept)| !kept.progress.is_done) {
                return Err(SyncStoreError::NotDone { sync, uuid });
            }
            let state = SyncState { until: Some(until), ..state };
            if publish(session, &[self.state_change(state, Expect::Version(version))])? {
                return Ok(state);
            }
        }
        Err(self.contended())
    }

    pub(super) fn state_change(&self, state: SyncState, expect: Expect) -> RefChange {
        let set = Some(NewRef { roots: Vec::new(), value: state.encode() });
        RefChange { name: self.names.state(), expect, set }
    }

    /// Removes what was kept of all syncs up to `sync`, inclusive, and returns how many refs went. For the last one
    /// only once a head was built of it, or nobody wants it.
    ///
    /// # Errors
    /// Failures of the store: some may be gone, and the caller opens a new session and asks again.
    pub fn remove(&self, session: &Session, sync: u32) -> Result<usize> {
        let mut gone = 0;
        for under in self.names.of_all() {
            let found = self.store.list_refs(&under)?;
            let old = found
                .into_iter()
                .filter(|(name, _)| Names::sync_of(name, &under).is_some_and(|number| number <= sync));
            let changes: Vec<_> = old
                .map(|(name, found)| RefChange { name, expect: Expect::Version(found.version), set: None })
                .collect();
            for batch in changes.chunks(MAX_PUBLISH_CHANGES) {
                session.publish(batch)?;
                gone += batch.len();
            }
        }
        Ok(gone)
    }
}

/// A sync that begins behind `last`.
fn after(last: Option<u32>, begin: OpTime) -> SyncState {
    let number = last.map_or(Some(1), |last| last.checked_add(1));
    SyncState { number: number.expect("nobody begins four thousand million syncs"), begin, until: None }
}

/// All changes or none; whether it was all, or somebody else was faster. A publish syncs what its session put before
/// it begins.
pub(super) fn publish(session: &Session, changes: &[RefChange]) -> Result<bool> {
    match session.publish(changes) {
        Ok(_) => Ok(true),
        Err(Error::RefConflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
