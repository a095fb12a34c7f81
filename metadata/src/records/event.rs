//! What happened, in the order in which it was noted: appended, never changed, the oldest go when there are many.
//!
//! Some say that something is wrong, and others that it is over: what is open is a record of its own
//! ([`Matter`](super::Matter)), written in the same batch, so that nobody has to look for it among all that happened.
//!
//! An event can be part of the batch that makes it true. The place of the next one is in a record of the group, so
//! numbers have no gaps and no two events the same; whoever loses the race for a number tries again.

use crate::error::Result;
use crate::metadata::{Batch, Metadata};
use crate::record::{Record, Stored};
use crate::store::{By, Collection};
use crate::words::{Code, GroupId, Subject, Text, form};
use serde::{Deserialize, Serialize};
use tidemark_base::UnixMillis;
use tidemark_base::limits::{MAX_COUNTER, MAX_EVENTS_OF_A_GROUP};

/// Where a group's events begin and end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventLog {
    /// The group; none for what happens to the site.
    pub group: Option<GroupId>,
    /// The number of the oldest event that is kept.
    pub first: u64,
    /// The number of the next event.
    pub next: u64,
}

impl Record for EventLog {
    const COLLECTION: Collection = Collection::EventLog;
    const NAME: &'static str = "list of events";

    fn id(&self) -> String {
        scope(self.group)
    }

    fn check(&self) -> Result<()> {
        if self.first > self.next || self.next >= MAX_COUNTER {
            return Err(crate::Error::invalid("numbers of events", "the first is after the last"));
        }
        Ok(())
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// The group; none for what happens to the site.
    pub group: Option<GroupId>,
    /// Its number.
    pub number: u64,
    /// When it was noted.
    #[serde(with = "form::millis")]
    pub at: UnixMillis,
    /// What happened.
    pub what: Happening,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Happening {
    /// What kind of thing.
    pub code: Code,
    /// What it happened to, for instance a replica set; none for the group as a whole.
    pub subject: Option<Subject>,
    /// Who did it: a user, an API key, an agent, a daemon. None if nobody did.
    pub actor: Option<Subject>,
    /// In words.
    pub text: Text,
}

impl Record for Event {
    const COLLECTION: Collection = Collection::Event;
    const NAME: &'static str = "event";

    fn id(&self) -> String {
        id_of(self.group, self.number)
    }
}

pub(super) fn scope(group: Option<GroupId>) -> String {
    group.map_or_else(|| "site".to_owned(), |it| it.to_string())
}

/// With all digits, so that the order of ids is that of numbers.
fn id_of(group: Option<GroupId>, number: u64) -> String {
    format!("{}:{number:016x}", scope(group))
}

impl Metadata {
    /// Adds an event to a batch: up to three changes, and one for each matter that it opens or ends. If the batch then meets a conflict, all of it is made anew.
    ///
    /// # Errors
    /// As [`Metadata::find`].
    pub fn add_event(
        &self,
        batch: &mut Batch,
        group: Option<GroupId>,
        at: UnixMillis,
        what: &Happening,
    ) -> Result<()> {
        self.add_events(batch, group, at, std::slice::from_ref(what))
    }

    /// Adds several at once, two changes for each and one more, besides those of matters: the list of events is in a batch but once.
    ///
    /// # Errors
    /// As [`Metadata::find`].
    pub(crate) fn add_events(
        &self,
        batch: &mut Batch,
        group: Option<GroupId>,
        at: UnixMillis,
        all: &[Happening],
    ) -> Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        let old: Option<Stored<EventLog>> = self.find(&scope(group))?;
        let mut log = old.as_ref().map_or(EventLog { group, first: 0, next: 0 }, |it| it.record.clone());
        for what in all {
            batch.create(&Event { group, number: log.next, at, what: what.clone() })?;
            log.next += 1;
            if log.next - log.first > MAX_EVENTS_OF_A_GROUP {
                if let Some(oldest) = self.find::<Event>(&id_of(group, log.first))? {
                    batch.remove(&oldest);
                }
                log.first += 1;
            }
        }
        self.add_matters(batch, group, at, all)?;
        batch.set(old.as_ref(), &log)
    }

    /// Notes an event by itself.
    ///
    /// # Errors
    /// As [`Metadata::commit`].
    pub fn note(&self, group: Option<GroupId>, at: UnixMillis, what: &Happening) -> Result<()> {
        self.repeat(Collection::EventLog, &scope(group), || {
            let mut batch = Batch::new();
            self.add_event(&mut batch, group, at, what)?;
            self.commit(&batch).map(drop)
        })
    }

    /// Events of a group, newest first: at most `limit` with a smaller number than `before`.
    ///
    /// # Errors
    /// As [`Metadata::page`].
    pub fn events(&self, group: Option<GroupId>, before: Option<u64>, limit: usize) -> Result<Vec<Event>> {
        let Some(log) = self.find::<EventLog>(&scope(group))? else { return Ok(Vec::new()) };
        let end = before.unwrap_or(u64::MAX).min(log.record.next);
        let limit = limit.min(tidemark_base::limits::MAX_PAGE_RECORDS);
        let wanted = u64::try_from(limit).unwrap_or(u64::MAX);
        let from = end.saturating_sub(wanted).max(log.record.first);
        // Numbers have no gaps, so the newest are found by counting.
        let prefix = format!("{}:", scope(group));
        let after = from.checked_sub(1).map(|it| id_of(group, it));
        let count = usize::try_from(end.saturating_sub(from)).unwrap_or(limit);
        let mut page = self.page::<Event>(By::IdPrefix(&prefix), after.as_deref(), count)?;
        page.reverse();
        // One that came or went meanwhile is not of this page.
        Ok(page.into_iter().map(|it| it.record).filter(|it| it.number >= from && it.number < end).collect())
    }
}
