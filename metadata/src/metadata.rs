//! Typed access to a store: read records, list them, change them in batches. Rules that span several records are in
//! the files of those records, as further methods.

use crate::error::{Error, Result};
use crate::record::{self, Record, Stored};
use crate::records::Happening;
use crate::store::{By, Change, Collection, Expect, Query, Store, Version, Write};
use crate::words::GroupId;
use std::sync::Arc;
use tidemark_base::UnixMillis;

/// How often a change is tried again when others come first.
const ATTEMPTS: u32 = 50;

/// The records of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Metadata {
    store: Arc<dyn Store>,
    telling: Option<Telling>,
}

/// An event that is noted with whatever is committed.
#[derive(Clone)]
struct Telling {
    group: Option<GroupId>,
    at: UnixMillis,
    what: Arc<Happening>,
}

impl Metadata {
    /// The records in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, telling: None }
    }

    /// The same records, for one deed: the batch that does it notes this event, too. Both happen or neither does, and
    /// what turns out to change nothing is no event.
    #[must_use]
    pub fn telling(&self, group: Option<GroupId>, at: UnixMillis, what: Happening) -> Self {
        let telling = Some(Telling { group, at, what: Arc::new(what) });
        Self { store: Arc::clone(&self.store), telling }
    }

    /// The record with this id, if there is one.
    ///
    /// # Errors
    /// As [`Store::get`]; `Corrupt` or `Invalid` (newer) if it cannot be understood.
    pub fn find<R: Record>(&self, id: &str) -> Result<Option<Stored<R>>> {
        self.store.get(R::COLLECTION, id)?.as_ref().map(record::decode).transpose()
    }

    /// The record with this id.
    ///
    /// # Errors
    /// `NotFound`, and as [`Self::find`].
    pub fn get<R: Record>(&self, id: &str) -> Result<Stored<R>> {
        let missing = || Error::NotFound {
            what: R::NAME,
            // An id from a request is shown only if it could be one.
            id: id.bytes().all(|it| it.is_ascii_graphic()).then(|| id.chars().take(256).collect()),
            advice: "list them to see what there is",
        };
        self.find(id)?.ok_or_else(missing)
    }

    /// One page of records, in the order of their ids.
    ///
    /// # Errors
    /// As [`Store::scan`]; `Corrupt` or `Invalid` (newer) if one cannot be understood.
    pub fn page<R: Record>(&self, by: By<'_>, after: Option<&str>, limit: usize) -> Result<Vec<Stored<R>>> {
        let documents = self.store.scan(R::COLLECTION, Query { by, after, limit })?;
        documents.iter().map(record::decode).collect()
    }

    /// All records that are chosen, page by page; for kinds of which there are few.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn all<R: Record>(&self, by: By<'_>) -> Result<Vec<Stored<R>>> {
        let mut found: Vec<Stored<R>> = Vec::new();
        loop {
            let after = found.last().map(|it| it.record.id());
            let page = self.page(by, after.as_deref(), usize::MAX)?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }

    /// Makes all changes of a batch, or none.
    ///
    /// # Errors
    /// As [`Store::apply`].
    pub fn commit(&self, batch: &Batch) -> Result<Version> {
        let Some(Telling { group, at, what }) = &self.telling else {
            return self.store.apply(&batch.changes);
        };
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let mut with_event = batch.clone();
            self.add_event(&mut with_event, *group, *at, what)?;
            match self.store.apply(&with_event.changes) {
                // Others noted something meanwhile: that alone is no reason to do the deed anew.
                Err(
                    error @ Error::Conflict {
                        collection: Collection::EventLog | Collection::Event | Collection::Matter,
                        ..
                    },
                ) => last = Some(error),
                outcome => return outcome,
            }
        }
        Err(last.unwrap_or_else(|| Error::Internal { what: "nothing was attempted".to_owned() }))
    }

    /// Changes one record as the function says, again if others come first; its last answer is returned. If the
    /// record stays as it was, nothing is written.
    ///
    /// # Errors
    /// Those of the function; `NotFound`; `Retry` if others come first again and again.
    pub fn change<R, T>(&self, id: &str, mut change: impl FnMut(&mut R) -> Result<T>) -> Result<T>
    where
        R: Record + Clone + PartialEq,
    {
        self.repeat(R::COLLECTION, id, || {
            let stored = self.get::<R>(id)?;
            let mut record = stored.record.clone();
            let answer = change(&mut record)?;
            if record != stored.record {
                let mut batch = Batch::new();
                batch.replace(&stored, &record)?;
                self.commit(&batch)?;
            }
            Ok(answer)
        })
    }

    /// Makes or replaces one record, as the function says of what is there, again if others come first. If the record
    /// stays as it was, nothing is written.
    ///
    /// # Errors
    /// Those of the function; `Retry` if others come first again and again.
    pub fn upsert<R>(&self, id: &str, mut next: impl FnMut(Option<&R>) -> Result<R>) -> Result<R>
    where
        R: Record + PartialEq,
    {
        self.repeat(R::COLLECTION, id, || {
            let stored = self.find::<R>(id)?;
            let record = next(stored.as_ref().map(|it| &it.record))?;
            if stored.as_ref().is_none_or(|it| it.record != record) {
                let mut batch = Batch::new();
                batch.set(stored.as_ref(), &record)?;
                self.commit(&batch)?;
            }
            Ok(record)
        })
    }

    /// The same, and what the function says of it is noted in the same batch; nothing is if the record stays as it was.
    ///
    /// # Errors
    /// As [`Self::upsert`].
    pub fn upsert_and_tell<R>(
        &self,
        id: &str,
        (group, at): (Option<GroupId>, UnixMillis),
        mut next: impl FnMut(Option<&R>) -> Result<(R, Vec<Happening>)>,
    ) -> Result<R>
    where
        R: Record + PartialEq,
    {
        self.repeat(R::COLLECTION, id, || {
            let stored = self.find::<R>(id)?;
            let (record, happened) = next(stored.as_ref().map(|it| &it.record))?;
            if stored.as_ref().is_none_or(|it| it.record != record) {
                let mut batch = Batch::new();
                batch.set(stored.as_ref(), &record)?;
                self.add_events(&mut batch, group, at, &happened)?;
                self.commit(&batch)?;
            }
            Ok(record)
        })
    }

    /// Removes a record, whatever it is: for kinds that others do not depend on, as keys. Users have a method of their
    /// own.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove<R: Record>(&self, id: &str) -> Result<()> {
        self.repeat(R::COLLECTION, id, || {
            let mut batch = Batch::new();
            batch.remove(&self.get::<R>(id)?);
            self.commit(&batch).map(drop)
        })
    }

    /// Removes the records of a kind that are dead: housekeeping, since they open nothing. One that is changed
    /// meanwhile is left alone. Returns how many.
    ///
    /// # Errors
    /// As [`Metadata::page`] and [`Metadata::commit`].
    pub fn sweep<R: Record>(&self, dead: impl Fn(&R) -> bool) -> Result<u64> {
        let mut swept = 0;
        let mut after: Option<String> = None;
        loop {
            let page = self.page::<R>(By::IdPrefix(""), after.as_deref(), usize::MAX)?;
            let Some(last) = page.last() else { return Ok(swept) };
            after = Some(last.record.id());
            for stored in page.iter().filter(|it| dead(&it.record)) {
                let mut batch = Batch::new();
                batch.remove(stored);
                match self.commit(&batch) {
                    Ok(_) => swept += 1,
                    Err(Error::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Repeats what reads, decides and commits, until nobody comes in between.
    pub(crate) fn repeat<T>(
        &self,
        collection: crate::store::Collection,
        id: &str,
        mut attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        for _ in 0..ATTEMPTS {
            match attempt() {
                Err(Error::Conflict { .. }) => {}
                other => return other,
            }
        }
        Err(Error::Contended { collection, id: id.to_owned(), attempts: ATTEMPTS })
    }
}

/// Changes that happen together or not at all; at most [`tidemark_base::limits::MAX_BATCH_CHANGES`].
#[derive(Clone, Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// Without changes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a record that does not exist.
    ///
    /// # Errors
    /// `Invalid` if it breaks its rules.
    pub fn create<R: Record>(&mut self, record: &R) -> Result<()> {
        self.put(Expect::Absent, record)
    }

    /// Replaces a record with another of the same id.
    ///
    /// # Errors
    /// `Invalid` if the new one breaks its rules.
    pub fn replace<R: Record>(&mut self, old: &Stored<R>, new: &R) -> Result<()> {
        if old.record.id() != new.id() {
            return Err(Error::Internal { what: format!("a {} was to change its id", R::NAME) });
        }
        self.put(Expect::At(old.version), new)
    }

    /// Makes or replaces a record, whichever fits what was found.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::replace`].
    pub fn set<R: Record>(&mut self, old: Option<&Stored<R>>, new: &R) -> Result<()> {
        match old {
            Some(old) => self.replace(old, new),
            None => self.create(new),
        }
    }

    /// Removes a record.
    pub fn remove<R: Record>(&mut self, old: &Stored<R>) {
        self.push::<R>(&old.record, Expect::At(old.version), Write::Delete);
    }

    /// Depends on a record to stay as it was read.
    pub fn depend<R: Record>(&mut self, on: &Stored<R>) {
        self.push::<R>(&on.record, Expect::At(on.version), Write::Keep);
    }

    fn put<R: Record>(&mut self, expect: Expect, record: &R) -> Result<()> {
        let write = Write::Put { key: record.key(), body: record::encode(record)? };
        self.push(record, expect, write);
        Ok(())
    }

    fn push<R: Record>(&mut self, record: &R, expect: Expect, write: Write) {
        self.changes.push(Change { collection: R::COLLECTION, id: record.id(), expect, write });
    }
}
