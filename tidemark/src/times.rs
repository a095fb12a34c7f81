//! Times and optimes: read from arguments, and shown.
//!
//! A time needs a zone: a restore to the right hour of the wrong zone is a wrong restore. A wall second means
//! all of it, as the oplog has it; a position `seconds,ordinal` is exact.

use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Disambiguation, TimeZone};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use tidemark_base::{OpTime, ParseTimestampError, Timestamp, UnixMillis};

/// Ambiguous times, when clocks are set back, are refused.
static PARSER: DateTimeParser = DateTimeParser::new().disambiguation(Disambiguation::Reject);

/// A point in time, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    until: Timestamp,
    text: String,
}

impl Moment {
    /// The last position that belongs to it.
    pub(crate) const fn until(&self) -> Timestamp {
        self.until
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { until: read(text)?, text: text.to_owned() })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn read(text: &str) -> Result<Timestamp, String> {
    if text.contains(',') {
        return text.parse().map_err(|error: ParseTimestampError| error.to_string());
    }
    let zoned = if text.contains('[') {
        PARSER.parse_zoned(text).map(|it| it.timestamp())
    } else {
        PARSER.parse_timestamp(text)
    };
    let instant = zoned.map_err(|error| match PARSER.parse_datetime(text) {
        Ok(_) if !text.contains('[') && !has_offset(text) => {
            "a time needs a zone: append Z, +01:00 or [Europe/Berlin]".to_owned()
        }
        _ => format!(
            "{error}; give a time with its zone, 2026-11-22T10:00:00Z, or a position of the oplog, \
                 1795341091,408"
        ),
    })?;
    if instant.subsec_nanosecond() != 0 {
        return Err("the oplog counts in whole seconds: leave out the fraction".to_owned());
    }
    let secs = u32::try_from(instant.as_second())
        .map_err(|_| "no oplog reaches there: it counts from 1970 to 2106".to_owned())?;
    Ok(Timestamp { secs, ordinal: u32::MAX })
}

/// Whether something stands behind the time of day that only a zone can be.
fn has_offset(text: &str) -> bool {
    let time = text.get(10..).unwrap_or_default();
    time.contains(['Z', 'z', '+', '-'])
}

/// A position, to be shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct At {
    /// `seconds,ordinal`; none if nobody has said where the state stands.
    position: Option<String>,
    term: Option<i64>,
    utc: Option<String>,
    local: Option<String>,
}

impl At {
    pub(crate) fn of(at: OpTime) -> Self {
        let term = (at.term != OpTime::NO_TERM).then_some(at.term);
        Self { term, ..Self::of_timestamp(at.ts) }
    }

    pub(crate) fn of_timestamp(ts: Timestamp) -> Self {
        if ts == Timestamp::ZERO {
            return Self { position: None, term: None, utc: None, local: None };
        }
        let instant = jiff::Timestamp::from_second(ts.secs.into()).ok();
        Self {
            position: Some(ts.to_string()),
            term: None,
            utc: instant.map(|it| it.to_string()),
            local: instant.map(local),
        }
    }
}

/// With the offset alone: its zone may have a long name.
fn local(instant: jiff::Timestamp) -> String {
    let zoned = instant.to_zoned(TimeZone::system());
    instant.display_with_offset(zoned.offset()).to_string()
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(position), Some(utc), Some(local)) = (&self.position, &self.utc, &self.local) else {
            return f.write_str("an unknown position");
        };
        write!(f, "{utc} ({local} here; {position})")
    }
}

/// A wall time, for people: UTC.
pub(crate) fn wall(at: UnixMillis) -> String {
    let instant = i64::try_from(at.0).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    instant.map_or_else(|| format!("{} ms after 1970", at.0), |it| format!("{it:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(text: &str) -> Timestamp {
        text.parse::<Moment>().unwrap_or_else(|error| panic!("{text}: {error}")).until()
    }

    fn refused(text: &str, because: &str) {
        let error = text.parse::<Moment>().unwrap_err();
        assert!(error.contains(because), "{text}: {error}");
    }

    #[test]
    fn a_position_is_exact_and_a_second_is_whole() {
        assert_eq!(until("1795341091,408"), Timestamp { secs: 1_795_341_091, ordinal: 408 });
        let second = Timestamp { secs: 1_795_341_600, ordinal: u32::MAX };
        for text in [
            "2026-11-22T10:00:00Z",
            "2026-11-22 10:00:00Z",
            "2026-11-22T11:00:00+01:00",
            "2026-11-22T05:00-05",
            "2026-11-22T11:00:00+01:00[+01:00]",
        ] {
            assert_eq!(until(text), second, "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_things_or_none_is_refused() {
        for text in ["2026-11-22T10:00:00", "2026-11-22 10:00", "2026-11-22"] {
            refused(text, "needs a zone");
        }
        refused("2026-11-22T10:00:00.5Z", "whole seconds");
        refused("1960-01-01T00:00:00Z", "1970");
        refused("2300-01-01T00:00:00Z", "2106");
        refused("1795341091,", "seconds,ordinal");
        for text in ["", "now", "10:00", "1795341091", "2026-13-01T00:00:00Z", "2026-11-22T10:00:00+99:00"] {
            refused(text, "with its zone");
        }
    }

    #[test]
    fn a_position_is_shown_in_utc_and_here() {
        let at = At::of(OpTime { ts: Timestamp { secs: 1_795_341_600, ordinal: 7 }, term: 3 });
        let text = at.to_string();
        assert!(text.starts_with("2026-11-22T10:00:00Z (2026-11-22T"), "{text}");
        assert!(text.ends_with(" here; 1795341600,7)"), "{text}");
        assert_eq!(At::of(OpTime::NULL).to_string(), "an unknown position");
        assert_eq!(wall(UnixMillis(1_795_341_600_499)), "2026-11-22T10:00:00Z");
    }
}
