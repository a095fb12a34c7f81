//! Two who want the same store at once, and a store that moves.

use crate::disks::Refusal;
use crate::sample::{Sample, assert_index_rebuilt, assert_says, collect, options, put_tree};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use tidemark_base::{ErrorKind, threads};
use tidemark_blockstore::disk::{Disk, DiskFile, DiskRead, OsDisk, SyncSite};
use tidemark_blockstore::{Error, GcOptions, Observer, Quiet, Stage, Store, repair};

/// A point at which somebody waits until let go.
struct Stop {
    reached: Sender<()>,
    /// Each wait takes the next word; with nobody left to give one, nobody waits.
    go: Mutex<Receiver<()>>,
}

impl Stop {
    fn new() -> (Self, Receiver<()>, Sender<()>) {
        let (reached, wait) = channel();
        let (release, go) = channel();
        (Self { reached, go: Mutex::new(go) }, wait, release)
    }

    fn wait(&self) {
        if self.reached.send(()).is_ok() {
            let _ = self.go.lock().unwrap().recv();
        }
    }
}

/// A disk on which the packs are listed slowly: repair lists them with the store to itself.
struct SlowList(Stop);

impl Disk for SlowList {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.create(path)
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
        self.0.wait();
        OsDisk.list(dir)
    }
}

#[test]
fn a_store_under_repair_cannot_be_opened() {
    let mut sample = Sample::new();
    sample.remove_index();
    let (stop, reached, release) = Stop::new();
    let root = sample.root.clone();
    let repairer = threads::spawn("repairer", move || {
        options().disk(Arc::new(SlowList(stop))).open(&root).map(|backend| backend.healed().len())
    })
    .unwrap();
    reached.recv().unwrap();
    let error = sample.open_error();
    assert!(matches!(&error, Error::Busy { path, .. } if path.ends_with("locks/store.lock")), "{error:?}");
    assert_says(&error, ErrorKind::Retry, &["in use", "being repaired", "wait"]);
    assert!(matches!(repair(&sample.root), Err(Error::Busy { .. })));
    drop((release, reached));
    assert_eq!(repairer.join().unwrap().unwrap(), 1);
    sample.assert_whole();
}

/// What is in its write-ahead log would not come with it.
#[test]
fn a_rebuilt_index_that_somebody_has_open_is_not_put_in_place() {
    let mut sample = Sample::new();
    sample.remove_index();
    let (stop, reached, release) = Stop::new();
    let root = sample.root.clone();
    let repairer = threads::spawn("repairer", move || {
        options().disk(Arc::new(SlowList(stop))).open(&root).map(|backend| backend.healed().len())
    })
    .unwrap();
    reached.recv().unwrap();
    let curious = rusqlite::Connection::open(sample.path("index.db.new")).unwrap();
    let rows: i64 = curious.query_row("SELECT count(*) FROM row", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1, "the rebuild has begun");
    drop((release, reached));
    let error = repairer.join().unwrap().unwrap_err();
    assert_says(&error, ErrorKind::Retry, &["index.db.new-wal", "somebody has it open"]);
    drop(curious);
    assert_index_rebuilt(&sample.open_healed().1, "missing");
    sample.assert_whole();
}

#[test]
fn a_store_in_use_cannot_be_repaired() {
    let mut sample = Sample::new();
    let store = sample.open();
    let error = repair(&sample.root).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error:?}");
    assert_says(&error, ErrorKind::Retry, &["in use by another process", "alone", "stop the others first"]);
    sample.assert_refs(&store);
    drop(store);
    repair(&sample.root).unwrap();
    sample.assert_whole();
}

/// Those at work keep what they have; the newcomer waits for them, and then heals.
#[test]
fn an_index_deleted_under_those_at_work_is_rebuilt_after_them() {
    let mut sample = Sample::new();
    let store = sample.open();
    let session = store.session(&[]).unwrap();
    sample.remove_index();
    let error = sample.open_error();
    assert!(matches!(error, Error::Busy { .. }), "{error:?}");
    assert_says(&error, ErrorKind::Retry, &["must be rebuilt", "stop the others first"]);
    sample.publish_in(&session, "into the log");
    drop((session, store));
    let (store, healed) = sample.open_healed();
    assert_eq!(healed.len(), 1);
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

/// An observer that holds a collection up at its first step.
struct Slow(Stop);

impl Observer for Slow {
    fn progress(&self, _stage: Stage, _done: u64, _total: Option<u64>) {
        self.0.wait();
    }
}

#[test]
fn a_second_collection_is_refused_while_one_runs() {
    let mut sample = Sample::new();
    sample.delete("b");
    let (first, second) = (sample.open(), sample.open());
    let (stop, reached, release) = Stop::new();
    let collector =
        threads::spawn("collector", move || first.collect(GcOptions::default(), &Slow(stop))).unwrap();
    reached.recv().unwrap();
    for options in [GcOptions::default(), GcOptions { dry_run: true, ..GcOptions::default() }] {
        let error = second.collect(options, &Quiet).unwrap_err();
        assert!(matches!(error, Error::CollectionRunning), "{error:?}");
        assert_says(&error, ErrorKind::Retry, &["already running", "wait"]);
    }
    // Others work beside it.
    let session = second.session(&[]).unwrap();
    sample.publish_in(&session, "beside");
    drop(session);
    drop((release, reached));
    assert_eq!(collector.join().unwrap().unwrap().condemned_packs, 1);
    collect(&second);
    assert_eq!(second.stats(&Quiet).unwrap().packs, 3);
    drop(second);
    sample.assert_whole();
}

/// Its process lives on, so nobody else may take it for dead.
#[test]
fn a_session_that_could_not_end_ends_with_the_next_collection() {
    let mut sample = Sample::new();
    let refusal = Arc::new(Refusal::default());
    let store = Store::new(Arc::new(options().disk(refusal.failing_commits()).open(&sample.root).unwrap()));
    for closing in [true, false] {
        let session = store.session(&[]).unwrap();
        let garbage = put_tree(&session, 1000).unwrap();
        session.sync().unwrap();
        refusal.set(28);
        if closing {
            assert!(session.close().unwrap_err().is_full());
        } else {
            drop(session);
        }
        refusal.set(0);
        collect(&store);
        assert!(store.get_one(garbage).is_err(), "nothing keeps it");
    }
    drop(store);
    sample.assert_whole();
}

/// Files of the store that have no name any more, but are open in this process.
fn removed_and_open(sample: &Sample) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = open.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    targets
        .filter(|path| path.starts_with(&sample.root) && path.to_string_lossy().ends_with(" (deleted)"))
        .count()
}

/// The other deletes them, and their room must come back.
#[test]
fn a_reader_does_not_hold_the_packs_that_another_has_removed() {
    let mut sample = Sample::new();
    let reader = sample.open();
    sample.assert_refs(&reader);
    sample.delete("b");
    collect(&sample.open());
    assert_eq!(sample.packs().len(), 2);
    // It reads on, if only refs.
    for _ in 0..100 {
        assert_eq!(reader.list_refs("").unwrap().len(), 2);
    }
    assert_eq!(removed_and_open(&sample), 0);
    sample.assert_refs(&reader);
    drop(reader);
    sample.assert_whole();
}

#[test]
fn the_lock_file_of_a_process_that_died_without_a_session_goes_with_a_collection() {
    let mut sample = Sample::new();
    let left = sample.path("locks/owner-00112233445566778899aabbccddeeff");
    std::fs::write(&left, b"").unwrap();
    let (store, other) = (sample.open(), sample.open());
    collect(&store);
    assert!(!left.exists());
    let locks = std::fs::read_dir(sample.path("locks")).unwrap();
    let names = locks.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("owner-")).count(), 2, "those of the living stay");
    drop((store, other));
    sample.assert_whole();
}

#[test]
fn a_store_s_folder_may_move() {
    let mut sample = Sample::new();
    let moved = sample.beside().join("elsewhere");
    std::fs::rename(&sample.root, &moved).unwrap();
    let error = sample.open_error();
    assert_says(&error, ErrorKind::Invalid, &["does not exist", "name the right folder"]);
    sample.root = moved;
    sample.assert_whole();
    // Also with the index to be rebuilt at the new place.
    let again = sample.beside().join("elsewhere again");
    std::fs::rename(&sample.root, &again).unwrap();
    sample.root = again;
    sample.remove_index();
    let (store, _) = sample.open_healed();
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

/// Both are given the same store, and what one puts the other has.
#[test]
fn two_openings_of_one_process_are_two_users() {
    let mut sample = Sample::new();
    let (first, second) = (sample.open(), sample.open());
    let (one, two) = (first.session(&[]).unwrap(), second.session(&[]).unwrap());
    sample.publish_in(&one, "x");
    let root = put_tree(&two, 4).unwrap();
    assert_eq!(root, sample.refs["x"]);
    drop((one, two, first));
    let store: &Store = &second;
    sample.assert_refs(store);
    drop(second);
    sample.assert_whole();
}
