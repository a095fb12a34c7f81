//! What is wrong: noted by one event, and not noted as over by another since.
//!
//! One record for each kind and subject ([`crate::rules::matters`] has the kinds), made and removed in the batch of the
//! event, and by nothing else. So it is known after any start, of whoever looks, however many events came since, and also
//! when the event itself is gone.

use super::Happening;
use super::event::scope;
use crate::error::Result;
use crate::metadata::{Batch, Metadata};
use crate::record::{Record, Stored};
use crate::rules::matters::touched;
use crate::store::{By, Collection};
use crate::words::{Code, GroupId, Subject, Text, form};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemark_base::UnixMillis;

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Matter {
    /// The group; none for what is wrong with the site.
    pub group: Option<GroupId>,
    /// The code of the events that say so.
    pub code: Code,
    /// What it is about; none for the group or the site as a whole.
    pub subject: Option<Subject>,
    /// When it was noted first.
    #[serde(with = "form::millis")]
    pub since: UnixMillis,
    /// What was noted last.
    pub text: Text,
}

impl Matter {
    /// The id of its record.
    #[must_use]
    pub fn id_of(group: Option<GroupId>, code: &str, subject: Option<&Subject>) -> String {
        format!("{}:{code}:{}", scope(group), subject.map_or("", |it| it.as_str()))
    }
}

impl Record for Matter {
    const COLLECTION: Collection = Collection::Matter;
    const NAME: &'static str = "open matter";

    fn id(&self) -> String {
        Self::id_of(self.group, self.code.as_str(), self.subject.as_ref())
    }
}

/// A matter as it is, and as it will be.
type Change = (Option<Stored<Matter>>, Option<Matter>);

impl Metadata {
    /// What is open of a group, or of the site.
    ///
    /// # Errors
    /// As [`Metadata::page`].
    pub fn matters(&self, group: Option<GroupId>) -> Result<Vec<Matter>> {
        let found = self.all::<Matter>(By::IdPrefix(&format!("{}:", scope(group))))?;
        Ok(found.into_iter().map(|it| it.record).collect())
    }

    /// Whether what events with this code say is open.
    ///
    /// # Errors
    /// As [`Metadata::find`].
    pub fn is_open(&self, group: Option<GroupId>, code: &str, subject: Option<&Subject>) -> Result<bool> {
        Ok(self.find::<Matter>(&Matter::id_of(group, code, subject))?.is_some())
    }

    /// Adds what events open and end to the batch that notes them.
    pub(super) fn add_matters(
        &self,
        batch: &mut Batch,
        group: Option<GroupId>,
        at: UnixMillis,
        all: &[Happening],
    ) -> Result<()> {
        let mut changes: BTreeMap<String, Change> = BTreeMap::new();
        for what in all {
            for (code, is_open) in touched(what.code.as_str()) {
                let id = Matter::id_of(group, code, what.subject.as_ref());
                let (old, new) = match changes.remove(&id) {
                    Some(known) => known,
                    None => {
                        let old = self.find::<Matter>(&id)?;
                        let same = old.as_ref().map(|it| it.record.clone());
                        (old, same)
                    }
                };
                let opened = || Matter {
                    group,
                    code: what.code.clone(),
                    subject: what.subject.clone(),
                    since: new.as_ref().map_or(at, |it| it.since),
                    text: what.text.clone(),
                };
                let next = is_open.then(opened);
                changes.insert(id, (old, next));
            }
        }
        for (old, new) in changes.into_values() {
            match (&old, &new) {
                (Some(old), None) => batch.remove(old),
                (old, Some(new)) if old.as_ref().is_none_or(|it| it.record != *new) => {
                    batch.set(old.as_ref(), new)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
