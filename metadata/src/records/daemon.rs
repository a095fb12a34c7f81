//! Daemons as they report themselves.

use crate::error::Result;
use crate::metadata::Metadata;
use crate::record::Record;
use crate::rules::lease::Holder;
use crate::store::Collection;
use crate::words::{DaemonName, Subject, Text, form};
use serde::{Deserialize, Serialize};
use tidemark_base::{Entropy, UnixMillis};

/// A daemon that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Daemon {
    /// Its name, given where it is set up.
    pub name: DaemonName,
    /// Made anew at each start: what a former one held is free.
    #[serde(with = "form::digits")]
    pub incarnation: [u8; 8],
    /// Its version.
    pub version: Text,
    /// When it started.
    #[serde(with = "form::millis")]
    pub started_at: UnixMillis,
    /// When it last said that it lives.
    #[serde(with = "form::millis")]
    pub seen_at: UnixMillis,
}

impl Daemon {
    /// Itself as one who holds leases.
    ///
    /// # Errors
    /// None: every name of a daemon can hold leases.
    pub fn holder(&self) -> Result<Holder> {
        Ok(Holder { name: Subject::new(self.name.as_str())?, incarnation: self.incarnation })
    }
}

impl Record for Daemon {
    const COLLECTION: Collection = Collection::Daemon;
    const NAME: &'static str = "daemon";

    fn id(&self) -> String {
        self.name.to_string()
    }
}

impl Metadata {
    /// Notes that a daemon starts.
    ///
    /// # Errors
    /// As [`Metadata::commit`].
    pub fn daemon_starts(
        &self,
        name: &DaemonName,
        version: &Text,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<Daemon> {
        let mut incarnation = [0; 8];
        entropy.fill(&mut incarnation);
        let daemon = Daemon {
            name: name.clone(),
            incarnation,
            version: version.clone(),
            started_at: now,
            seen_at: now,
        };
        self.upsert(name.as_str(), |_| Ok(daemon.clone()))
    }

    /// Notes that a daemon lives. Whether it still is the one that started last under its name.
    ///
    /// # Errors
    /// `NotFound` if it never started.
    pub fn daemon_lives(&self, daemon: &Daemon, now: UnixMillis) -> Result<bool> {
        self.change::<Daemon, _>(daemon.name.as_str(), |record| {
            let same = record.incarnation == daemon.incarnation;
            if same {
                record.seen_at = now;
            }
            Ok(same)
        })
    }
}
