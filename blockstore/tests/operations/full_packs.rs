//! A pack that is full is made durable while others write on; who syncs waits for it.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemark_base::limits::PACK_TARGET_BYTES;
use tidemark_base::{Entropy as _, SeededEntropy};
use tidemark_blockstore::disk::{Disk, DiskFile, DiskRead, OsDisk, SyncSite};
use tidemark_blockstore::{BlockRef, Error, OpenOptions, Session, Store};

const BLOCK_BYTES: usize = 1 << 20;
/// Far more than anything here takes, for what must come.
const LONG: Duration = Duration::from_secs(120);
/// What must not come has had the time for it.
const SHORT: Duration = Duration::from_millis(300);

/// A sync of a pack that stands still until it is told how it ends.
struct Stopped(Sender<io::Result<()>>);

/// A disk whose next sync of a pack stands still.
struct Stopping(Arc<Mutex<Option<Sender<Stopped>>>>);

struct StoppingFile(Arc<Mutex<Option<Sender<Stopped>>>>, Box<dyn DiskFile>);

impl Disk for Stopping {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(StoppingFile(Arc::clone(&self.0), OsDisk.create(path)?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open_write(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskRead>> {
        OsDisk.open_read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path, site: SyncSite) -> io::Result<()> {
        OsDisk.sync_dir(dir, site)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        OsDisk.list(dir)
    }
}

impl DiskFile for StoppingFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.write_at(offset, bytes)
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.1.set_len(len_bytes)
    }

    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        let stop = if site == SyncSite::PackData { self.0.lock().unwrap().take() } else { None };
        if let Some(stop) = stop {
            let (end, ended) = channel();
            stop.send(Stopped(end)).unwrap();
            ended.recv().unwrap()?;
        }
        self.1.sync(site)
    }
}

/// A session of a store whose first full pack stands still while it is made durable, and puts and syncs of others
/// meanwhile.
struct Rig {
    _dir: tempfile::TempDir,
    store: Store,
    session: Arc<Session>,
    stopped: Receiver<Stopped>,
    entropy: SeededEntropy,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (stop, stopped) = channel();
        let disk = Arc::new(Stopping(Arc::new(Mutex::new(Some(stop)))));
        let backend = OpenOptions::default().disk(disk).create(&dir.path().join("store")).unwrap();
        let store = Store::new(Arc::new(backend));
        let session = Arc::new(store.session(&[]).unwrap());
        Self { _dir: dir, store, session, stopped, entropy: SeededEntropy::new(7) }
    }

    /// Puts blocks that do not compress, on a thread of their own.
    fn put(&mut self, blocks: usize) -> Receiver<Result<Vec<tidemark_base::BlockId>, Error>> {
        let mut bytes = vec![0; BLOCK_BYTES * blocks];
        self.entropy.fill(&mut bytes);
        let session = Arc::clone(&self.session);
        apart(move || session.put(&bytes.chunks(BLOCK_BYTES).map(BlockRef::leaf).collect::<Vec<_>>()))
    }

    /// Puts what fills a pack. Returns that put, and the sync it stands still in.
    fn fill(&mut self) -> (Receiver<Result<Vec<tidemark_base::BlockId>, Error>>, Stopped) {
        let most = usize::try_from(PACK_TARGET_BYTES).unwrap() / BLOCK_BYTES - 1;
        self.put(most).recv_timeout(LONG).unwrap().unwrap();
        let filling = self.put(1);
        (filling, self.stopped.recv_timeout(LONG).unwrap())
    }

    fn sync(&self) -> Receiver<Result<(), Error>> {
        let session = Arc::clone(&self.session);
        apart(move || session.sync())
    }
}

fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, result) = channel();
    tidemark_base::threads::spawn("apart", move || drop(done.send(work()))).unwrap();
    result
}

#[test]
fn others_write_on_while_a_full_pack_is_made_durable_and_a_sync_waits_for_it() {
    let mut rig = Rig::new();
    let (filling, stopped) = rig.fill();
    let more = rig.put(3).recv_timeout(LONG).unwrap().unwrap();
    let synced = rig.sync();
    assert!(matches!(synced.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout)));
    stopped.0.send(Ok(())).unwrap();
    let filled = filling.recv_timeout(LONG).unwrap().unwrap();
    synced.recv_timeout(LONG).unwrap().unwrap();
    let all: Vec<_> = more.into_iter().chain(filled).collect();
    assert!(rig.store.get(&all).into_iter().all(|block| block.is_ok()));
}

#[test]
fn a_sync_does_not_call_whole_what_another_failed_to_make_durable() {
    let mut rig = Rig::new();
    let (filling, stopped) = rig.fill();
    let synced = rig.sync();
    assert!(matches!(synced.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout)));
    stopped.0.send(Err(io::Error::other("the disk is gone"))).unwrap();
    assert!(filling.recv_timeout(LONG).unwrap().is_err());
    assert!(matches!(synced.recv_timeout(LONG).unwrap(), Err(Error::SessionBroken { .. })));
}

#[test]
fn what_another_left_by_a_panic_is_not_called_whole() {
    let mut rig = Rig::new();
    let (filling, stopped) = rig.fill();
    // Nobody says how the sync ends: it panics.
    drop(stopped);
    assert!(filling.recv_timeout(LONG).is_err());
    assert!(matches!(rig.session.sync(), Err(Error::SessionBroken { .. })));
}
