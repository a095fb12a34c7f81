//! What goes and what stays, over days and years.

use super::*;
use proptest::prelude::*;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// So long that nothing lies before it: only the tiers and the last ones keep anything.
const NO_WINDOW: u16 = u16::MAX;
/// So short that it keeps no longer than a tier does.
const WINDOW_HOURS: u16 = 1;

fn at(text: &str) -> UnixMillis {
    UnixMillis(u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap())
}

fn snapshot(taken: UnixMillis) -> SnapshotFacts {
    let name = format!("{:020}", taken.0);
    let (worth, is_proven) = (Worth::Proven, true);
    SnapshotFacts { name, taken, worth, is_proven, stood_until: None, held: false, deleted: None }
}

fn with(worth: Worth, taken: UnixMillis) -> SnapshotFacts {
    SnapshotFacts { worth, is_proven: worth != Worth::Stored, ..snapshot(taken) }
}

fn try_run(
    all: &[SnapshotFacts],
    retention: &Retention,
    zone: &Zone,
    now: UnixMillis,
) -> Result<Vec<String>> {
    expired(all, Policy { retention, zone, window_hours: NO_WINDOW }, now)
}

fn run(all: &[SnapshotFacts], now: UnixMillis) -> Vec<String> {
    try_run(all, &Retention::default(), &Zone::utc(), now).unwrap()
}

/// A service that takes a snapshot every six hours and lets go what may go, for so many days.
fn live(from: UnixMillis, days: u64) -> (Vec<SnapshotFacts>, UnixMillis) {
    let mut all: Vec<SnapshotFacts> = Vec::new();
    let mut now = from;
    for step in 0..days * 4 {
        now = UnixMillis(from.0 + step * 6 * HOUR);
        all.push(snapshot(now));
        let gone = run(&all, now);
        all.retain(|it| !gone.contains(&it.name));
    }
    (all, now)
}

fn dates(all: &[SnapshotFacts]) -> Vec<String> {
    let text = |it: &SnapshotFacts| {
        Timestamp::from_millisecond(i64::try_from(it.taken.0).unwrap()).unwrap().to_string()
    };
    all.iter().map(|it| text(it).replace(":00:00Z", "")).collect()
}

#[test]
fn two_years_leave_what_the_tiers_hold() {
    let (all, now) = live(at("2025-01-01T00:00:00Z"), 730);
    assert_eq!(dates(&[snapshot(now)]), ["2026-12-31T18"]);
    assert_eq!(
        dates(&all),
        [
            // The first of each month, for thirteen.
            "2025-12-01T00",
            "2026-01-01T00",
            "2026-02-01T00",
            "2026-03-01T00",
            "2026-04-01T00",
            "2026-05-01T00",
            "2026-06-01T00",
            "2026-07-01T00",
            "2026-08-01T00",
            "2026-09-01T00",
            "2026-10-01T00",
            "2026-11-01T00",
            "2026-12-01T00",
            // Mondays for four weeks, days for seven.
            "2026-12-07T00",
            "2026-12-14T00",
            "2026-12-21T00",
            "2026-12-25T00",
            "2026-12-26T00",
            "2026-12-27T00",
            "2026-12-28T00",
            "2026-12-29T00",
            // And all of the last two days.
            "2026-12-29T18",
            "2026-12-30T00",
            "2026-12-30T06",
            "2026-12-30T12",
            "2026-12-30T18",
            "2026-12-31T00",
            "2026-12-31T06",
            "2026-12-31T12",
            "2026-12-31T18",
        ]
    );
}

#[test]
fn the_last_restorable_one_stays_whatever_its_age() {
    let old = snapshot(at("2020-01-01T00:00:00Z"));
    let bad = with(Worth::Dead, at("2020-01-02T00:00:00Z"));
    let older = snapshot(at("2019-01-02T00:00:00Z"));
    let all = [bad.clone(), old, older.clone()];
    assert_eq!(run(&all, at("2026-01-01T00:00:00Z")), [older.name, bad.name]);
}

#[test]
fn what_is_held_or_from_the_future_stays() {
    let now = at("2026-06-15T12:00:00Z");
    let held = SnapshotFacts { held: true, ..snapshot(at("2020-01-02T00:00:00Z")) };
    let (future, good) = (snapshot(UnixMillis(now.0 + DAY)), snapshot(now));
    assert!(run(&[held, future, good], now).is_empty());
}

#[test]
fn one_that_cannot_be_restored_stands_for_no_day() {
    let now = at("2026-06-15T12:00:00Z");
    let bad = with(Worth::Dead, at("2026-06-10T00:00:00Z"));
    let next = snapshot(at("2026-06-10T06:00:00Z"));
    let third = snapshot(at("2026-06-10T12:00:00Z"));
    let all = [bad.clone(), next, third.clone(), snapshot(now)];
    assert_eq!(run(&all, now), [bad.name, third.name]);
}

#[test]
fn the_limits_are_exact() {
    let zone = Zone::utc();
    let only = |base_days, daily_days, weekly_weeks, monthly_months| Retention {
        base_days,
        daily_days,
        weekly_weeks,
        monthly_months,
    };
    let good = |now: u64| snapshot(UnixMillis(now));
    for (retention, days) in [(only(1, 0, 0, 0), 1), (only(1, 5, 0, 0), 5), (only(1, 0, 3, 0), 21)] {
        let it = snapshot(at("2026-06-10T00:00:00Z"));
        let at_limit = it.taken.0 + days * DAY;
        let gone = |now| try_run(&[it.clone(), good(now)], &retention, &zone, UnixMillis(now)).unwrap();
        assert!(gone(at_limit).is_empty(), "{retention:?}");
        assert_eq!(gone(at_limit + 1), std::slice::from_ref(&it.name), "{retention:?}");
    }
    let monthly = only(1, 0, 0, 1);
    let it = snapshot(at("2026-02-03T00:00:00Z"));
    let gone = |now: &str| try_run(&[it.clone(), good(at(now).0)], &monthly, &zone, at(now)).unwrap();
    assert!(gone("2026-03-03T00:00:00Z").is_empty());
    assert_eq!(gone("2026-03-03T00:00:01Z"), std::slice::from_ref(&it.name));
}

#[test]
fn days_are_those_of_the_zone() {
    let now = at("2026-06-15T12:00:00Z");
    // Two of one day in UTC, of two days in Auckland.
    let (a, b) = (snapshot(at("2026-06-10T06:00:00Z")), snapshot(at("2026-06-10T18:00:00Z")));
    let all = [a, b.clone(), snapshot(now)];
    assert_eq!(run(&all, now), [b.name]);
    let zone = Zone::new("Pacific/Auckland").unwrap();
    assert!(try_run(&all, &Retention::default(), &zone, now).unwrap().is_empty());
}

#[test]
fn wrong_numbers_are_refused() {
    let good = Retention::default();
    for bad in [
        Retention { base_days: 0, ..good.clone() },
        Retention { base_days: 366, ..good.clone() },
        Retention { monthly_months: 121, ..good.clone() },
        Retention { weekly_weeks: u16::MAX, ..good },
    ] {
        assert!(bad.check().is_err() && try_run(&[], &bad, &Zone::utc(), UnixMillis(0)).is_err());
    }
    let far = snapshot(UnixMillis(u64::MAX));
    assert!(try_run(&[far], &Retention::default(), &Zone::utc(), UnixMillis(0)).is_err());
}

proptest! {
    #[test]
    fn something_restorable_is_always_left_and_the_young_stay(
        hours in prop::collection::btree_set(0u64..20_000, 1..60),
        bad in any::<u64>(),
        now in 0u64..25_000,
        base in 1u16..5, daily in 0u16..9, weekly in 0u16..5, monthly in 0u16..14,
    ) {
        let all: Vec<SnapshotFacts> = hours.iter().enumerate().map(|(n, hour)| SnapshotFacts {
            worth: [Worth::Damaged, Worth::Dead, Worth::Diverged, Worth::Stored, Worth::Proven]
                [usize::try_from((bad >> (3 * n % 60) & 7).min(4)).unwrap()],
            ..snapshot(UnixMillis(START + hour * HOUR))
        }).collect();
        let now = UnixMillis(START + now * HOUR);
        let retention = Retention { base_days: base, daily_days: daily, weekly_weeks: weekly, monthly_months: monthly };
        let gone = try_run(&all, &retention, &Zone::utc(), now).unwrap();
        let left: Vec<&SnapshotFacts> = all.iter().filter(|it| !gone.contains(&it.name)).collect();
        let best = all.iter().map(|it| it.worth).max().unwrap();
        for least in [Worth::Diverged, best] {
            prop_assert_eq!(
                all.iter().rev().find(|it| it.worth >= least),
                left.iter().rev().copied().find(|it| it.worth >= least),
                "the last good one stays"
            );
        }
        for it in &all {
            if it.taken.0 + u64::from(base) * DAY >= now.0 {
                prop_assert!(!gone.contains(&it.name), "{} is young", it.name);
            }
        }
        // Letting go is final: a second look finds nothing more, and a later one brings nothing back.
        let rest: Vec<SnapshotFacts> = left.into_iter().cloned().collect();
        prop_assert!(try_run(&rest, &retention, &Zone::utc(), now).unwrap().is_empty());
    }
}

const START: u64 = 1_700_000_000_000;

#[test]
fn what_is_said_of_the_end_comes_true_within_days() {
    let (mut all, now) = live(at("2025-01-01T00:00:00Z"), 400);
    all.push(snapshot(UnixMillis(now.0 + 5000 * DAY)));
    let (retention, zone) = (Retention::default(), Zone::utc());
    let policy = Policy { retention: &retention, zone: &zone, window_hours: WINDOW_HOURS };
    let held = held_until(&all, policy).unwrap();
    assert_eq!(held[&all[all.len() - 1].name], None, "the last one stays");
    for it in &all[..all.len() - 2] {
        let end = held[&it.name].unwrap().0;
        assert!(!run(&all, UnixMillis(end - 3 * DAY)).contains(&it.name), "{it:?}");
        assert!(run(&all, UnixMillis(end + 3 * DAY)).contains(&it.name), "{it:?}");
    }
}

#[test]
fn after_a_divergence_the_tiers_go_on_holding() {
    // Two clean days, and from then on nothing is clean any more.
    let from = at("2026-05-04T00:00:00Z");
    let day = |n: u64| UnixMillis(from.0 + n * DAY);
    let all: Vec<SnapshotFacts> =
        (0..40).map(|n| with(if n < 2 { Worth::Proven } else { Worth::Diverged }, day(n))).collect();
    let gone = run(&all, day(39));
    let left: Vec<SnapshotFacts> = all.into_iter().filter(|it| !gone.contains(&it.name)).collect();
    assert_eq!(
        dates(&left),
        [
            "2026-05-04T00", // of the month, and of the week
            "2026-05-05T00", // the last clean one
            "2026-05-18T00",
            "2026-05-25T00",
            "2026-06-01T00",
            "2026-06-05T00",
            "2026-06-06T00",
            "2026-06-07T00",
            "2026-06-08T00",
            "2026-06-09T00",
            "2026-06-10T00",
            "2026-06-11T00",
            "2026-06-12T00",
        ]
    );
}

#[test]
fn of_a_day_the_first_of_the_best_stays() {
    let now = at("2026-06-15T12:00:00Z");
    let hour = |hour: u64| UnixMillis(at("2026-06-10T00:00:00Z").0 + hour * HOUR);
    let worths = [Worth::Dead, Worth::Diverged, Worth::Stored, Worth::Proven, Worth::Proven];
    let mut all: Vec<SnapshotFacts> = (0_u64..).zip(worths).map(|(n, it)| with(it, hour(n))).collect();
    all.push(snapshot(now));
    let others: Vec<String> = [0, 1, 2, 4].map(|n| all[n].name.clone()).into();
    assert_eq!(run(&all, now), others);
    let (retention, zone) = (Retention::default(), Zone::utc());
    let policy = Policy { retention: &retention, zone: &zone, window_hours: WINDOW_HOURS };
    let held = held_until(&all, policy).unwrap();
    assert_eq!(
        held[&all[3].name],
        Some(at("2027-07-10T03:00:00Z")),
        "the page says so: it is that of its month"
    );
    assert_eq!(held[&all[1].name].map(|it| it.0), Some(hour(1).0 + 2 * DAY));
}

#[test]
fn the_one_that_the_window_begins_at_stays_until_the_next_one_is_old_enough() {
    let retention = Retention { base_days: 1, daily_days: 0, weekly_weeks: 0, monthly_months: 0 };
    let zone = Zone::utc();
    let policy = Policy { retention: &retention, zone: &zone, window_hours: 72 };
    let from = at("2026-06-10T00:00:00Z").0;
    let day = |n: u64| snapshot(UnixMillis(from + n * DAY));
    let all = [with(Worth::Dead, UnixMillis(from + DAY / 2)), day(0), day(1), day(4), day(5)];
    let gone = |now: u64| expired(&all, policy, UnixMillis(now)).unwrap();
    let dead = all[0].name.clone();
    assert_eq!(
        gone(from + 5 * DAY),
        [all[1].name.clone(), dead.clone()],
        "the window begins at the second day"
    );
    let end = from + 4 * DAY + 1000 + 72 * HOUR;
    assert_eq!(held_until(&all, policy).unwrap()[&all[2].name], Some(UnixMillis(end)));
    assert!(!gone(end - 1).contains(&all[2].name));
    assert_eq!(gone(end), [all[1].name.clone(), dead, all[2].name.clone()]);
}

#[test]
fn one_that_nobody_has_read_does_not_open_the_window_alone() {
    let retention = Retention { base_days: 1, daily_days: 0, weekly_weeks: 0, monthly_months: 0 };
    let zone = Zone::utc();
    let policy = Policy { retention: &retention, zone: &zone, window_hours: 24 };
    let now = at("2026-06-15T12:00:00Z");
    let back = |days: u64| UnixMillis(now.0 - days * DAY);
    for worth in [Worth::Stored, Worth::Diverged] {
        let unread = |days| SnapshotFacts { is_proven: false, ..with(worth, back(days)) };
        let mut all = [snapshot(back(5)), snapshot(back(4)), unread(3), unread(2), snapshot(now)];
        let gone = |all: &[SnapshotFacts]| expired(all, policy, now).unwrap();
        let first = all[0].name.clone();
        assert_eq!(
            gone(&all),
            [first.clone(), all[2].name.clone()],
            "the second stays until the fourth is read"
        );
        all[3].is_proven = true;
        assert_eq!(gone(&all), [first, all[1].name.clone(), all[2].name.clone()]);
    }
}

#[test]
fn what_stood_for_the_head_a_while_ago_stays() {
    let now = at("2026-06-15T12:00:00Z");
    let old = at("2026-06-02T01:00:00Z");
    let stood = |days: u64| {
        let stood_until = Some(UnixMillis(now.0 - days * DAY));
        [SnapshotFacts { stood_until, ..snapshot(old) }, snapshot(at("2026-06-02T00:00:00Z")), snapshot(now)]
    };
    assert!(run(&stood(2), now).is_empty());
    let all = stood(3);
    assert_eq!(run(&all, now), [all[0].name.clone()]);
}

#[test]
fn one_whose_deletion_was_ordered_stands_for_nothing_and_the_last_good_one_is_not_deleted() {
    let now = at("2026-06-15T12:00:00Z");
    let first = snapshot(at("2026-06-10T00:00:00Z"));
    let second = snapshot(at("2026-06-10T06:00:00Z"));
    let diverged = with(Worth::Diverged, now);
    let marked = SnapshotFacts { deleted: Some(now), ..first.clone() };
    assert_eq!(run(&[first.clone(), second.clone(), snapshot(now)], now), std::slice::from_ref(&second.name));
    let all = [marked, second.clone(), diverged.clone()];
    assert!(run(&all, now).is_empty(), "the second stands for its day now, and is the last good one");
    assert!(may_be_deleted(&all, &first.name) && !may_be_deleted(&all, &second.name));
    assert!(may_be_deleted(&all, &diverged.name), "a better one is left");
    assert!(!may_be_deleted(&all, "another"));
}

#[test]
fn what_a_snapshot_is_worth() {
    for (damaged, dead, divergences, proven, worth) in [
        (false, true, 0, true, Worth::Dead),
        (false, false, 1, true, Worth::Diverged),
        (false, false, 1, false, Worth::Diverged),
        (false, false, 0, false, Worth::Stored),
        (false, false, 0, true, Worth::Proven),
        (true, false, 0, false, Worth::Damaged),
        (true, true, 1, false, Worth::Damaged),
    ] {
        let found = Findings { is_damaged: damaged, is_dead_branch: dead, divergences, is_proven: proven };
        assert_eq!(Worth::of(found), worth, "{found:?}");
    }
}

#[test]
fn one_that_is_damaged_is_never_the_reason_why_a_good_one_goes() {
    let now = at("2026-06-15T12:00:00Z");
    let day = |n: u64| UnixMillis(at("2026-06-01T00:00:00Z").0 + n * DAY);
    // The only good one is old, and all after it turned out to be damaged, today's too.
    let good = snapshot(UnixMillis(day(0).0 + HOUR));
    let mut all = vec![good.clone()];
    all.extend((0..15).map(|n| with(Worth::Damaged, day(n))));
    let gone = run(&all, now);
    assert!(!gone.contains(&good.name), "the last one that can be restored");
    let young = [13, 14].map(|n| with(Worth::Damaged, day(n)).name);
    let left: Vec<&str> =
        all.iter().map(|it| it.name.as_str()).filter(|it| !gone.contains(&(*it).into())).collect();
    assert_eq!(left, [&good.name, &young[0], &young[1]], "the first of a day, and they stand for no day");
    assert!(!may_be_deleted(&all, &good.name) && may_be_deleted(&all, &young[1]));
    // Nor does one open the window.
    let retention = Retention { base_days: 1, daily_days: 0, weekly_weeks: 0, monthly_months: 0 };
    let (zone, window_hours) = (Zone::utc(), 24);
    let policy = Policy { retention: &retention, zone: &zone, window_hours };
    let newest = snapshot(UnixMillis(now.0 - HOUR));
    let all = [good.clone(), with(Worth::Damaged, day(12)), newest];
    assert_eq!(expired(&all, policy, now).unwrap(), [all[1].name.clone()]);
    let end = now.0 - HOUR + 1000 + 24 * HOUR;
    assert_eq!(held_until(&all, policy).unwrap()[&good.name], Some(UnixMillis(end)));
}
