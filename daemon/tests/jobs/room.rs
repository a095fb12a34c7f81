//! Little room, none at all, and metadata out of reach: the oplog goes on, everything else waits, nothing is lost.

use crate::failing::{FullDisk, Locked, Mute};
use crate::rig::{HOUR, Rig};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tidemark_blockstore::Store;
use tidemark_daemon::Room;
use tidemark_metadata::{MemoryStore, Metadata};

#[test]
fn with_little_room_the_oplog_is_applied_and_snapshots_wait() {
    let free = Arc::new(AtomicU64::new(1000));
    let mut rig = Rig::new();
    let says = Arc::clone(&free);
    rig.room = Room::new(move || Some(says.load(Ordering::SeqCst)), 500);
    rig.copy();
    let _daemon = rig.daemon("d1");
    rig.wait("the first snapshot", |rig| rig.snapshots().len() == 1);
    free.store(499, Ordering::SeqCst);
    for _ in 0..13 {
        rig.pass(HOUR);
        rig.write(5);
    }
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
    assert_eq!(rig.snapshots().len(), 1);
    assert!(rig.has_event("SPACE_LOW") && !rig.has_event("SPACE_BACK"));
    free.store(500, Ordering::SeqCst);
    rig.wait_while_time_passes("what was due is taken", |rig| rig.snapshots().len() == 2);
    assert!(rig.has_event("SPACE_BACK"));
    rig.assert_snapshots();
}

#[test]
fn that_there_is_room_again_is_told_also_if_it_came_while_no_daemon_ran() {
    let free = Arc::new(AtomicU64::new(499));
    let mut rig = Rig::new();
    let says = Arc::clone(&free);
    rig.room = Room::new(move || Some(says.load(Ordering::SeqCst)), 500);
    rig.copy();
    let daemon = rig.daemon("d1");
    rig.wait("people are told", |rig| rig.has_event("SPACE_LOW"));
    daemon.shut_down();
    let still = rig.daemon("d1");
    rig.write(5);
    rig.settle();
    still.shut_down();
    free.store(500, Ordering::SeqCst);
    let _daemon = rig.daemon("d1");
    rig.wait("people are told that it is over", |rig| rig.has_event("SPACE_BACK"));
    let low = rig.events().iter().filter(|it| it.what.code.as_str() == "SPACE_LOW").count();
    assert_eq!(low, 1, "and of the same only once: {:#?}", rig.events());
}

#[test]
fn that_there_is_little_room_is_told_also_if_it_could_not_be_noted_at_first() {
    let free = Arc::new(AtomicU64::new(1000));
    let (is_mute, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut rig = Rig::new();
    let mute =
        Mute { inner: MemoryStore::new(), is_mute: Arc::clone(&is_mute), refused: Arc::clone(&refused) };
    rig.metadata = Metadata::new(Arc::new(mute));
    rig.introduce(&rig.metadata);
    let says = Arc::clone(&free);
    rig.room = Room::new(move || Some(says.load(Ordering::SeqCst)), 500);
    rig.copy();
    let _daemon = rig.daemon("d1");
    rig.wait("the first snapshot", |rig| rig.snapshots().iter().any(|(_, it)| it.proven.is_some()));
    for (room, code) in [(499, "SPACE_LOW"), (500, "SPACE_BACK")] {
        is_mute.store(true, Ordering::SeqCst);
        let before = refused.load(Ordering::SeqCst);
        free.store(room, Ordering::SeqCst);
        rig.wait("it is noted in vain", |_| refused.load(Ordering::SeqCst) > before);
        is_mute.store(false, Ordering::SeqCst);
        rig.wait("and then it is noted", |rig| rig.has_event(code));
    }
}

#[test]
fn a_disk_that_is_full_for_hours_loses_nothing_and_all_goes_on_by_itself() {
    let is_full = Arc::new(AtomicBool::new(false));
    let mut rig = Rig::new();
    rig.copy();
    let backend = FullDisk { inner: rig.backend.clone(), is_full: Arc::clone(&is_full) };
    let daemon = rig.daemon_on("d1", rig.metadata.clone(), Store::new(Arc::new(backend)));
    rig.wait("the first snapshot", |rig| rig.snapshots().len() == 1);
    // Acknowledged a moment before there was no room left.
    rig.write(20);
    is_full.store(true, Ordering::SeqCst);
    for _ in 0..13 {
        rig.pass(HOUR);
        // Nor can anybody else write now.
    }
    assert_eq!(rig.snapshots().len(), 1);
    assert!(rig.has_event("JOB_FAILED"));
    is_full.store(false, Ordering::SeqCst);
    rig.write(20);
    rig.settle();
    rig.wait_while_time_passes("what was due is taken", |rig| rig.snapshots().len() > 1);
    assert_eq!(rig.head_held(), rig.source.held);
    rig.assert_snapshots();
    drop(daemon);
}

#[test]
fn metadata_that_are_locked_for_hours_stop_nothing_for_good() {
    let is_locked = Arc::new(AtomicBool::new(false));
    let mut rig = Rig::new();
    let locked = Locked { inner: MemoryStore::new(), is_locked: Arc::clone(&is_locked) };
    rig.metadata = Metadata::new(Arc::new(locked));
    rig.introduce(&rig.metadata);
    rig.copy();
    let daemon = rig.daemon("d1");
    rig.wait("the first snapshot", |rig| rig.snapshots().len() == 1);
    for _ in 0..3 {
        is_locked.store(true, Ordering::SeqCst);
        rig.write(20);
        for _ in 0..20 {
            rig.clock.advance(HOUR / 4);
            std::thread::sleep(Duration::from_millis(10));
        }
        is_locked.store(false, Ordering::SeqCst);
        rig.settle();
        assert_eq!(rig.head_held(), rig.source.held);
    }
    assert!(daemon.is_running());
    rig.assert_snapshots();
}
