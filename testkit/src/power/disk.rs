//! The disk as a store sees it: file operations on a [`Machine`], which counts them and decides what fails.

use super::files::{Fate, Ino};
use super::machine::{Account, Machine, State, Trouble};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemark_blockstore::disk::{CommitPoint, Disk, DiskFile, DiskRead, SyncSite};

/// What an operation is, for the model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Change,
    Write,
    Sync,
    Commit,
}

/// The disk as one process sees it.
pub struct SimDisk<A> {
    machine: Arc<Machine<A>>,
    process: usize,
}

impl<A: Account> SimDisk<A> {
    pub(super) const fn new(machine: Arc<Machine<A>>, process: usize) -> Self {
        Self { machine, process }
    }

    fn operate<T>(
        &self,
        kind: Kind,
        what: impl FnOnce() -> String,
        work: impl FnOnce(&mut State<A>, Option<&Trouble>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.machine.state();
        let trouble = state.begin(self.process)?;
        if kind == Kind::Sync {
            // Cut within: nothing of what it should make durable is certain yet.
            state.note(what);
            return match trouble {
                Some(Trouble::Before(e)) => Err(e),
                Some(Trouble::After(e)) => work(&mut state, None).and(Err(e)),
                Some(halfway @ Trouble::Halfway(_)) => {
                    work(&mut state, Some(&halfway)).and(Err(halfway.error()))
                }
                None => work(&mut state, None),
            };
        }
        let outcome = match trouble {
            None => work(&mut state, None),
            // Whether told or not, a commit that has returned has happened.
            Some(trouble) if kind == Kind::Commit => work(&mut state, None).and(Err(trouble.error())),
            Some(Trouble::After(e)) => work(&mut state, None).and(Err(e)),
            Some(halfway @ Trouble::Halfway(_)) if kind == Kind::Write => {
                work(&mut state, Some(&halfway)).and(Err(halfway.error()))
            }
            Some(Trouble::Before(e) | Trouble::Halfway(e)) => Err(e),
        };
        state.note(what);
        outcome
    }
}

/// The fate of what a file's sync covers: a kill does not change it, a bad disk loses it.
fn fate<A: Account>(state: &State<A>, process: usize, trouble: Option<&Trouble>) -> Fate {
    match trouble {
        None => Fate::Durable,
        Some(_) if state.is_dead(process) => Fate::Unsynced,
        Some(_) => Fate::Lost,
    }
}

impl<A: Account> Disk for SimDisk<A> {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let ino = self.operate(
            Kind::Change,
            || format!("create {}", path.display()),
            |state, _| state.files.create(path),
        )?;
        let (machine, process) = (Arc::clone(&self.machine), self.process);
        Ok(Box::new(SimFile { disk: Self { machine, process }, ino, path: path.into() }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.machine.state();
        state.alive(self.process)?;
        let ino = state.files.find(path)?;
        drop(state);
        let (machine, process) = (Arc::clone(&self.machine), self.process);
        Ok(Box::new(SimFile { disk: Self { machine, process }, ino, path: path.into() }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskRead>> {
        let state = self.machine.state();
        state.alive(self.process)?;
        let ino = state.files.find(path)?;
        drop(state);
        let disk = Self { machine: Arc::clone(&self.machine), process: self.process };
        Ok(Arc::new(SimRead { disk, ino }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let what = || format!("rename {} to {}", from.display(), to.display());
        self.operate(Kind::Change, what, |state, _| state.files.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // Removing what is not there changes nothing and is no point to cut at.
        self.machine.state().files.find(path)?;
        let what = || format!("remove {}", path.display());
        self.operate(Kind::Change, what, |state, _| state.files.remove(path))
    }

    fn sync_dir(&self, dir: &Path, site: SyncSite) -> io::Result<()> {
        let what = || format!("sync {site:?} of {}", dir.display());
        self.operate(Kind::Sync, what, |state, trouble| {
            // A failed one changes nothing: names are journalled, and a journal that cannot be written takes
            // no later sync either, so that one which succeeds covers all before it.
            if trouble.is_none() && state.skipped != Some(site) {
                state.files.settle_dir(dir);
                state.real.sync_dir(dir);
            }
            Ok(())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        let state = self.machine.state();
        state.alive(self.process)?;
        if !dir.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(state.files.list(dir))
    }

    fn commit_point(&self, point: CommitPoint) -> io::Result<()> {
        self.operate(
            Kind::Commit,
            || format!("commit: {point:?}"),
            |state, _| {
                if state.recording && point != CommitPoint::Before {
                    state.real.committed(point == CommitPoint::AfterRelaxed);
                }
                Ok(())
            },
        )
    }
}

struct SimFile<A> {
    disk: SimDisk<A>,
    ino: Ino,
    path: PathBuf,
}

impl<A: Account> DiskFile for SimFile<A> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let what = || format!("write {} bytes at {offset} of {}", bytes.len(), self.path.display());
        self.disk.operate(Kind::Write, what, |state, trouble| {
            let len = match trouble {
                None => bytes.len(),
                Some(_) => state.random.below(bytes.len() as u64 + 1) as usize,
            };
            state.files.write(self.ino, offset, &bytes[..len]);
            Ok(())
        })
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        if self.disk.machine.state().files.bytes(self.ino).len() as u64 == len_bytes {
            return Ok(());
        }
        let what = || format!("set length of {} to {len_bytes}", self.path.display());
        self.disk.operate(Kind::Change, what, |state, _| {
            state.files.set_len(self.ino, len_bytes);
            Ok(())
        })
    }

    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        let what = || format!("sync {site:?} of {}", self.path.display());
        self.disk.operate(Kind::Sync, what, |state, trouble| {
            let fate = fate(state, self.disk.process, trouble);
            if state.skipped != Some(site) {
                state.files.settle(self.ino, fate);
            }
            Ok(())
        })
    }
}

struct SimRead<A> {
    disk: SimDisk<A>,
    ino: Ino,
}

impl<A: Account> SimRead<A> {
    fn bytes(&self) -> io::Result<Arc<Vec<u8>>> {
        let state = self.disk.machine.state();
        state.alive(self.disk.process)?;
        Ok(state.files.bytes(self.ino))
    }
}

impl<A: Account> DiskRead for SimRead<A> {
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.bytes()?;
        let from = offset as usize;
        Ok(bytes.get(from..from.saturating_add(len)).map(<[u8]>::to_vec))
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.bytes()?.len() as u64)
    }
}
