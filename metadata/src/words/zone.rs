//! Time zones by name. Their rules come with the program, so that all processes of a version agree, whatever is
//! installed on their machines.

use crate::error::{Error, Result};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::OnceLock;

/// The name of a time zone, for instance `Europe/Berlin` or `UTC`.
///
/// One that is read back need only look like a name: what a newer program stored must stay readable.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(String);

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

impl Zone {
    /// Takes the name of a zone that is known.
    ///
    /// # Errors
    /// `Invalid` if there is none of that name.
    pub fn new(name: &str) -> Result<Self> {
        let zone = Self::try_from(name.to_owned())?;
        zone.rules().map(|_| zone)
    }

    /// Greenwich's time without summer time.
    #[must_use]
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its rules.
    ///
    /// # Errors
    /// `Invalid` if this program does not know the zone.
    pub(crate) fn rules(&self) -> Result<TimeZone> {
        let unknown = || {
            let problem = format!("there is none called '{}': take one like Europe/Berlin or UTC", self.0);
            Error::invalid("time zone", problem)
        };
        database().get(&self.0).map_err(|_| unknown())
    }
}

impl TryFrom<String> for Zone {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        let allowed = |it: u8| it.is_ascii_alphanumeric() || b"/_+-".contains(&it);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(Error::invalid("time zone", "it is not a name like Europe/Berlin or UTC"));
        }
        Ok(Self(name))
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_without_anything_installed() {
        for name in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Etc/GMT+5"] {
            assert_eq!(Zone::new(name).unwrap().as_str(), name);
        }
        for name in ["", "Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "a b", "Europe/Berlin\0"] {
            assert!(Zone::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_zone_of_a_newer_program_is_read_and_refused_only_where_it_is_used() {
        let zone: Zone = serde_json::from_str("\"Mars/Olympus\"").unwrap();
        assert!(zone.rules().is_err());
    }
}
