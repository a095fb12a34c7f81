//! When the next snapshot is due: every few hours of the clock on the wall of a zone, counted from a reference hour.
//!
//! Summer time: an hour that does not exist gives the moment the clocks jump to; one that comes twice counts the
//! first time. So a day has as many snapshots as the schedule says, or one less where two meet.

use crate::error::{Error, Result};
use crate::words::Zone;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use tidemark_base::UnixMillis;

/// When snapshots are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// Hours between snapshots: a divisor of 24.
    pub interval_hours: u8,
    /// An hour of the day, 0 to 23, at which one is taken.
    pub reference_hour: u8,
    /// Whose clock counts.
    pub zone: Zone,
}

impl Default for Schedule {
    /// Every six hours, at midnight and so on, UTC.
    fn default() -> Self {
        Self { interval_hours: 6, reference_hour: 0, zone: Zone::utc() }
    }
}

impl Schedule {
    /// Checks the numbers; the zone was checked when it was made.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        if self.interval_hours == 0 || 24 % self.interval_hours != 0 {
            let problem = format!("{} hours: take 1, 2, 3, 4, 6, 8, 12 or 24", self.interval_hours);
            return Err(Error::invalid("snapshot interval", problem));
        }
        if self.reference_hour > 23 {
            let problem = format!("{}: take 0 to 23", self.reference_hour);
            return Err(Error::invalid("reference hour", problem));
        }
        Ok(())
    }

    /// The first moment after `after` at which a snapshot is due.
    ///
    /// # Errors
    /// `Invalid` if the schedule is, if this program does not know its zone, or at the end of all calendars.
    pub fn next(&self, after: UnixMillis) -> Result<UnixMillis> {
        self.check()?;
        let rules = self.zone.rules()?;
        let out_of_range = |_| Error::invalid("time", "it is beyond the calendar");
        let after = i64::try_from(after.0).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
        let after = after.ok_or_else(|| Error::invalid("time", "it is beyond the calendar"))?;
        let today = after.to_zoned(rules.clone()).date();
        let mut next: Option<Timestamp> = None;
        // Yesterday too: clocks that jump over midnight can move a late hour into today. And a zone may skip a
        // whole day, so more than tomorrow.
        for days in -1..=2 {
            let day = today.checked_add(Span::new().days(days)).map_err(out_of_range)?;
            for slot in self.hours() {
                let moment = moment(&rules, day, slot)?;
                if moment > after && next.is_none_or(|it| moment < it) {
                    next = Some(moment);
                }
            }
        }
        let next = next.and_then(|it| u64::try_from(it.as_millisecond()).ok());
        next.map(UnixMillis).ok_or_else(|| Error::invalid("time", "it is beyond the calendar"))
    }

    /// The hours of the day at which a snapshot is due.
    fn hours(&self) -> impl Iterator<Item = i8> + '_ {
        (0..24i8).filter(|hour| {
            let since = i16::from(*hour) - i16::from(self.reference_hour);
            since.rem_euclid(i16::from(self.interval_hours)) == 0
        })
    }
}

fn moment(rules: &TimeZone, day: jiff::civil::Date, hour: i8) -> Result<Timestamp> {
    let local = day.to_datetime(Time::constant(hour, 0, 0, 0));
    // `compatible`: after the gap for what does not exist, the first for what is there twice.
    let found = rules.to_ambiguous_timestamp(local).compatible();
    found.map_err(|_| Error::invalid("time", "it is beyond the calendar"))
}

#[cfg(test)]
mod tests;
