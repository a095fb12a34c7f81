//! Which snapshots may go.
//!
//! Asked by the daemon, which lets them go, and by the page, which says until when they stay: of the same facts, so that
//! both mean the same. A snapshot is kept while any tier holds it: *base* holds every one for some days; *daily*,
//! *weekly* and *monthly* hold one of each day, week (from Monday) and month of the schedule's zone, for longer: of the
//! best of that time the first. What the source had is asked for before order, so one that differs from the source, or
//! of which less is known, stands for a day only where there is no better; a branch that the source left stands for
//! none, and neither does one that was found to be damaged. Another zone has other days, so after a change of zone two that stood for two days may stand for one, and the
//! later goes.
//!
//! Beyond the tiers these stay, whatever their age: the newest of the best there are, the newest that is sound and no dead
//! branch, and of those the newest from before the window in which any second can be restored, since that begins at it.
//! One whose deletion was ordered counts for nothing of this.
//!
//! Not here: whether the clock may be trusted ([`super::clock_watch`]), and deleting.

use crate::error::{Error, Result};
use crate::words::Zone;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::UnixMillis;

const SECOND_MS: u64 = 1000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

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

/// What keeps the snapshots of a backup.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// How long tiers hold.
    pub retention: &'a Retention,
    /// Whose days they are.
    pub zone: &'a Zone,
    /// How far back any second can be restored, in hours.
    pub window_hours: u16,
}

/// How much is to be expected of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// When it was read, a part of it could not be: it may stand for nothing that a sound one does.
    Damaged,
    /// A state that the source left.
    Dead,
    /// Something did not fit.
    Diverged,
    /// Nothing is known against it.
    Stored,
    /// All of it was read.
    Proven,
}

/// What a snapshot's ref says of it.
#[derive(Clone, Copy, Debug)]
pub struct Findings {
    /// Whether the last proof failed.
    pub is_damaged: bool,
    /// Whether the source left it.
    pub is_dead_branch: bool,
    /// How many operations did not fit.
    pub divergences: u64,
    /// Whether all of it was read.
    pub is_proven: bool,
}

impl Worth {
    /// That of a snapshot.
    #[must_use]
    pub const fn of(found: Findings) -> Self {
        match found {
            Findings { is_damaged: true, .. } => Self::Damaged,
            Findings { is_dead_branch: true, .. } => Self::Dead,
            Findings { divergences: 1.., .. } => Self::Diverged,
            Findings { is_proven: true, .. } => Self::Proven,
            Findings { .. } => Self::Stored,
        }
    }

    /// Whether it may stand for a day, open the window, or be what is restored if nothing else is said: it is sound, and
    /// on the branch that the source is on.
    #[must_use]
    pub fn is_live(self) -> bool {
        self > Self::Dead
    }
}

/// What has to be known of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Its name; of two with the same moment the lesser counts as the first.
    pub name: String,
    /// The wall second of its optime, in milliseconds.
    pub taken: UnixMillis,
    /// What is to be expected of it.
    pub worth: Worth,
    /// Whether all of it was read: before that, it does not open the window alone.
    pub is_proven: bool,
    /// Until when nothing changed, where that was noted: it is as good as one taken then.
    pub stood_until: Option<UnixMillis>,
    /// Whether somebody needs it just now: a restore of it is being prepared.
    pub held: bool,
    /// When its deletion was ordered.
    pub deleted: Option<UnixMillis>,
}

/// The names of the snapshots that no rule keeps, oldest first. Those whose deletion was ordered are not among them: they
/// go by that.
///
/// # Errors
/// `Invalid` if the rules are, or this program does not know the zone.
pub fn expired(snapshots: &[SnapshotFacts], policy: Policy<'_>, now: UnixMillis) -> Result<Vec<String>> {
    policy.retention.check()?;
    let rules = policy.zone.rules()?;
    let ordered = ordered(snapshots);
    let (firsts, lasts) = (firsts(&ordered, &rules)?, lasts(&ordered));
    let opens_window = opens_window(&ordered, policy, now);
    let limits = limits(policy.retention, &rules, now)?;
    let base_ms = u64::from(policy.retention.base_days) * DAY_MS;
    let kept = |it: &SnapshotFacts| {
        let name = it.name.as_str();
        let stands = it.stood_until.is_some_and(|until| until.0.saturating_add(base_ms) >= now.0);
        it.held
            || stands
            || it.taken >= now
            || lasts.contains(name)
            || opens_window.contains(&Some(name))
            || limits.iter().any(|(tier, from)| {
                from.is_some_and(|from| it.taken >= from)
                    && (*tier == Tier::Base || firsts.get(tier).is_some_and(|all| all.contains(name)))
            })
    };
    Ok(ordered.into_iter().filter(|it| !kept(it)).map(|it| it.name.clone()).collect())
}

/// Whether another one is left that is no worse, so that this one may be deleted.
#[must_use]
pub fn may_be_deleted(snapshots: &[SnapshotFacts], name: &str) -> bool {
    let Some(worth) = snapshots.iter().find(|it| it.name == name).map(|it| it.worth) else { return false };
    snapshots.iter().any(|it| it.name != name && it.deleted.is_none() && it.worth >= worth)
}

/// Until when each snapshot is kept as things are, none for those that stay in any case: for people, since the length of
/// months makes it a day or two unsharp. Nothing is said of those whose deletion was ordered.
///
/// # Errors
/// As [`expired`].
pub fn held_until(
    snapshots: &[SnapshotFacts],
    policy: Policy<'_>,
) -> Result<BTreeMap<String, Option<UnixMillis>>> {
    let retention = policy.retention;
    retention.check()?;
    let rules = policy.zone.rules()?;
    let ordered = ordered(snapshots);
    let (firsts, lasts) = (firsts(&ordered, &rules)?, lasts(&ordered));
    let spans = [
        (Tier::Base, Span::new().days(i64::from(retention.base_days))),
        (Tier::Daily, Span::new().days(i64::from(retention.daily_days))),
        (Tier::Weekly, Span::new().weeks(i64::from(retention.weekly_weeks))),
        (Tier::Monthly, Span::new().months(i64::from(retention.monthly_months))),
    ];
    let base_ms = u64::from(retention.base_days) * DAY_MS;
    let mut held = BTreeMap::new();
    for (place, snapshot) in ordered.iter().enumerate() {
        if lasts.contains(snapshot.name.as_str()) {
            held.insert(snapshot.name.clone(), None);
            continue;
        }
        let taken = stamp(snapshot.taken)?.to_zoned(rules.clone());
        let is_held = |tier: &Tier| {
            *tier == Tier::Base || firsts.get(tier).is_some_and(|all| all.contains(snapshot.name.as_str()))
        };
        let ends = spans.iter().filter(|(tier, _)| is_held(tier));
        let ends = ends.filter_map(|(_, span)| taken.checked_add(*span).ok());
        let ends = ends.filter_map(|end| u64::try_from(end.timestamp().as_millisecond()).ok());
        let stood = snapshot.stood_until.map(|it| it.0.saturating_add(base_ms));
        // The window begins at it until the next one lies before the window, too.
        let later = ordered.iter().skip(place + 1).find(|it| it.worth.is_live());
        let later = later.filter(|_| snapshot.worth.is_live());
        let window = later.map(|it| it.taken.0.saturating_add(SECOND_MS + window_ms(policy)));
        held.insert(snapshot.name.clone(), ends.chain(stood).chain(window).max().map(UnixMillis));
    }
    Ok(held)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Base,
    Daily,
    Weekly,
    Monthly,
}

/// Those that count, oldest first.
fn ordered(snapshots: &[SnapshotFacts]) -> Vec<&SnapshotFacts> {
    let mut ordered: Vec<&SnapshotFacts> = snapshots.iter().filter(|it| it.deleted.is_none()).collect();
    ordered.sort_by(|a, b| (a.taken, &a.name).cmp(&(b.taken, &b.name)));
    ordered
}

/// Those that stay whatever their age: the newest of the best there are, and the newest that is sound and no dead branch.
fn lasts<'a>(ordered: &[&'a SnapshotFacts]) -> BTreeSet<&'a str> {
    let best = ordered.iter().map(|it| it.worth).max();
    let newest = |is_so: &dyn Fn(Worth) -> bool| ordered.iter().rev().find(|it| is_so(it.worth)).copied();
    let found = [newest(&|it| Some(it) == best), newest(&|it| it.is_live())];
    found.into_iter().flatten().map(|it| it.name.as_str()).collect()
}

/// The one that the window begins at: every second of it can be restored from this or a later one. As long as that is not
/// proven, the one before that is stays as well, and the oplog after it.
fn opens_window<'a>(
    ordered: &[&'a SnapshotFacts],
    policy: Policy<'_>,
    now: UnixMillis,
) -> [Option<&'a str>; 2] {
    let start = now.0.saturating_sub(window_ms(policy));
    // All of its second lies before the window: what is known of it is the second alone.
    let before = |it: &&SnapshotFacts| it.worth.is_live() && it.taken.0.saturating_add(SECOND_MS) <= start;
    let mut newest = ordered.iter().rev().copied().filter(before);
    let first = newest.next();
    let proven = first.into_iter().chain(newest).find(|it| it.is_proven);
    [first, proven].map(|it| it.map(|it| it.name.as_str()))
}

const fn window_ms(policy: Policy<'_>) -> u64 {
    policy.window_hours as u64 * HOUR_MS
}

/// The moment from which each tier holds; none for a tier that is off.
fn limits(
    retention: &Retention,
    rules: &TimeZone,
    now: UnixMillis,
) -> Result<[(Tier, Option<UnixMillis>); 4]> {
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

/// For each tier the names of the snapshots that stand for their day, week or month: of the best of it the first. A dead
/// branch stands for none, nor does what is damaged.
fn firsts<'a>(ordered: &[&'a SnapshotFacts], rules: &TimeZone) -> Result<BTreeMap<Tier, BTreeSet<&'a str>>> {
    let mut best: BTreeMap<(Tier, Date), &SnapshotFacts> = BTreeMap::new();
    for snapshot in ordered.iter().filter(|it| it.worth.is_live()) {
        let day = stamp(snapshot.taken)?.to_zoned(rules.clone()).date();
        let since_monday = day.weekday().since(Weekday::Monday);
        let monday = day.saturating_sub(Span::new().days(since_monday));
        for period in [(Tier::Daily, day), (Tier::Weekly, monday), (Tier::Monthly, day.first_of_month())] {
            let stands = best.entry(period).or_insert(snapshot);
            if snapshot.worth > stands.worth {
                *stands = snapshot;
            }
        }
    }
    let mut firsts: BTreeMap<Tier, BTreeSet<&str>> = BTreeMap::new();
    for ((tier, _), snapshot) in best {
        firsts.entry(tier).or_default().insert(&snapshot.name);
    }
    Ok(firsts)
}

fn stamp(moment: UnixMillis) -> Result<Timestamp> {
    let found = i64::try_from(moment.0).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
    found.ok_or_else(|| Error::invalid("time", "it is beyond the calendar"))
}

#[cfg(test)]
mod tests;
