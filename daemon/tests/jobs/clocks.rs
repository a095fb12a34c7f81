//! Clocks that jump, and clocks that differ: nothing expires wrongly.

use crate::rig::{HOUR, Rig};
use std::time::Duration;
use tidemark_base::{Clock, UnixMillis};

/// Three days of snapshots, of which some would expire in a moment.
fn three_days() -> (Rig, tidemark_daemon::Daemon) {
    let (mut rig, daemon) = Rig::running();
    for _ in 0..2 * 24 {
        rig.pass(HOUR);
        rig.write(1);
    }
    (rig, daemon)
}

fn jump(rig: &Rig, hours: i64) {
    let now = rig.clock.now();
    rig.clock.set_wall(UnixMillis(now.0.saturating_add_signed(hours * 3_600_000)));
}

#[test]
fn a_clock_that_jumps_an_hour_back_and_forth_lets_nothing_expire_for_a_day() {
    let (mut rig, _daemon) = three_days();
    for hours in [1, -1] {
        jump(&rig, hours);
        // The source's clock went on as it should.
        rig.ahead_ms -= hours * 3_600_000;
        let before: Vec<u64> = rig.snapshots().into_iter().map(|(id, _)| id).collect();
        let oldest = before[0];
        rig.pass(8 * HOUR);
        let after: Vec<u64> = rig.snapshots().into_iter().map(|(id, _)| id).collect();
        assert!(before.iter().all(|id| after.contains(id)), "{before:?} {after:?}");
        assert!(after.contains(&oldest));
        assert!(rig.has_event("EXPIRY_PAUSED"));
    }
    let many = rig.snapshots().len();
    rig.pass(26 * HOUR);
    rig.wait_while_time_passes("it recovers by itself", |rig| {
        rig.has_event("EXPIRY_RESUMED") && rig.snapshots().len() < many
    });
}

#[test]
fn a_clock_that_differs_from_the_sources_lets_nothing_expire() {
    let (mut rig, _daemon) = three_days();
    rig.ahead_ms = 11 * 60_000;
    rig.pass(HOUR);
    let before = rig.snapshots().len();
    rig.pass(24 * HOUR);
    assert!(rig.snapshots().len() >= before);
    assert!(rig.has_event("EXPIRY_PAUSED"));
    rig.ahead_ms = 0;
    rig.wait_while_time_passes("it recovers by itself", |rig| rig.snapshots().len() < before);
}

#[test]
fn without_a_source_nothing_expires() {
    let (mut rig, _daemon) = three_days();
    let before = rig.snapshots().len();
    for _ in 0..48 {
        rig.clock.advance(HOUR);
        rig.write(1);
        std::thread::sleep(Duration::from_millis(15));
    }
    assert!(rig.snapshots().len() >= before);
}
