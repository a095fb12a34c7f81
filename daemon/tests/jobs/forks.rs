//! The source rolls back, or cannot be gone on with.

use crate::rig::{HOUR, Rig};
use tidemark_metadata::{Copies, JobKind, Status};

#[test]
fn a_head_follows_its_source_back() {
    let (mut rig, _daemon) = Rig::running();
    rig.pass(HOUR);
    rig.write(10);
    let common = rig.source.last.ts;
    rig.pass(6 * HOUR);
    rig.write(10);
    rig.wait_while_time_passes("a snapshot of what will be rolled back", |rig| {
        rig.snapshots().last().unwrap().1.at.ts > common
    });
    rig.settle();
    rig.roll_back(common);
    rig.write(5);
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
    assert!(rig.has_event("ROLLED_BACK"));
    assert!(rig.snapshots().iter().any(|(_, it)| it.is_dead_branch));
    rig.assert_snapshots();
    rig.pass(6 * HOUR);
    rig.write(5);
    rig.settle();
    rig.assert_snapshots();
}

#[test]
fn what_cannot_be_gone_back_to_is_copied_anew_and_older_snapshots_stay() {
    let (mut rig, daemon) = Rig::running();
    let before = rig.snapshots();
    let old = rig.held(before[0].1.root);
    rig.pass(HOUR);
    rig.write(10);
    rig.settle();
    // The agent fell off: the front-end has ordered a copy.
    rig.order(Status::Provisioning);
    assert_eq!(rig.backup().copies, Copies::None);
    rig.source.last.term += 1;
    rig.source.held.insert(1000, 1);
    rig.source.held.remove(&3);
    let secs = rig.secs() + 600;
    rig.source.no_op(secs);
    rig.copy();
    rig.settle();
    assert_eq!(rig.backup().status, Status::Started);
    assert_eq!(rig.head_held(), rig.source.held);
    rig.wait("the first snapshot of the new copy", |rig| {
        rig.snapshots().last().is_some_and(|(id, it)| *id > before[0].0 && it.proven.is_some())
    });
    assert_eq!(rig.held(rig.snapshots()[0].1.root), old, "of the old copy");
    assert!(!rig.snapshots()[0].1.is_dead_branch);
    rig.assert_snapshots();
    // And it goes on, through a restart.
    drop(daemon);
    let _daemon = rig.daemon("d1");
    rig.write(10);
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
}

#[test]
fn a_source_that_goes_back_behind_everything_is_copied_anew() {
    let (mut rig, _daemon) = Rig::running();
    let slices = rig.name.slices(&rig.store);
    let tip = slices.tip().unwrap().unwrap();
    let first = slices.line(&tip, None, tip.link.at.ts).unwrap()[0].header;
    rig.settle();
    rig.roll_back(first.end().at.ts);
    rig.wait("a copy is ordered", |rig| rig.backup().status == Status::Provisioning);
    assert!(rig.has_event("RESYNC_REQUIRED"));
    assert_eq!(rig.backup().copies, Copies::None);
}

#[test]
fn the_oplog_of_a_new_copy_of_an_older_source_is_not_let_go_by_the_old_heads_place() {
    let (mut rig, _daemon) = Rig::running();
    rig.change_backup(|it| it.pitr_window_hours = 1);
    let old = rig.source.last.ts;
    for _ in 0..4 {
        rig.pass(HOUR);
        rig.write(5);
    }
    rig.settle();
    // Restored from a copy of its files that is hours old: its oplog lies before what the head has.
    rig.order(Status::Provisioning);
    rig.wait("the head is laid down", |rig| !rig.job(JobKind::Apply).unwrap().is_open());
    rig.source.roll_back(old);
    rig.written_at = Some(old.secs + 60);
    // The copy is under way for hours.
    let copied = rig.begin_copy();
    rig.pass(8 * HOUR);
    rig.end_copy(copied);
    rig.written_at = None;
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
    assert!(!rig.has_event("RESYNC_REQUIRED"));
    rig.assert_snapshots();
}

#[test]
fn a_copy_that_began_in_the_middle_of_a_transaction_is_made_anew() {
    let (mut rig, _daemon) = Rig::running();
    rig.last_part();
    rig.wait("a copy is ordered", |rig| rig.backup().status == Status::Provisioning);
    assert!(rig.has_event("RESYNC_REQUIRED"));
    assert_eq!(rig.snapshots().len(), 1, "earlier snapshots stay");
}

#[test]
fn a_head_without_any_oplog_is_copied_anew() {
    let (rig, daemon) = Rig::running();
    rig.order(Status::Stopped);
    rig.wait("the head is laid down", |rig| !rig.job(JobKind::Apply).unwrap().is_open());
    daemon.shut_down();
    // What a termination that was undone half-way leaves: the head and its snapshots.
    let refs = rig.store.list_refs(&format!("{}/", rig.name.prefix())).unwrap();
    let gone = refs.into_iter().filter(|(name, _)| name.contains("/oplog/"));
    let gone: Vec<_> = gone
        .map(|(name, found)| tidemark_blockstore::RefChange {
            name,
            expect: tidemark_blockstore::Expect::Version(found.version),
            set: None,
        })
        .collect();
    assert!(!gone.is_empty());
    rig.store.session(&[]).unwrap().publish(&gone).unwrap();
    rig.order(Status::Started);
    let _daemon = rig.daemon("d1");
    rig.wait("a copy is ordered", |rig| rig.backup().status == Status::Provisioning);
    assert!(rig.has_event("RESYNC_REQUIRED"));
}
