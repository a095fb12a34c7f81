//! Keeping a batch: checked, stored, made durable, and only then made part of its scan.

use super::begin::publish;
use super::description;
use super::progress::{self, MAX_NODE_BYTES, MAX_TOKEN_BYTES, Progress, Resume};
use super::{ATTEMPTS, Result, SyncStore, SyncStoreError};
use crate::catalog::Collection;
use crate::initial_sync::{BatchHeader, BatchId, BatchReader};
use std::cmp::Ordering;
use tidemark_base::{BlockId, CollectionUuid};
use tidemark_blockstore::{BlockRef, Expect, NewRef, RefChange, Session};

/// A batch is durable in the store, and part of its scan: its sender may forget it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is now.
    Now(Progress),
    /// It was before: a resend.
    Before(Progress),
}

impl Kept {
    /// How far its collection is.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        match self {
            Self::Now(progress) | Self::Before(progress) => progress,
        }
    }
}

impl SyncStore {
    /// Makes a collection part of a sync that is under way. One that is part of it stays as it was described first:
    /// what has changed since is in the oplog. Durable when it returns.
    ///
    /// # Errors
    /// [`SyncStoreError::BadDescription`]; [`SyncStoreError::NoSync`], [`SyncStoreError::OtherSync`]; failures of
    /// the store, after which the caller opens a new session and asks again.
    pub fn describe(
        &self,
        session: &Session,
        sync: u32,
        uuid: CollectionUuid,
        collection: &Collection,
    ) -> Result<Progress> {
        let described = description::encode(collection);
        let described = described.map_err(|problem| SyncStoreError::BadDescription { uuid, problem })?;
        for _ in 0..ATTEMPTS {
            let (state, version) = self.under_way(sync)?;
            if let Some(kept) = self.progress_of(sync, uuid)? {
                return Ok(kept.progress);
            }
            let block = put(session, &described)?;
            let change = self.change(sync, uuid, Expect::Absent, block, &Progress::BEGIN);
            // So that the sync cannot end meanwhile, without this collection.
            let under_way = self.state_change(state, Expect::Version(version));
            if publish(session, &[change, under_way])? {
                return Ok(Progress::BEGIN);
            }
        }
        Err(self.contended())
    }

    /// Keeps a batch. When it returns `Ok`, the batch is durable and part of its scan; one that is there already,
    /// just so, is answered alike, however often it is sent. `resume` is where the scan may be gone on with behind
    /// it.
    ///
    /// # Errors
    /// [`SyncStoreError::Given`] if it is not sound. [`SyncStoreError::Refused`] with the one that is expected,
    /// [`SyncStoreError::Ended`], [`SyncStoreError::OtherSync`], [`SyncStoreError::NoSync`],
    /// [`SyncStoreError::NoCollection`]: nothing was stored. [`SyncStoreError::Contended`] after many lost races.
    /// Failures of the store: the batch may be kept or not, and the caller opens a new session and sends it again.
    pub fn append(&self, session: &Session, batch: &[u8], resume: Option<&Resume>) -> Result<Kept> {
        let reader = BatchReader::open(batch).map_err(SyncStoreError::Given)?;
        reader.decode(&mut Vec::new()).map_err(SyncStoreError::Given)?;
        let header = reader.header();
        check_resume(header.id, resume)?;
        let BatchId { sync, collection, .. } = header.id;
        let mut block = None;
        for _ in 0..ATTEMPTS {
            self.under_way(sync)?;
            let known = self.required(sync, collection)?;
            match self.judge(header, &known.progress)? {
                Judgement::Appends => {}
                Judgement::IsThere => return Ok(Kept::Before(known.progress)),
            }
            // Only now, so that what is refused leaves no garbage.
            let block = match block {
                Some(block) => block,
                None => *block.insert(put(session, batch)?),
            };
            let after = Progress {
                next: known.progress.next.saturating_add(1),
                documents: known.progress.documents.saturating_add(header.documents.into()),
                bytes: known.progress.bytes.saturating_add(header.plain_len.into()),
                resume: resume.cloned(),
                ..known.progress
            };
            let kept = RefChange {
                name: self.names.batch(header.id),
                expect: Expect::Absent,
                set: Some(NewRef { roots: vec![block], value: header.encode() }),
            };
            let moved =
                self.change(sync, collection, Expect::Version(known.version), known.description, &after);
            if publish(session, &[kept, moved])? {
                return Ok(Kept::Now(after));
            }
        }
        Err(self.contended())
    }

    /// How a batch stands to what was kept of its collection.
    fn judge(&self, header: &BatchHeader, progress: &Progress) -> Result<Judgement> {
        let id = header.id;
        let refused = || {
            let expected = BatchId { scan: progress.scan, number: progress.next, ..id };
            Err(SyncStoreError::Refused { id, expected })
        };
        match (id.scan, id.number).cmp(&(progress.scan, progress.next)) {
            Ordering::Equal if progress.is_done => Err(SyncStoreError::Ended { id }),
            Ordering::Equal => Ok(Judgement::Appends),
            Ordering::Less if id.scan == progress.scan => match self.batch(id)? {
                Some(stored) if stored.header.digest == header.digest => Ok(Judgement::IsThere),
                _ => refused(),
            },
            _ => refused(),
        }
    }

    /// Begins a collection's next scan, after `scan`: when it cannot be gone on with. Batches of earlier scans stay,
    /// and count less. Asking again for the same is answered alike, until something is sent of the new one.
    ///
    /// # Errors
    /// As [`Self::append`]; [`SyncStoreError::Refused`] if another scan is under way.
    pub fn rescan(&self, session: &Session, sync: u32, uuid: CollectionUuid, scan: u32) -> Result<Progress> {
        let is_so = |progress: &Progress| {
            progress.scan.checked_sub(1) == Some(scan) && progress.next == 0 && !progress.is_done
        };
        let step = |progress: &Progress| {
            let scan = progress.scan.saturating_add(1);
            Progress { scan, next: 0, is_done: false, resume: None, ..progress.clone() }
        };
        let id = BatchId { sync, collection: uuid, scan, number: 0 };
        self.step(session, id, is_so, |progress| (progress.scan == scan).then(|| step(progress)))
    }

    /// Notes that a scan has come to its end behind its batch `next` less one. Asking again is answered alike.
    ///
    /// # Errors
    /// As [`Self::append`]; [`SyncStoreError::Refused`] if another batch is expected.
    pub fn end_scan(&self, session: &Session, next: BatchId) -> Result<Progress> {
        let is_here = |progress: &Progress| (progress.scan, progress.next) == (next.scan, next.number);
        let is_so = |progress: &Progress| is_here(progress) && progress.is_done;
        let step = |progress: &Progress| Progress { is_done: true, resume: None, ..progress.clone() };
        self.step(session, next, is_so, |progress| is_here(progress).then(|| step(progress)))
    }

    /// Changes a collection's progress, unless it is so already.
    fn step(
        &self,
        session: &Session,
        id: BatchId,
        is_so: impl Fn(&Progress) -> bool,
        step: impl Fn(&Progress) -> Option<Progress>,
    ) -> Result<Progress> {
        let BatchId { sync, collection, .. } = id;
        for _ in 0..ATTEMPTS {
            self.under_way(sync)?;
            let known = self.required(sync, collection)?;
            if is_so(&known.progress) {
                return Ok(known.progress);
            }
            let Some(after) = step(&known.progress) else {
                let expected = BatchId { scan: known.progress.scan, number: known.progress.next, ..id };
                return Err(SyncStoreError::Refused { id, expected });
            };
            let change =
                self.change(sync, collection, Expect::Version(known.version), known.description, &after);
            if publish(session, &[change])? {
                return Ok(after);
            }
        }
        Err(self.contended())
    }

    /// How far a collection is, which must be part of the sync.
    fn required(&self, sync: u32, uuid: CollectionUuid) -> Result<progress::Kept> {
        self.progress_of(sync, uuid)?.ok_or(SyncStoreError::NoCollection { sync, uuid })
    }

    fn change(
        &self,
        sync: u32,
        uuid: CollectionUuid,
        expect: Expect,
        description: BlockId,
        progress: &Progress,
    ) -> RefChange {
        let set = Some(NewRef { roots: vec![description], value: progress.encode() });
        RefChange { name: self.names.collection(sync, uuid), expect, set }
    }

    pub(super) fn contended(&self) -> SyncStoreError {
        SyncStoreError::Contended { prefix: self.names.prefix.clone() }
    }
}

/// How a batch stands to what was kept.
enum Judgement {
    Appends,
    IsThere,
}

fn check_resume(id: BatchId, resume: Option<&Resume>) -> Result<()> {
    let Some(Resume { node, token }) = resume else { return Ok(()) };
    for (len, limit) in [(node.len(), MAX_NODE_BYTES), (token.len(), MAX_TOKEN_BYTES)] {
        if len > limit {
            return Err(SyncStoreError::LongResume { uuid: id.collection, len, limit });
        }
    }
    Ok(())
}

fn put(session: &Session, bytes: &[u8]) -> Result<BlockId> {
    let named = session.put(&[BlockRef::leaf(bytes)])?;
    Ok(named.first().copied().expect("one name for one block"))
}
