//! Who is using a store: file locks, which the kernel lets go of when a process dies, however it dies.
//!
//! That is all the store knows about liveness: no clocks, no heartbeats, no process ids.

use super::names;
use crate::disk::{DiskRead as _, Folder};
use crate::error::{Error, Result};
use crate::ids::OwnerId;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use tidemark_base::Entropy;

/// Opens or makes a lock file. Lock files are never part of what must survive, so they bypass the model; a
/// copy of a store may come without their folder.
fn open(path: &Path) -> Result<File> {
    let failed = |e| Error::io("opening the lock", path, e);
    let open = || File::options().create(true).truncate(false).write(true).open(path);
    match (open(), path.parent()) {
        (Err(e), Some(folder)) if e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder).map_err(failed)?;
            open().map_err(failed)
        }
        (opened, _) => opened.map_err(failed),
    }
}

fn path(folder: &Folder, name: &str) -> PathBuf {
    folder.root.join(names::LOCKS).join(name)
}

/// What the name of an opening's lock file begins with; its id follows, as 32 hexadecimal digits.
const OWNER: &str = "owner-";

/// The opening that a lock file's name stands for.
fn parse_owner(name: &str) -> Option<OwnerId> {
    let digits = name.strip_prefix(OWNER)?;
    let id = OwnerId(u128::from_str_radix(digits, 16).ok()?.to_be_bytes());
    (id.to_string() == digits).then_some(id)
}

/// A file that is locked as long as this lives. Its end unlocks it rather than only closing it: a process
/// that is being started at this moment has the file open as well, until it becomes another program, and
/// would keep the lock.
pub(super) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // If this fails, closing the file does it a moment later.
        let _ = self.0.unlock();
    }
}

/// The store's lock: shared by all who use it, exclusive for repair.
pub(super) struct StoreLock(#[expect(dead_code, reason = "held, not read")] Locked);

impl StoreLock {
    pub(super) fn shared(folder: &Folder) -> Result<Self> {
        let path = path(folder, "store.lock");
        let file = open(&path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self(Locked(file))),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Busy { path, what: "it is being repaired; wait for that to end" })
            }
            Err(TryLockError::Error(e)) => Err(Error::io("locking", path, e)),
        }
    }

    pub(super) fn exclusive(folder: &Folder) -> Result<Self> {
        let path = path(folder, "store.lock");
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(Locked(file))),
            Err(TryLockError::WouldBlock) => Err(Error::Busy {
                path,
                what: "its index must be rebuilt, which needs the store alone; stop the others first",
            }),
            Err(TryLockError::Error(e)) => Err(Error::io("locking", path, e)),
        }
    }
}

/// The right to collect.
pub(super) fn lock_collection(folder: &Folder) -> Result<Locked> {
    let path = path(folder, "collect.lock");
    let file = open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Locked(file)),
        Err(TryLockError::WouldBlock) => Err(Error::CollectionRunning),
        Err(TryLockError::Error(e)) => Err(Error::io("locking", path, e)),
    }
}

/// This opening of the store: its id, and the lock that proves that it lives.
pub(super) struct OwnerLock {
    id: OwnerId,
    folder: Folder,
    path: PathBuf,
    // Held until dropped.
    _file: Locked,
}

impl OwnerLock {
    pub(super) fn take(folder: &Folder, entropy: &mut dyn Entropy) -> Result<Self> {
        let mut id = [0; 16];
        entropy.fill(&mut id);
        let id = OwnerId(id);
        let path = path(folder, &format!("{OWNER}{id}"));
        loop {
            let file = open(&path)?;
            // Waits at most for one who looks whether this is dead.
            file.lock().map_err(|e| Error::io("locking", &path, e))?;
            // And who, if it came between the two steps, has found that it is.
            if !file.is_removed().map_err(|e| Error::io("locking", &path, e))? {
                return Ok(Self { id, folder: folder.clone(), path, _file: Locked(file) });
            }
        }
    }

    /// Removes the files of openings that are dead. Those that had sessions go when these end; this is for
    /// the others. One that cannot be removed harms nobody.
    pub(super) fn remove_dead(&self) {
        let Ok(entries) = std::fs::read_dir(self.folder.path(names::LOCKS)) else { return };
        for entry in entries.flatten() {
            if let Some(owner) = entry.file_name().to_str().and_then(parse_owner) {
                let _ = self.is_alive(owner);
            }
        }
    }

    pub(super) const fn id(&self) -> OwnerId {
        self.id
    }

    /// Whether the opening with this id still holds its lock. The file of a dead one is removed.
    pub(super) fn is_alive(&self, owner: OwnerId) -> Result<bool> {
        if owner == self.id {
            return Ok(true);
        }
        let path = path(&self.folder, &format!("{OWNER}{owner}"));
        let file = match File::options().write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(Error::io("opening the lock", path, e)),
        };
        match file.try_lock() {
            Ok(()) => {
                // Ids are never reused, so nobody takes this name between the lock and the removal; who has just
                // made the file and waits for the lock makes it again.
                let _ = std::fs::remove_file(&path);
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => Err(Error::io("locking", path, e)),
        }
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // If this fails the file stays behind unlocked, which says the same.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::OsDisk;
    use std::sync::Arc;

    #[test]
    fn a_lock_ends_though_a_process_being_started_has_the_file_open() {
        let dir = tempfile::TempDir::new().unwrap();
        let folder = Folder { root: dir.path().to_owned(), disk: Arc::new(OsDisk) };
        std::fs::create_dir(folder.path(names::LOCKS)).unwrap();
        let guard = lock_collection(&folder).unwrap();
        // As fork does: another descriptor of the same open file.
        let _inherited = guard.0.try_clone().unwrap();
        assert!(matches!(lock_collection(&folder), Err(Error::CollectionRunning)));
        drop(guard);
        assert!(lock_collection(&folder).is_ok());
    }
}
