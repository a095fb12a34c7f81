//! Snapshots that go and that stay: ordered deletions, retention behind a divergence, the oplog that they keep.

use crate::rig::{HOUR, Rig};
use tidemark_base::{Clock, Timestamp, UnixMillis};
use tidemark_metadata::rules::retention::Retention;
use tidemark_metadata::{JobKind, JobState, SnapshotName, Status};

/// So many snapshots of as many hours, all proven.
fn with_snapshots(count: usize) -> (Rig, tidemark_daemon::Daemon) {
    let (mut rig, daemon) = Rig::running();
    for number in 2..=count {
        rig.pass(HOUR);
        rig.write(3);
        rig.queue(JobKind::Snapshot);
        rig.wait("it is taken", |rig| rig.snapshots().len() >= number);
    }
    rig.wait("all are proven", |rig| rig.snapshots().iter().all(|(_, it)| it.proven.is_some()));
    (rig, daemon)
}

fn delete(rig: &Rig, id: u64) {
    let name = SnapshotName::new(format!("{id:016x}")).unwrap();
    rig.change_backup(|it| it.order_deletion(&name, rig.clock.now()).unwrap());
}

fn ids(rig: &Rig) -> Vec<u64> {
    rig.snapshots().into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_snapshot_is_deleted_a_day_after_that_was_ordered_and_until_then_that_is_undone() {
    let (rig, _daemon) = with_snapshots(3);
    let name = SnapshotName::new(format!("{:016x}", 2)).unwrap();
    delete(&rig, 1);
    delete(&rig, 2);
    rig.pass(23 * HOUR);
    assert!(ids(&rig).starts_with(&[1, 2, 3]));
    let now = rig.clock.now();
    rig.change_backup(|it| it.undo_deletion(&name, now).unwrap());
    rig.wait_while_time_passes("it goes", |rig| !ids(rig).contains(&1));
    rig.wait("people are told", |rig| rig.has_event("SNAPSHOT_DELETED"));
    assert_eq!(rig.backup().deleted_snapshots, [], "in one batch with that");
    assert!(ids(&rig).starts_with(&[2, 3]), "{:?}", ids(&rig));
}

#[test]
fn the_last_one_that_is_as_good_is_not_deleted_whatever_was_ordered() {
    let (mut rig, _daemon) = with_snapshots(1);
    rig.order(Status::Stopped);
    delete(&rig, 1);
    rig.pass(50 * HOUR);
    let over = rig.clock.now();
    rig.wait_while_time_passes(
        "it is looked at when the day is long over",
        |rig| matches!(rig.job(JobKind::Expire).unwrap().state, JobState::Done { at } if at > over),
    );
    assert_eq!(ids(&rig), [1]);
    assert_eq!(rig.backup().deleted_snapshots.len(), 1, "the order stands");
    // Nothing but that kept it.
    rig.order(Status::Started);
    rig.write(3);
    rig.queue(JobKind::Snapshot);
    rig.wait_while_time_passes("it goes once another is as good", |rig| !ids(rig).contains(&1));
}

#[test]
fn a_daemon_that_has_just_begun_deletes_no_snapshot() {
    let (rig, daemon) = with_snapshots(2);
    delete(&rig, 1);
    daemon.shut_down();
    // The clock was wrong when the machine began; nothing that runs has seen it jump.
    rig.clock.set_wall(UnixMillis(rig.clock.now().0 + 30 * 3_600_000));
    let _daemon = rig.daemon("d1");
    rig.pass(20 * HOUR);
    assert!(ids(&rig).starts_with(&[1, 2]));
    rig.wait_while_time_passes("it goes once it was known for a day", |rig| !ids(rig).contains(&1));
}

#[test]
fn snapshots_after_a_divergence_are_kept_as_long_as_others() {
    let (mut rig, _daemon) = Rig::running();
    rig.misfit();
    for _ in 0..5 * 24 {
        rig.pass(HOUR);
        rig.write(1);
    }
    rig.settle();
    rig.wait_while_time_passes("old ones expire", |rig| rig.snapshots().len() <= 2 * 4 + 5);
    rig.wait("the divergence is known", |rig| {
        rig.snapshots().iter().skip(1).all(|(_, it)| it.known_divergences() > 0)
    });
    let days: Vec<u32> = rig.snapshots().iter().map(|(_, it)| it.at.ts.secs / 86_400).collect();
    let first = days[0];
    for day in first..first + 5 {
        assert!(days.contains(&day), "one of each day stays, also of those that differ: {days:?}");
    }
}

#[test]
fn what_a_head_that_lags_stands_on_keeps_no_oplog_in_the_place_of_a_snapshot() {
    let (mut rig, daemon) = Rig::running();
    let retention = Retention { base_days: 30, daily_days: 0, weekly_weeks: 0, monthly_months: 0 };
    rig.change_backup(|it| {
        it.retention = retention.clone();
        it.pitr_window_hours = 1;
        // Of what comes now there is no snapshot for a day.
        it.schedule.interval_hours = 24;
    });
    for _ in 0..4 {
        rig.pass(HOUR);
        rig.write(5);
    }
    rig.settle();
    assert_eq!(ids(&rig).len(), 1);
    // The head stands, and the window moves past it.
    rig.order(Status::Stopped);
    rig.wait("the head is laid down", |rig| !rig.job(JobKind::Apply).unwrap().is_open());
    rig.write(5);
    rig.pass(2 * HOUR);
    let wanted = rig.secs() - 1800;
    rig.order(Status::Started);
    rig.write(5);
    rig.settle();
    let held = rig.held_at(Timestamp { secs: wanted, ordinal: u32::MAX }).unwrap();
    assert_eq!(&held, rig.source.at(wanted), "a second of the window, from before where the head stands now");
    drop(daemon);
}
