//! Disks that refuse: one with a switch for refusing all changes, one that fails the n-th change.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use tidemark_blockstore::disk::{CommitPoint, Disk, DiskFile, DiskRead, OsDisk, SyncSite};

/// Decides whether a change is refused.
trait Gate: Send + Sync {
    fn pass(&self) -> io::Result<()>;
}

/// Nothing is refused.
struct Open;

impl Gate for Open {
    fn pass(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that asks a gate before each change, and another before each commit of the index.
struct Gated {
    changes: Arc<dyn Gate>,
    commits: Arc<dyn Gate>,
}

impl Disk for Gated {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.changes.pass()?;
        Ok(Box::new(GatedFile(Arc::clone(&self.changes), OsDisk.create(path)?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.changes.pass()?;
        Ok(Box::new(GatedFile(Arc::clone(&self.changes), OsDisk.open_write(path)?)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskRead>> {
        OsDisk.open_read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changes.pass()?;
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // Removing what is not there is no change.
        if path.exists() {
            self.changes.pass()?;
        }
        OsDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path, site: SyncSite) -> io::Result<()> {
        self.changes.pass()?;
        OsDisk.sync_dir(dir, site)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        OsDisk.list(dir)
    }

    fn commit_point(&self, point: CommitPoint) -> io::Result<()> {
        if point == CommitPoint::Before { self.commits.pass() } else { Ok(()) }
    }
}

struct GatedFile(Arc<dyn Gate>, Box<dyn DiskFile>);

impl DiskFile for GatedFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.pass()?;
        self.1.write_at(offset, bytes)
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.0.pass()?;
        self.1.set_len(len_bytes)
    }

    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        self.0.pass()?;
        self.1.sync(site)
    }
}

/// A switch: every change fails with this number of the operating system; 0 lets all pass.
#[derive(Debug, Default)]
pub(crate) struct Refusal(AtomicI32);

impl Refusal {
    pub(crate) fn disk(self: &Arc<Self>) -> Arc<dyn Disk> {
        let gate: Arc<dyn Gate> = Arc::<Self>::clone(self);
        Arc::new(Gated { changes: Arc::clone(&gate), commits: gate })
    }

    /// A disk on which only commits of the index fail.
    pub(crate) fn failing_commits(self: &Arc<Self>) -> Arc<dyn Disk> {
        Arc::new(Gated { changes: Arc::new(Open), commits: Arc::<Self>::clone(self) })
    }

    pub(crate) fn set(&self, errno: i32) {
        self.0.store(errno, Ordering::SeqCst);
    }
}

impl Gate for Refusal {
    fn pass(&self) -> io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// The n-th change and all later ones fail, as when somebody pulls the disk out.
#[derive(Debug)]
pub(crate) struct Breaking {
    left: AtomicU32,
}

impl Breaking {
    /// So many changes succeed.
    pub(crate) fn after(changes: u32) -> Arc<Self> {
        Arc::new(Self { left: AtomicU32::new(changes) })
    }

    pub(crate) fn disk(self: &Arc<Self>) -> Arc<dyn Disk> {
        let gate: Arc<dyn Gate> = Arc::<Self>::clone(self);
        Arc::new(Gated { changes: Arc::clone(&gate), commits: gate })
    }
}

impl Gate for Breaking {
    fn pass(&self) -> io::Result<()> {
        let take = |left: u32| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("the disk is gone")),
        }
    }
}
