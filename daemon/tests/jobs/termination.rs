//! Terminating: undone for a day, and then everything goes.

use crate::rig::{HOUR, Rig};
use tidemark_metadata::Status;

#[test]
fn a_termination_is_undone_for_a_day_and_then_everything_goes() {
    let (mut rig, _daemon) = Rig::running();
    let refs = |rig: &Rig| rig.store.list_refs(&format!("{}/", rig.name.prefix())).unwrap().len();
    rig.order(Status::Stopped);
    rig.wait("it rests", |rig| !rig.job(tidemark_metadata::JobKind::Apply).unwrap().is_open());
    let before = refs(&rig);
    rig.order(Status::Terminating);
    rig.pass(23 * HOUR);
    assert_eq!(refs(&rig), before);
    rig.order(Status::Stopped);
    rig.pass(30 * HOUR);
    assert!(rig.snapshots().len() == 1 && rig.backup().status == Status::Stopped);
    rig.order(Status::Started);
    rig.write(5);
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
    rig.order(Status::Stopped);
    rig.order(Status::Terminating);
    rig.pass(24 * HOUR);
    rig.wait_while_time_passes("everything is deleted", |rig| rig.backup().status == Status::Inactive);
    assert_eq!(refs(&rig), 0);
    assert!(rig.has_event("BACKUP_DELETED"));
    // And it can be begun again.
    rig.order(Status::Provisioning);
    rig.copy();
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
}

#[test]
fn a_clock_that_jumps_a_day_deletes_nothing() {
    let (rig, _daemon) = Rig::running();
    rig.order(Status::Stopped);
    rig.order(Status::Terminating);
    rig.pass(HOUR);
    let now = tidemark_base::Clock::now(rig.clock.as_ref());
    rig.clock.set_wall(tidemark_base::UnixMillis(now.0 + 30 * 3_600_000));
    rig.pass(HOUR);
    assert_eq!(rig.backup().status, Status::Terminating);
    assert_eq!(rig.snapshots().len(), 1);
}

#[test]
fn a_daemon_that_has_just_begun_deletes_nothing() {
    let (rig, daemon) = Rig::running();
    rig.order(Status::Stopped);
    rig.wait("it rests", |rig| !rig.job(tidemark_metadata::JobKind::Apply).unwrap().is_open());
    rig.order(Status::Terminating);
    daemon.shut_down();
    // While none runs the clock goes wrong, and whoever begins then has seen no jump.
    let now = tidemark_base::Clock::now(rig.clock.as_ref());
    rig.clock.set_wall(tidemark_base::UnixMillis(now.0 + 30 * 3_600_000));
    let daemon = rig.daemon("d1");
    rig.pass(23 * HOUR);
    assert_eq!((rig.backup().status, rig.snapshots().len()), (Status::Terminating, 1));
    // Begun again, it counts again.
    daemon.shut_down();
    let _daemon = rig.daemon("d1");
    rig.pass(23 * HOUR);
    assert_eq!((rig.backup().status, rig.snapshots().len()), (Status::Terminating, 1));
    rig.wait_while_time_passes("everything is deleted", |rig| rig.backup().status == Status::Inactive);
}
