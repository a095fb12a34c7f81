//! A backup's life: built, followed, kept in snapshots, let go as its retention says.

use crate::rig::{GROUP, HOUR, Rig, SET};
use std::time::Duration;
use tidemark_base::{Clock, SeededEntropy, Timestamp};
use tidemark_blockstore::{Depth, Quiet};
use tidemark_head::snapshot;
use tidemark_metadata::rules::retention::Retention;
use tidemark_metadata::{DaemonName, Job, JobKind, JobState, Outcome, SnapshotName, Status, Subject, Text};

#[test]
fn a_copy_becomes_a_head_that_follows_and_its_first_snapshot_comes_at_once() {
    let (mut rig, daemon) = Rig::running();
    assert_eq!(rig.backup().status, Status::Started);
    let [(number, first)] = rig.snapshots().try_into().unwrap();
    assert_eq!(number, 1);
    assert_eq!((first.at, rig.held(first.root)), (rig.source.last, rig.source.held.clone()));
    assert!(first.is_clean());
    // What the copy kept is gone.
    rig.wait("the copy is let go", |rig| {
        rig.store.list_refs(&format!("{}/sync/b/", rig.name.prefix())).unwrap().is_empty()
    });
    rig.write(30);
    rig.write(30);
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
    assert_eq!(rig.snapshots().len(), 1, "none is due yet");
    daemon.shut_down();
    let job = rig.job(JobKind::Apply).unwrap();
    assert!(matches!(job.state, JobState::Queued { .. }), "laid down for others: {job:?}");
}

#[test]
fn a_daemon_that_ends_leaves_everything_flushed() {
    let (mut rig, daemon) = Rig::running();
    rig.write(10);
    let tip = rig.source.last;
    rig.wait("it is applied", |rig| {
        rig.job(JobKind::Apply).is_some() && rig.snapshots().len() == 1 && rig.secs() > 0
    });
    // It may end before it looked: then the oplog has the rest.
    std::thread::sleep(Duration::from_millis(50));
    daemon.shut_down();
    let again = rig.daemon("d1");
    rig.settle();
    assert_eq!(rig.source.last, tip);
    assert_eq!(rig.head_held(), rig.source.held);
    drop(again);
}

#[test]
fn days_pass() {
    let (mut rig, _daemon) = Rig::running();
    for _ in 0..4 * 24 {
        rig.pass(HOUR);
        rig.write(3);
    }
    rig.settle();
    rig.assert_snapshots();
    // Four a day, of which those of the last two days are kept, and the first of each day before.
    rig.wait_while_time_passes("old ones expire", |rig| rig.snapshots().len() <= 2 * 4 + 4);
    let kept = rig.snapshots();
    assert!(kept.len() > 2 * 4, "{}", kept.len());
    let day = |secs: u32| secs / 86_400;
    let first_day = day(kept[0].1.at.ts.secs);
    assert_eq!(first_day, day(crate::rig::secs_of(crate::rig::START)), "the first of the first day");
    // Any second of the window can be restored, and what lies far before it has gone.
    let tip = rig.name.slices(&rig.store).tip().unwrap().unwrap();
    for hours in [1, 7, 13, 23] {
        let secs = rig.secs() - hours * 3600;
        let second = Timestamp { secs, ordinal: u32::MAX };
        assert_eq!(&rig.held_at(second).unwrap(), rig.source.at(secs), "{hours} hours ago");
    }
    let start = rig.name.slices(&rig.store).line_start(&tip).unwrap().at.ts.secs;
    let age_hours = (rig.secs() - start) / 3600;
    assert!((24..24 + 8).contains(&age_hours), "{age_hours} hours of oplog are kept");
    rig.wait("all are proven", |rig| rig.snapshots().iter().all(|(_, it)| it.proven.is_some()));
    assert!(rig.store.verify(Depth::Full, &Quiet).unwrap().is_clean());
}

#[test]
fn where_only_no_ops_come_no_snapshot_is_taken_and_the_last_one_stays() {
    let (mut rig, _daemon) = Rig::running();
    let retention = Retention { base_days: 1, daily_days: 0, weekly_weeks: 0, monthly_months: 0 };
    rig.change_backup(|it| it.retention = retention.clone());
    // As long as the window is: what lies before it has to go.
    rig.change_backup(|it| it.pitr_window_hours = 30 * 24);
    for _ in 0..3 * 24 {
        rig.pass(HOUR);
        rig.no_op();
    }
    rig.settle();
    assert_eq!(rig.snapshots().len(), 1);
    let covered = snapshot::covered(&rig.store, &rig.name).unwrap().unwrap();
    assert_eq!(covered.snapshot, 1);
    rig.change_backup(|it| it.pitr_window_hours = 24);
    assert!(rig.secs() - covered.until.ts.secs <= 8 * 3600, "noted every six hours: {covered:?}");
    rig.write(1);
    rig.wait_while_time_passes("a snapshot of what changed", |rig| rig.snapshots().len() == 2);
    rig.assert_snapshots();
    // Still kept: it stood until a moment ago.
    rig.pass(3 * HOUR);
    assert_eq!(rig.snapshots()[0].0, 1);
    for _ in 0..30 {
        rig.pass(HOUR);
        rig.write(1);
    }
    rig.wait_while_time_passes("it goes a day later", |rig| rig.snapshots()[0].0 > 1);
}

#[test]
fn a_source_at_rest_does_not_keep_its_oplog_for_ever() {
    let (mut rig, _daemon) = Rig::running();
    let before = rig.source.held.clone();
    for _ in 0..5 * 24 {
        rig.pass(HOUR);
        rig.no_op();
    }
    rig.settle();
    rig.wait_while_time_passes("what lies far before the window goes", |rig| {
        let slices = rig.name.slices(&rig.store);
        let start = slices.line_start(&slices.tip().unwrap().unwrap()).unwrap().at.ts.secs;
        // The window, as much again until the next snapshot is older than it, and what it takes to look.
        (rig.secs() - start) / 3600 <= 24 + 24 + 2 * 8
    });
    assert!(rig.snapshots().len() <= 5, "about one for each window: {:?}", rig.snapshots());
    assert!(rig.snapshots().windows(2).all(|it| it[0].1.at.ts < it[1].1.at.ts));
    for hours in [1, 13, 23] {
        let second = Timestamp { secs: rig.secs() - hours * 3600, ordinal: u32::MAX };
        assert_eq!(rig.held_at(second).unwrap(), before, "{hours} hours ago");
    }
}

#[test]
fn where_not_even_a_no_op_comes_no_snapshot_is_taken() {
    let (rig, _daemon) = Rig::running();
    rig.pass(3 * 24 * HOUR);
    rig.settle();
    assert_eq!(rig.snapshots().len(), 1, "another would be the same");
}

#[test]
fn orders_of_which_nothing_new_could_come_make_no_second_snapshot() {
    let (mut rig, _daemon) = Rig::running();
    rig.write(5);
    rig.queue(JobKind::Snapshot);
    rig.wait("it is taken", |rig| rig.snapshots().len() == 2);
    for _ in 0..3 {
        let done =
            |rig: &Rig| rig.events().iter().filter(|it| it.what.code.as_str() == "SNAPSHOT_STANDS").count();
        let before = done(&rig);
        rig.wait("the order before is done", |rig| !rig.job(JobKind::Snapshot).unwrap().is_open());
        rig.queue(JobKind::Snapshot);
        rig.wait("it is said which one that is", |rig| done(rig) > before);
    }
    assert_eq!(rig.snapshots().len(), 2);
    // One that will be deleted is not what was ordered.
    let name = SnapshotName::new(format!("{:016x}", 2)).unwrap();
    rig.change_backup(|it| it.order_deletion(&name, rig.clock.now()).unwrap());
    rig.queue(JobKind::Snapshot);
    rig.wait("another is taken", |rig| rig.snapshots().len() == 3);
}

#[test]
fn a_snapshot_that_is_ordered_while_one_is_taken_is_taken_afterwards() {
    let (mut rig, daemon) = Rig::running();
    daemon.shut_down();
    // Somebody is at it, and dies.
    rig.queue(JobKind::Snapshot);
    let dead = DaemonName::new("dead").unwrap();
    let me = rig
        .metadata
        .daemon_starts(&dead, &Text::fit("0"), rig.clock.now(), &mut SeededEntropy::new(9))
        .unwrap();
    let id = Job::id_of(Some(GROUP), JobKind::Snapshot, &Subject::new(SET.to_string()).unwrap());
    let claim = rig.metadata.claim_job(&id, &me.holder().unwrap(), rig.clock.now()).unwrap().unwrap();
    let subject = Subject::new(SET.to_string()).unwrap();
    rig.metadata.order_job(Some(GROUP), JobKind::Snapshot, &subject, rig.clock.now()).unwrap();
    rig.metadata.finish_job(&claim, &Outcome::Done, rig.clock.now(), &mut SeededEntropy::new(9)).unwrap();
    rig.write(5);
    let _daemon = rig.daemon("d1");
    rig.wait("the order is carried out", |rig| rig.snapshots().len() == 2);
    assert_eq!(rig.snapshots()[1].1.at, rig.source.last);
}

#[test]
fn a_snapshot_that_is_ordered_is_taken_of_all_that_came() {
    let (mut rig, _daemon) = Rig::running();
    for number in 2..5 {
        rig.write(5);
        rig.queue(JobKind::Snapshot);
        rig.wait("it is taken", |rig| rig.snapshots().len() == number);
        let taken = rig.snapshots().pop().unwrap().1;
        assert_eq!((taken.at, rig.held(taken.root)), (rig.source.last, rig.source.held.clone()));
    }
    let job = rig.job(JobKind::Snapshot).unwrap();
    assert!(matches!(job.state, JobState::Done { .. }), "{job:?}");
}

#[test]
fn a_backup_that_is_stopped_rests_and_goes_on() {
    let (mut rig, _daemon) = Rig::running();
    rig.order(Status::Stopped);
    rig.wait("the head is laid down", |rig| !rig.job(JobKind::Apply).unwrap().is_open());
    rig.write(10);
    rig.pass(7 * HOUR);
    assert_eq!(rig.snapshots().len(), 1);
    rig.order(Status::Started);
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
}

#[test]
fn a_backup_without_a_head_is_copied_anew() {
    let rig = Rig::new();
    rig.change_backup(|it| it.status = Status::Started);
    let _daemon = rig.daemon("d1");
    rig.wait("a copy is ordered", |rig| rig.backup().status == Status::Provisioning);
    assert!(rig.has_event("RESYNC_REQUIRED"), "{SET}");
    assert!(rig.clock.now() >= crate::rig::START);
}
