//! Positions in an oplog: MongoDB's timestamp, and the optime that also names the term.
//!
//! Within one history timestamps are unique and strictly increasing, so they alone order entries; they are
//! not dense, so a gap in them means nothing. Two histories (before and after a rollback) can hold the same
//! timestamp under different terms; that is why [`OpTime`] has equality but, on purpose, no order.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A BSON timestamp: seconds since 1970 and an ordinal within the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp {
    /// Seconds since 1970-01-01 UTC, by the cluster clock of the replica set.
    pub secs: u32,
    /// Number within the second, from 1; numbers may be skipped.
    pub ordinal: u32,
}

impl Timestamp {
    /// Before every entry of every oplog.
    pub const ZERO: Self = Self { secs: 0, ordinal: 0 };
    /// After every entry of every oplog.
    pub const MAX: Self = Self { secs: u32::MAX, ordinal: u32::MAX };

    /// The form BSON stores: seconds in the upper half. Its numeric order is the order of timestamps.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        ((self.secs as u64) << 32) | self.ordinal as u64
    }

    /// The inverse of [`Self::to_u64`].
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of 64 bits")]
    pub const fn from_u64(value: u64) -> Self {
        Self { secs: (value >> 32) as u32, ordinal: value as u32 }
    }
}

impl fmt::Display for Timestamp {
    /// `seconds,ordinal`, the form the commands take.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.secs, self.ordinal)
    }
}

/// A text that is not `seconds,ordinal`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a timestamp: expected seconds,ordinal, for instance 1795341091,408")]
pub struct ParseTimestampError {
    /// What was found, cut to 80 characters.
    pub text: String,
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Parses `seconds,ordinal`; no signs, no spaces.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let number = |part: &str| -> Option<u32> {
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
        };
        text.split_once(',')
            .and_then(|(secs, ordinal)| Some(Self { secs: number(secs)?, ordinal: number(ordinal)? }))
            .ok_or_else(|| ParseTimestampError { text: text.chars().take(80).collect() })
    }
}

impl From<Timestamp> for String {
    fn from(ts: Timestamp) -> Self {
        ts.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = ParseTimestampError;

    fn try_from(text: String) -> Result<Self, ParseTimestampError> {
        text.parse()
    }
}

/// The full position of an oplog entry: its timestamp, and the election term it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpTime {
    /// The entry's `ts`.
    pub ts: Timestamp,
    /// The entry's `t`; [`Self::NO_TERM`] where the entry has none.
    pub term: i64,
}

impl OpTime {
    /// The term of entries that carry none (the "initiating set" note, and `prevOpTime`'s null form).
    pub const NO_TERM: i64 = -1;
    /// The null optime, as `prevOpTime` writes it: before everything.
    pub const NULL: Self = Self { ts: Timestamp::ZERO, term: Self::NO_TERM };
}

impl fmt::Display for OpTime {
    /// `seconds,ordinal term T`, or without the term where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.term {
            Self::NO_TERM => write!(f, "{}", self.ts),
            term => write!(f, "{} term {term}", self.ts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_integer_form_keeps_the_order(a in any::<u64>(), b in any::<u64>()) {
            let (x, y) = (Timestamp::from_u64(a), Timestamp::from_u64(b));
            prop_assert_eq!(x.to_u64(), a);
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        }

        #[test]
        fn text_round_trips(value in any::<u64>()) {
            let ts = Timestamp::from_u64(value);
            prop_assert_eq!(ts.to_string().parse(), Ok(ts));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = text.parse::<Timestamp>();
        }
    }

    #[test]
    fn signs_spaces_and_overflow_are_refused() {
        for bad in ["", ",", "1", "1,", ",1", "+1,2", "1, 2", "-1,2", "4294967296,1", "1,2,3"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad:?} was accepted");
        }
    }
}
