//! Whose session ends: that of a killed process does, that of a living one does not, however long it is
//! silent.

use crate::account::assert_clean;
use crate::job::{Job, Role, open};
use crate::line::Line;
use crate::process::Process;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::BlockId;
use tidemark_blockstore::{GcOptions, LocalBackend, Quiet, Store};

pub(crate) fn sessions_end_with_killed_processes_and_never_with_living_ones() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("store");
    drop(LocalBackend::create(&root).unwrap());
    let (doomed, doomed_block) = start(&root, "doomed", 1);
    let store = Store::new(Arc::new(open(&root).unwrap()));
    let has = |id| store.get_one(id).is_ok();
    collect(&store);
    // A later epoch: a session protects all that was touched since it began, so the living one would keep
    // the other's block as well had it begun in the same.
    let (mut living, living_block) = start(&root, "living", 2);

    collect(&store);
    assert!(has(doomed_block) && has(living_block), "both live");
    assert_eq!(owners(&root), 3);

    assert_eq!(doomed.kill(), []);
    collect(&store);
    assert!(!has(doomed_block), "its session died with its process");
    assert!(has(living_block), "its session lives");
    assert_eq!(owners(&root), 2, "the dead one's lock file went with its session");

    // It was silent all the time, and still it may publish.
    living.nudge();
    assert_eq!(living.next_line(), Line::Done);
    assert_eq!(living.kill(), []);
    collect(&store);
    assert!(has(living_block), "a ref keeps it now");
    assert_eq!(store.get_ref("living").unwrap().unwrap().roots, [living_block]);
    assert_eq!(owners(&root), 1);
    assert_clean(&store);
}

/// A process that holds one block.
fn start(root: &Path, name: &str, seed: u64) -> (Process, BlockId) {
    let process = Process::start(&Job { role: Role::Holder, store: root.into(), name: name.into(), seed });
    assert_eq!(process.next_line(), Line::Opened);
    let Line::Held(id) = process.next_line() else { panic!("{name} holds nothing") };
    (process, id)
}

/// Collects until nothing more can go.
fn collect(store: &Store) {
    for _ in 0..3 {
        store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
    }
}

/// How many lock files of openings of the store there are.
fn owners(root: &Path) -> usize {
    let files = std::fs::read_dir(root.join("locks")).unwrap();
    files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("owner-")).count()
}
