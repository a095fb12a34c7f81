//! How much room the disk of the blockstore has, and how much of it is kept.
//!
//! Snapshots and compaction pause first, then uploads are refused, and what is left is for deleting.

use std::path::{Path, PathBuf};
use tidemark_daemon::Room;
use tidemark_frontend::ingest::Space;

/// With less than this, in bytes, no snapshot is taken and nothing compacted.
const DAEMON_BYTES: u64 = 2 << 30;
/// With less than this, in bytes, uploads are refused.
const UPLOADS_BYTES: u64 = 512 << 20;

pub(super) fn for_daemon(folder: &Path) -> Room {
    let folder = folder.to_owned();
    Room::new(move || free_bytes(&folder), DAEMON_BYTES)
}

pub(super) fn for_uploads(folder: &Path) -> Space {
    let folder: PathBuf = folder.to_owned();
    Space { free: Box::new(move || free_bytes(&folder)), floor_bytes: UPLOADS_BYTES }
}

/// What who is not root may still use.
fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_some_room_here_and_none_is_known_of_nowhere() {
        assert!(super::free_bytes(&std::env::temp_dir()).is_some_and(|it| it > 0));
        assert_eq!(super::free_bytes("/nowhere/at/all".as_ref()), None);
    }
}
