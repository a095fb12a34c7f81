//! Clocks that jump, and clocks that differ: nothing expires wrongly.

use crate::rig::{HOUR, Rig};
use std::time::Duration;
use tidemark_base::{Clock, UnixMillis};
use tidemark_metadata::{JobKind, JobState};

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

#[test]
fn that_expiry_goes_on_is_told_also_if_the_daemon_that_paused_it_is_gone() {
    let (mut rig, daemon) = Rig::running();
    rig.ahead_ms = 11 * 60_000;
    rig.wait_while_time_passes("people are told", |rig| rig.has_event("EXPIRY_PAUSED"));
    daemon.shut_down();
    rig.ahead_ms = 0;
    let _daemon = rig.daemon("d1");
    rig.wait_while_time_passes("it goes on", |rig| rig.has_event("EXPIRY_RESUMED"));
    rig.pass(4 * HOUR);
    let told = |code: &str| rig.events().iter().filter(|it| it.what.code.as_str() == code).count();
    assert_eq!((told("EXPIRY_PAUSED"), told("EXPIRY_RESUMED")), (1, 1), "each once: {:#?}", rig.events());
}

#[test]
fn a_daemon_that_begins_does_not_pause_again_what_is_paused() {
    let (mut rig, daemon) = Rig::running();
    rig.ahead_ms = 11 * 60_000;
    rig.wait_while_time_passes("people are told", |rig| rig.has_event("EXPIRY_PAUSED"));
    daemon.shut_down();
    let _daemon = rig.daemon("d1");
    rig.pass(4 * HOUR);
    let told = rig.events().iter().filter(|it| it.what.code.as_str() == "EXPIRY_PAUSED").count();
    assert_eq!(told, 1, "{:#?}", rig.events());
}

#[test]
fn a_daemon_that_has_just_begun_takes_no_silence_for_news() {
    let (rig, _daemon) = Rig::running();
    let has_looked = |rig: &Rig, since: UnixMillis| {
        let job = rig.job(JobKind::Expire).map(|it| it.state);
        matches!(job, Some(JobState::Done { at }) if at >= since)
    };
    rig.clock.advance(HOUR / 2);
    let then = rig.clock.now();
    rig.wait("it has looked what may go", |rig| has_looked(rig, then));
    assert!(!rig.has_event("EXPIRY_PAUSED"), "{:#?}", rig.events());
    rig.clock.advance(HOUR);
    rig.wait("people are told of a source that stays silent", |rig| rig.has_event("EXPIRY_PAUSED"));
}
