//! Which oplog is still needed: to follow, and to restore any second of the window.
//!
//! A slice may go only if it ends at or before both where the head's root goes on from and where the newest kept root at
//! or before the start of the window does. Without such a root nothing goes: the window is as long as it has to be.

use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_base::{ErrorKind, Timestamp, UnixMillis};
use tidemark_head::head::{look_up, stands_on_line};
use tidemark_head::root::Root;
use tidemark_head::{HeadError, snapshot};
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
    let mut kept = vec![head];
    for (id, snapshot) in snapshot::list(store, &place.name)?.into_iter().filter(|(_, it)| !it.is_dead_branch)
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

/// The first moment of the window.
fn window_start(now: UnixMillis, backup: &BackupConfig) -> Timestamp {
    let start = now.0.saturating_sub(u64::from(backup.pitr_window_hours) * HOUR_MS) / 1000;
    Timestamp { secs: u32::try_from(start).unwrap_or(u32::MAX), ordinal: 0 }
}

/// Up to where slices may go; none if none may.
fn border(head: Kept, kept: &[Kept], window_start: Timestamp) -> Option<Timestamp> {
    let newest = kept.iter().filter(|it| it.at <= window_start).max_by_key(|it| it.at)?;
    Some(newest.goes_on_from.min(head.goes_on_from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(at: u32) -> Kept {
        let ts = |secs| Timestamp { secs, ordinal: 0 };
        Kept { at: ts(at), goes_on_from: ts(at - 1) }
    }

    #[test]
    fn what_the_window_the_head_or_its_newest_root_needs_stays() {
        let secs = |border: Option<Timestamp>| border.map(|it| it.secs);
        let at = |secs| Timestamp { secs, ordinal: 0 };
        let head = kept(100);
        assert_eq!(secs(border(head, &[head, kept(40), kept(60)], at(70))), Some(59));
        assert_eq!(secs(border(head, &[head, kept(40), kept(60)], at(59))), Some(39));
        assert_eq!(secs(border(head, &[head, kept(40)], at(30))), None, "nothing is older than the window");
        assert_eq!(secs(border(head, &[head], at(200))), Some(99), "the head lags, and is the newest root");
        assert_eq!(secs(border(kept(50), &[kept(50), kept(60)], at(70))), Some(49), "the head went back");
    }
}
