//! Little room: the oplog goes on, everything else waits.

use crate::rig::{HOUR, Rig};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemark_daemon::Room;

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
