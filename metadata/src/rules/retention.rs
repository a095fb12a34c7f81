//! Which snapshots may go.
//!
//! A snapshot is kept while any tier holds it: *base* holds every one for some days; *daily*, *weekly* and *monthly*
//! hold the first one of each day, week (from Monday) and month of the schedule's zone, for longer. "First" is
//! judged among all there are, so what a tier holds never changes as time goes on and new ones come. The newest
//! restorable snapshot never goes, whatever its age, nor does one from the future. Another zone has other days, so
//! after a change of zone two that stood for two days may stand for one, and the later goes.

use crate::error::{Error, Result};
use crate::words::Zone;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::UnixMillis;

/// How long each tier holds what it holds; 0 switches a tier off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// Days for all snapshots.
    pub base_days: u16,
    /// Days for the first of each day.
    pub daily_days: u16,
    /// Weeks for the first of each week.
    pub weekly_weeks: u16,
    /// Months for the first of each month.
    pub monthly_months: u16,
}

impl Default for Retention {
    fn default() -> Self {
        Self { base_days: 2, daily_days: 7, weekly_weeks: 4, monthly_months: 13 }
    }
}

impl Retention {
    /// Checks the numbers.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("base retention in days", self.base_days, 1, 365),
            ("daily retention in days", self.daily_days, 0, 365),
            ("weekly retention in weeks", self.weekly_weeks, 0, 520),
            ("monthly retention in months", self.monthly_months, 0, 120),
        ];
        for (field, value, least, most) in bounds {
            if value < least || value > most {
                return Err(Error::invalid(field, format!("{value}: take {least} to {most}")));
            }
        }
        Ok(())
    }
}

/// What has to be known of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Its name; of two with the same moment the lesser counts as the first.
    pub name: String,
    /// The wall second of its optime, in milliseconds.
    pub taken: UnixMillis,
    /// Whether it can be restored: nothing wrong was found, and it lies on the living branch.
    pub restorable: bool,
    /// Whether somebody or something holds it: a restore that is running, a person.
    pub held: bool,
}

/// The names of the snapshots that may go, oldest first.
///
/// Whether the clock may be trusted is asked first: see [`super::clock_watch`].
///
/// # Errors
/// `Invalid` if the rules are, or this program does not know the zone.
pub fn expired(
    snapshots: &[SnapshotFacts],
    retention: &Retention,
    zone: &Zone,
    now: UnixMillis,
) -> Result<Vec<String>> {
    retention.check()?;
    let rules = zone.rules()?;
    let mut ordered: Vec<&SnapshotFacts> = snapshots.iter().collect();
    ordered.sort_by(|a, b| (a.taken, &a.name).cmp(&(b.taken, &b.name)));
    let last_good = ordered.iter().rev().find(|it| it.restorable).map(|it| it.name.as_str());
    let firsts = firsts(&ordered, &rules)?;
    let limits = limits(retention, &rules, now)?;
    let kept = |it: &SnapshotFacts| {
        it.held
            || it.taken >= now
            || last_good == Some(it.name.as_str())
            || limits.iter().any(|(tier, from)| {
                from.is_some_and(|from| it.taken >= from)
                    && (*tier == Tier::Base
                        || firsts.get(tier).is_some_and(|all| all.contains(it.name.as_str())))
            })
    };
    Ok(ordered.into_iter().filter(|it| !kept(it)).map(|it| it.name.clone()).collect())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Base,
    Daily,
    Weekly,
    Monthly,
}

/// Until when each snapshot is held as things are: for people, since the length of months makes it a day or two unsharp,
/// and the newest restorable one stays in any case.
///
/// # Errors
/// As [`expired`].
pub fn held_until(
    snapshots: &[SnapshotFacts],
    retention: &Retention,
    zone: &Zone,
) -> Result<BTreeMap<String, UnixMillis>> {
    retention.check()?;
    let rules = zone.rules()?;
    let mut ordered: Vec<&SnapshotFacts> = snapshots.iter().collect();
    ordered.sort_by(|a, b| (a.taken, &a.name).cmp(&(b.taken, &b.name)));
    let firsts = firsts(&ordered, &rules)?;
    let spans = [
        (Tier::Base, Span::new().days(i64::from(retention.base_days))),
        (Tier::Daily, Span::new().days(i64::from(retention.daily_days))),
        (Tier::Weekly, Span::new().weeks(i64::from(retention.weekly_weeks))),
        (Tier::Monthly, Span::new().months(i64::from(retention.monthly_months))),
    ];
    let mut held = BTreeMap::new();
    for snapshot in ordered {
        let taken = stamp(snapshot.taken)?.to_zoned(rules.clone());
        let is_held = |tier: &Tier| {
            *tier == Tier::Base || firsts.get(tier).is_some_and(|all| all.contains(snapshot.name.as_str()))
        };
        let ends = spans.iter().filter(|(tier, _)| is_held(tier));
        let ends = ends.filter_map(|(_, span)| taken.checked_add(*span).ok());
        let ends = ends.filter_map(|end| u64::try_from(end.timestamp().as_millisecond()).ok());
        held.insert(snapshot.name.clone(), UnixMillis(ends.max().unwrap_or(u64::MAX)));
    }
    Ok(held)
}

/// The moment from which each tier holds; none for a tier that is off.
fn limits(
    retention: &Retention,
    rules: &TimeZone,
    now: UnixMillis,
) -> Result<[(Tier, Option<UnixMillis>); 4]> {
    const DAY_MS: u64 = 24 * 3_600_000;
    let back = |days: u64| (days > 0).then(|| UnixMillis(now.0.saturating_sub(days * DAY_MS)));
    let months = i64::from(retention.monthly_months);
    let monthly = if months > 0 {
        let span = Span::new().months(months);
        // Before the calendar began: everything is younger.
        let from = stamp(now)?.to_zoned(rules.clone()).checked_sub(span).ok();
        Some(UnixMillis(from.and_then(|it| u64::try_from(it.timestamp().as_millisecond()).ok()).unwrap_or(0)))
    } else {
        None
    };
    Ok([
        (Tier::Base, back(retention.base_days.into())),
        (Tier::Daily, back(retention.daily_days.into())),
        (Tier::Weekly, back(7 * u64::from(retention.weekly_weeks))),
        (Tier::Monthly, monthly),
    ])
}

/// For each tier the names of the snapshots that come first in their day, week or month. A snapshot that cannot be
/// restored is never the first: the next one stands for that time.
fn firsts<'a>(ordered: &[&'a SnapshotFacts], rules: &TimeZone) -> Result<BTreeMap<Tier, BTreeSet<&'a str>>> {
    let mut seen: BTreeSet<(Tier, Date)> = BTreeSet::new();
    let mut firsts: BTreeMap<Tier, BTreeSet<&str>> = BTreeMap::new();
    for snapshot in ordered.iter().filter(|it| it.restorable) {
        let day = stamp(snapshot.taken)?.to_zoned(rules.clone()).date();
        let since_monday = day.weekday().since(Weekday::Monday);
        let monday = day.saturating_sub(Span::new().days(since_monday));
        for period in [(Tier::Daily, day), (Tier::Weekly, monday), (Tier::Monthly, day.first_of_month())] {
            if seen.insert(period) {
                firsts.entry(period.0).or_default().insert(&snapshot.name);
            }
        }
    }
    Ok(firsts)
}

fn stamp(moment: UnixMillis) -> Result<Timestamp> {
    let found = i64::try_from(moment.0).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
    found.ok_or_else(|| Error::invalid("time", "it is beyond the calendar"))
}

#[cfg(test)]
mod tests;
