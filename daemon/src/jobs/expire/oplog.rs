//! Which oplog is still needed: to follow, and to restore any second of the window.
//!
//! A second is restored from the nearest root at or before it, and the slices from there on. So what the window needs
//! begins with the newest snapshot at or before its start: from where that one goes on, every slice is needed, and none
//! before it. That snapshot stays as long as it opens the window (`metadata`'s retention sees to that), and so snapshots
//! alone keep oplog, if they stay and can be gone on from: not the branches that the source left, not what is damaged or
//! was never read whole, and not those whose deletion was ordered. The head's own root keeps none: it moves on with the next flush, and what
//! could be restored from it alone would be lost. It is a bound only: what comes after it was not taken in yet, and never
//! goes.
//!
//! Without a snapshot that old nothing goes: the window is as long as it has to be.

use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::{ErrorKind, Timestamp, UnixMillis};
use tidemark_head::HeadError;
use tidemark_head::head::{look_up, stands_on_line};
use tidemark_head::root::Root;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_metadata::BackupConfig;

const HOUR_MS: u64 = 3_600_000;

/// Where a root stands, and where the oplog is read on from it.
#[derive(Clone, Copy, Debug)]
struct Kept {
    at: Timestamp,
    goes_on_from: Timestamp,
}

impl Kept {
    fn of(root: &Root) -> Self {
        // A copy that has taken nothing in reads all there is.
        let is_copy = root.read_to == Timestamp::ZERO;
        let goes_on_from = if is_copy { Timestamp::ZERO } else { root.link.at.ts };
        Self { at: root.at.ts, goes_on_from }
    }
}

pub(super) fn expire(work: &Work, place: &Place, backup: &BackupConfig) -> Result<()> {
    let store = &work.shared.store;
    // The head first: it only moves on, and what a later root needs less is let go the next time.
    let head = match look_up(store, &place.name) {
        Err(HeadError::NoHead { .. }) => return Ok(()),
        found => Kept::of(&Root::read(store, found?.root)?),
    };
    let mut kept = Vec::new();
    for (id, snapshot) in
        snapshot::list(store, &place.name)?.into_iter().filter(|(id, it)| stays(backup, *id, it))
    {
        match Root::read(store, snapshot.root) {
            Ok(root) => kept.push(Kept::of(&root)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tracing::debug!(snapshot = id, "deleted meanwhile");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
    // The source was rolled back, or is being copied anew: by the old head's place nothing can be told of the new oplog.
    if !stands_on_line(store, &place.name)? {
        return Ok(());
    }
    let Some(before) = border(head, &kept, window_start(work.now(), backup)) else { return Ok(()) };
    let gone = place.name.slices(store).expire(&store.session(&[])?, before)?;
    if gone > 0 {
        tracing::info!(head = place.name.prefix(), slices = gone, %before, "oplog expired");
    }
    Ok(())
}

/// Whether a snapshot can be relied on instead of what came before it.
fn stays(backup: &BackupConfig, id: u64, it: &Snapshot) -> bool {
    it.is_live() && it.proven.is_some() && backup.deletion_of(&format!("{id:016x}")).is_none()
}

/// The first moment of the window.
fn window_start(now: UnixMillis, backup: &BackupConfig) -> Timestamp {
    let start = now.0.saturating_sub(u64::from(backup.pitr_window_hours) * HOUR_MS) / 1000;
    Timestamp { secs: u32::try_from(start).unwrap_or(u32::MAX), ordinal: 0 }
}

/// Up to where slices may go, by where the head stands and what is kept; none if none may.
fn border(head: Kept, kept: &[Kept], window_start: Timestamp) -> Option<Timestamp> {
    let newest = kept.iter().filter(|it| it.at <= window_start).max_by_key(|it| it.at)?;
    Some(newest.goes_on_from.min(head.goes_on_from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::{BlockId, BlockKind, OpTime};
    use tidemark_blockstore::RefVersion;
    use tidemark_head::Diverged;
    use tidemark_head::snapshot::Proven;
    use tidemark_metadata::{GroupId, ReplicaSetId, SnapshotName, Status};

    fn kept(at: u32) -> Kept {
        let ts = |secs| Timestamp { secs, ordinal: 0 };
        Kept { at: ts(at), goes_on_from: ts(at - 1) }
    }

    #[test]
    fn what_the_window_or_the_head_needs_stays() {
        let secs = |border: Option<Timestamp>| border.map(|it| it.secs);
        let at = |secs| Timestamp { secs, ordinal: 0 };
        let head = kept(100);
        assert_eq!(secs(border(head, &[kept(40), kept(60)], at(70))), Some(59));
        assert_eq!(secs(border(head, &[kept(40), kept(60)], at(60))), Some(59));
        assert_eq!(secs(border(head, &[kept(40), kept(60)], at(59))), Some(39));
        assert_eq!(secs(border(head, &[kept(40)], at(30))), None, "nothing is older than the window");
        assert_eq!(secs(border(kept(50), &[kept(60)], at(70))), Some(49), "the head went back");
    }

    #[test]
    fn no_oplog_goes_for_a_snapshot_that_nobody_has_read() {
        let mut backup = BackupConfig::new(GroupId::from_bytes([1; 12]), ReplicaSetId::from_bytes([2; 12]));
        backup.status = Status::Started;
        let mut snapshot = Snapshot {
            root: BlockId::of(BlockKind::Node, b"root"),
            version: RefVersion(1),
            at: OpTime::NULL,
            taken: UnixMillis(0),
            took_ms: 0,
            is_dead_branch: false,
            is_damaged: false,
            collections: 0,
            run_bytes: 0,
            new_run_bytes: 0,
            diverged: Diverged::NONE,
            proven: None,
        };
        assert!(!stays(&backup, 1, &snapshot));
        snapshot.proven = Some(Proven::default());
        assert!(stays(&backup, 1, &snapshot));
        backup.order_deletion(&SnapshotName::new(format!("{:016x}", 1)).unwrap(), UnixMillis(0)).unwrap();
        assert!(!stays(&backup, 1, &snapshot));
    }

    #[test]
    fn a_head_that_lags_keeps_no_oplog_in_the_place_of_a_snapshot() {
        // The head moves on to 300 with its next flush; then 250 is restored from 40, or not at all.
        let at = |secs| Timestamp { secs, ordinal: 0 };
        let head = kept(100);
        assert_eq!(border(head, &[kept(40)], at(200)).map(|it| it.secs), Some(39));
        assert_eq!(border(head, &[], at(200)), None);
    }
}
