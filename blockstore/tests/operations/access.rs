//! Permission denied and read-only: by the operating system's error numbers through a wrapped disk, and by
//! real permission bits.
//!
//! Permission bits do not bind root, and tests may run as root: then the store is used from a thread that
//! has given up being root, which binds it like anybody else.

use crate::disks::Refusal;
use crate::sample::{Sample, assert_says, change, options, put_tree};
use rustix::thread::set_thread_uid;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tidemark_base::{ErrorKind, threads};
use tidemark_blockstore::{Error, Store};

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;

const DENIED: [&str; 4] = ["no permission", "owner", "mode", "read-only"];

#[test]
fn a_disk_that_refuses_is_named_and_nothing_is_lost() {
    for (errno, words) in
        [(EACCES, &DENIED[..]), (EROFS, &DENIED[..]), (EDQUOT, &["no space left", "garbage collection"][..])]
    {
        let mut sample = Sample::new();
        let refusal = Arc::new(Refusal::default());
        let store = Store::new(Arc::new(options().disk(refusal.disk()).open(&sample.root).unwrap()));
        let session = store.session(&[]).unwrap();
        sample.publish_in(&session, "before");

        refusal.set(errno);
        assert_says(&put_tree(&session, 1000).unwrap_err(), ErrorKind::Retry, words);
        // The session is of no use any more, and says so; what is there is read as ever.
        let broken = session.sync().unwrap_err();
        assert_says(&broken, ErrorKind::Fenced, &["open a new session", "put again"]);
        assert!(store.get_one(sample.refs["before"]).is_ok());
        let deleting = store.session(&[]).and_then(|session| session.publish(&[change("a", None)]));
        assert_says(&deleting.unwrap_err(), ErrorKind::Retry, words);

        refusal.set(0);
        let session = store.session(&[]).unwrap();
        sample.publish_in(&session, "after");
        drop((session, store));
        sample.assert_whole();
    }
}

#[test]
fn other_failures_of_the_disk_keep_their_reason() {
    let sample = Sample::new();
    let refusal = Arc::new(Refusal::default());
    let store = Store::new(Arc::new(options().disk(refusal.disk()).open(&sample.root).unwrap()));
    let session = store.session(&[]).unwrap();
    refusal.set(ENOENT);
    let error = put_tree(&session, 1000).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert_says(&error, ErrorKind::Retry, &["index.db", "failed", "No such file"]);
}

#[test]
fn a_store_that_may_only_be_read_is_not_opened() {
    let mut sample = Sample::new();
    set_modes(&sample, 0o555, 0o444);
    let error = as_somebody_else(&sample.root, |root| options().open(root).map(drop)).unwrap_err();
    set_modes(&sample, 0o755, 0o644);
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert_says(&error, ErrorKind::Retry, &DENIED);
    sample.assert_whole();
}

#[test]
fn a_store_whose_superblock_may_not_be_read_is_not_taken_for_none() {
    let mut sample = Sample::new();
    set_modes(&sample, 0o777, 0o000);
    let error = as_somebody_else(&sample.root, |root| options().open(root).map(drop)).unwrap_err();
    set_modes(&sample, 0o755, 0o644);
    assert!(matches!(&error, Error::Denied { path, .. } if path.ends_with("superblock")), "{error:?}");
    sample.assert_whole();
}

#[test]
fn an_index_that_may_not_be_written_is_not_taken_for_lost() {
    let mut sample = Sample::new();
    set_modes(&sample, 0o777, 0o666);
    set_mode(&sample.path("index.db"), 0o444);
    let error = as_somebody_else(&sample.root, |root| {
        let store = Store::new(Arc::new(options().open(root)?));
        store.session(&[]).map(drop)
    });
    set_modes(&sample, 0o755, 0o644);
    assert_says(&error.unwrap_err(), ErrorKind::Retry, &["index", "owner and mode", "read-only"]);
    assert!(!sample.path("index.db.broken").exists(), "nobody rebuilt it");
    sample.assert_whole();
}

#[test]
fn a_packs_folder_that_may_not_be_written_stops_writers_only() {
    let mut sample = Sample::new();
    set_modes(&sample, 0o777, 0o666);
    set_mode(&sample.path("packs"), 0o555);
    let a = sample.refs["a"];
    let error = as_somebody_else(&sample.root, move |root| {
        let store = Store::new(Arc::new(options().open(root)?));
        let session = store.session(&[])?;
        store.get_one(a)?;
        put_tree(&session, 1000).map(drop)
    });
    set_modes(&sample, 0o755, 0o644);
    let error = error.unwrap_err();
    assert!(matches!(&error, Error::Denied { .. }), "{error:?}");
    assert_says(&error, ErrorKind::Retry, &["packs", "owner", "mode"]);
    sample.assert_whole();
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Sets the modes of the store's folders and files.
fn set_modes(sample: &Sample, folders: u32, files: u32) {
    // The temporary folder is its maker's alone unless this is said.
    set_mode(sample.beside(), 0o755);
    // On the way to a stricter mode, files first.
    for folder in [sample.root.clone(), sample.path("packs"), sample.path("locks")] {
        set_mode(&folder, 0o755);
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                set_mode(&path, files);
            }
        }
        set_mode(&folder, folders);
    }
}

/// Runs `work` as somebody whom permission bits bind.
fn as_somebody_else<T: Send + 'static>(root: &Path, work: impl FnOnce(&Path) -> T + Send + 'static) -> T {
    let root = root.to_owned();
    let thread = threads::spawn("somebody else", move || {
        if rustix::process::geteuid().is_root() {
            // The usual number of nobody; any but 0 does. On Linux it binds this thread alone.
            set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
        }
        work(&root)
    });
    thread.unwrap().join().unwrap()
}
