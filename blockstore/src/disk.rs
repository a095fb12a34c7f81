//! The few file operations a local store is made of, behind a trait so that tests can cut the power.
//!
//! [`OsDisk`] is the operating system; the power-cut model in the tests is the other implementation, which
//! remembers what was and wasn't synced and builds every image a crash could leave. Each `sync` names its
//! site, so that a test can leave out exactly one and must then find a loss.

use crate::buffers;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why something is synced: one name for each place in the code that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SyncSite {
    /// Records of a pack, before they are indexed.
    PackData,
    /// The directory entry of a new pack, before its records are indexed.
    PackEntry,
    /// The vanishing of a pack, before its row is forgotten.
    PackRemoval,
    /// A publish in `refs.log`, before its commit.
    LogRecord,
    /// The end of `refs.log` after a dead publish was cut off, before its blocks may be collected.
    LogTail,
    /// A fresh `refs.log`, before it takes its name.
    LogRewrite,
    /// The name of a fresh `refs.log`, before its position is committed.
    LogRename,
    /// The same name, when the one who gave it died before that, and another goes on with the log.
    LogAdopted,
    /// `refs.log` as it is found when a store is opened, before anything is concluded from its end.
    LogFound,
    /// The superblock's bytes, before it takes its name.
    Superblock,
    /// The name of a new store's folder.
    StoreFolder,
    /// The superblock's name: from then on the store is made.
    StoreName,
    /// A pack as it is found when the index is rebuilt, before its records are indexed: whoever wrote it may
    /// not have come to sync it.
    PackFound,
    /// The directory entries of the packs that are found then.
    PackFoundEntry,
    /// The absence of the old index and its side files, before a rebuilt one takes its name.
    IndexAside,
    /// The name of a rebuilt index.
    IndexRename,
}

impl SyncSite {
    /// All sites.
    pub const ALL: [Self; 16] = [
        Self::PackData,
        Self::PackEntry,
        Self::PackRemoval,
        Self::LogRecord,
        Self::LogTail,
        Self::LogRewrite,
        Self::LogRename,
        Self::LogAdopted,
        Self::LogFound,
        Self::Superblock,
        Self::StoreFolder,
        Self::StoreName,
        Self::PackFound,
        Self::PackFoundEntry,
        Self::IndexAside,
        Self::IndexRename,
    ];
}

/// A moment at which the index database commits, told to the disk so that a model can cut there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitPoint {
    /// Just before the commit.
    Before,
    /// Just after the commit returned.
    After,
    /// Just after a commit returned that is durable only with the next one that waits for the disk.
    AfterRelaxed,
}

/// File operations. Paths are absolute.
pub trait Disk: Send + Sync {
    /// Makes a new file for writing; it must not exist.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// Those of the operating system.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading.
    ///
    /// # Errors
    /// Those of the operating system.
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskRead>>;

    /// Gives a file another name, replacing what has it.
    ///
    /// # Errors
    /// Those of the operating system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_dir(&self, dir: &Path, site: SyncSite) -> io::Result<()>;

    /// The names and lengths of the files in a directory.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>>;

    /// Called around each commit of the index database; an error prevents or hides it.
    ///
    /// # Errors
    /// Only a model's.
    fn commit_point(&self, _point: CommitPoint) -> io::Result<()> {
        Ok(())
    }
}

/// A file open for writing.
pub trait DiskFile: Send {
    /// Writes all bytes at an offset.
    ///
    /// # Errors
    /// Those of the operating system.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn set_len(&mut self, len_bytes: u64) -> io::Result<()>;

    /// Makes contents and length durable.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync(&mut self, site: SyncSite) -> io::Result<()>;
}

/// A file open for reading.
pub trait DiskRead: Send + Sync {
    /// Reads `len` bytes at `offset`; `None` if the file ends before.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    fn len_bytes(&self) -> io::Result<u64>;

    /// Whether the file has no name any more, so that only those who have it open keep its space.
    ///
    /// # Errors
    /// Those of the operating system.
    fn is_removed(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// Reads a whole file.
pub(crate) fn read_all(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open_read(path)?;
    let len = usize::try_from(file.len_bytes()?).map_err(io::Error::other)?;
    file.read_at(0, len)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).create_new(true).open(path)?))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskRead>> {
        Ok(Arc::new(File::open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path, _site: SyncSite) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            // A file may vanish between being listed and being asked for its length.
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => {
                    files.push((entry.file_name().to_string_lossy().into_owned(), metadata.len()));
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(files)
    }
}

/// From so many bytes on it is worth a call to have them written out early.
const WORTH_WRITING_OUT: u64 = 64 << 10;

/// Lets the system begin to write out what was just written, so that a sync has less to wait for. It says nothing of
/// success: that is for the sync to say, of everything written before (`posix_fadvise(2)`, `POSIX_FADV_DONTNEED`).
fn begin_writing_out(file: &File, offset: u64, len: u64) {
    if cfg!(target_os = "linux") && len >= WORTH_WRITING_OUT {
        let len = std::num::NonZeroU64::new(len);
        // Without it everything is as it was, only later.
        let _ = rustix::fs::fadvise(file, offset, len, rustix::fs::Advice::DontNeed);
    }
}

impl DiskFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)?;
        begin_writing_out(self, offset, bytes.len() as u64);
        Ok(())
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        Self::set_len(self, len_bytes)
    }

    fn sync(&mut self, _site: SyncSite) -> io::Result<()> {
        self.sync_data()
    }
}

impl DiskRead for File {
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = buffers::take(len);
        bytes.resize(len, 0);
        match self.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn is_removed(&self) -> io::Result<bool> {
        self.metadata().map(|metadata| metadata.nlink() == 0)
    }
}

/// A folder and the file operations on it.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
}

impl Folder {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}
