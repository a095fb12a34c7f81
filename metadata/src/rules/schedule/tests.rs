//! Schedules across days, zones and summer time.

use super::*;
use proptest::prelude::*;

fn schedule(interval_hours: u8, reference_hour: u8, zone: &str) -> Schedule {
    Schedule { interval_hours, reference_hour, zone: Zone::new(zone).unwrap() }
}

fn at(text: &str) -> UnixMillis {
    UnixMillis(u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap())
}

fn text(moment: UnixMillis) -> String {
    Timestamp::from_millisecond(i64::try_from(moment.0).unwrap()).unwrap().to_string()
}

/// The next few moments.
fn run(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let mut now = at(after);
    let step = |_| {
        now = schedule.next(now).unwrap();
        text(now)
    };
    (0..count).map(step).collect()
}

#[test]
fn six_hours_from_midnight() {
    let found = run(&Schedule::default(), "2026-11-22T05:59:59.999Z", 4);
    assert_eq!(
        found,
        ["2026-11-22T06:00:00Z", "2026-11-22T12:00:00Z", "2026-11-22T18:00:00Z", "2026-11-23T00:00:00Z"]
    );
    assert_eq!(
        run(&Schedule::default(), "2026-11-22T06:00:00Z", 1),
        ["2026-11-22T12:00:00Z"],
        "strictly after"
    );
}

#[test]
fn the_reference_hour_and_the_zone_move_them() {
    let found = run(&schedule(8, 5, "Asia/Kolkata"), "2026-11-22T00:00:00Z", 3);
    // 05:00, 13:00, 21:00 at +05:30.
    assert_eq!(found, ["2026-11-22T07:30:00Z", "2026-11-22T15:30:00Z", "2026-11-22T23:30:00Z"]);
    let daily = run(&schedule(24, 23, "America/New_York"), "2026-12-31T12:00:00Z", 2);
    assert_eq!(daily, ["2027-01-01T04:00:00Z", "2027-01-02T04:00:00Z"]);
}

#[test]
fn summer_time_begins() {
    // Berlin, 2026-03-29: 02:00 is 03:00. Six-hourly from 2: the one at 02:00 is taken at the jump.
    let found = run(&schedule(6, 2, "Europe/Berlin"), "2026-03-28T20:00:00Z", 3);
    assert_eq!(found, ["2026-03-29T01:00:00Z", "2026-03-29T06:00:00Z", "2026-03-29T12:00:00Z"]);
    // Hourly: 02:00 and 03:00 are one moment, taken once.
    let hourly = run(&schedule(1, 0, "Europe/Berlin"), "2026-03-28T23:30:00Z", 3);
    assert_eq!(hourly, ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]);
}

#[test]
fn summer_time_ends() {
    // Berlin, 2026-10-25: 02:00 comes twice; the first counts.
    let found = run(&schedule(6, 2, "Europe/Berlin"), "2026-10-24T19:00:00Z", 3);
    assert_eq!(found, ["2026-10-25T00:00:00Z", "2026-10-25T07:00:00Z", "2026-10-25T13:00:00Z"]);
}

#[test]
fn odd_zones() {
    // Lord Howe moves by half an hour; 2026-10-04 02:00 is 02:30, at +10:30 before and +11 after.
    let found = run(&schedule(24, 2, "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 2);
    assert_eq!(found, ["2026-10-03T15:30:00Z", "2026-10-04T15:00:00Z"]);
    // Samoa had no 2011-12-30.
    let samoa = run(&schedule(24, 12, "Pacific/Apia"), "2011-12-29T23:00:00Z", 2);
    assert_eq!(samoa, ["2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"]);
    // Midnight does not exist in Havana on 2026-03-08.
    let havana = run(&schedule(24, 0, "America/Havana"), "2026-03-07T12:00:00Z", 2);
    assert_eq!(havana, ["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"]);
}

#[test]
fn wrong_numbers_are_refused() {
    for (interval, hour) in [(0, 0), (5, 0), (7, 0), (48, 0), (255, 0), (6, 24), (6, 255)] {
        let bad = Schedule { interval_hours: interval, reference_hour: hour, zone: Zone::utc() };
        assert!(bad.check().is_err() && bad.next(UnixMillis(0)).is_err(), "{interval} {hour}");
    }
    assert!(Schedule::default().next(UnixMillis(u64::MAX)).is_err());
    assert!(Schedule::default().next(UnixMillis(253_402_207_200_000)).is_err(), "the end of the year 9999");
}

proptest! {
    #[test]
    fn the_next_one_is_later_and_never_far_and_none_lies_between(
        secs in 0u64..4_000_000_000,
        interval in prop::sample::select(vec![1u8, 2, 3, 4, 6, 8, 12, 24]),
        hour in 0u8..24,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "America/Havana",
            "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Antarctica/Troll"]),
    ) {
        let schedule = schedule(interval, hour, zone);
        let now = UnixMillis(secs * 1000);
        let next = schedule.next(now).unwrap();
        prop_assert!(next > now);
        // A zone that skips a day (Samoa) is the worst there is.
        let most = (u64::from(interval) + 25) * 3_600_000;
        prop_assert!(next.0 - now.0 <= most, "{} after {}", text(next), text(now));
        // From any moment before it, it is still the next.
        let middle = UnixMillis(now.0 + (next.0 - now.0) / 2);
        if middle < next {
            prop_assert_eq!(schedule.next(middle).unwrap(), next);
        }
    }
}
