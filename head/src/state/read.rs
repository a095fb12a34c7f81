//! Reading documents of a state: what is flushed, and what is in memory above it.

use super::compact::Misfits;
use super::{State, capped};
use crate::catalog::RunStack;
use crate::delta::Delta;
use crate::divergence::Divergence;
use crate::error::{HeadError, Result};
use crate::key;
use crate::run::{KeyRange, Source};
use crate::stack::{self, MergeCursor, Top};
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, Element};

impl State {
    /// The document with this `_id`, as it is now, flushed or not.
    ///
    /// # Errors
    /// [`HeadError::Document`] if the `_id` is broken; damage; failures of the store.
    pub fn get(&self, source: &dyn Source, uuid: CollectionUuid, id: Element<'_>) -> Result<Option<Vec<u8>>> {
        let mut key = Vec::new();
        key::encode(id, &mut key)
            .map_err(|problem| HeadError::Document { what: "the _id asked for".to_owned(), problem })?;
        let Some(stored) = self.stored.get(&uuid) else { return Ok(None) };
        get(source, &stored.documents, &self.documents, uuid, &key)
    }

    /// Goes through the documents of a collection as they are now, by key, and returns what did not fit.
    ///
    /// # Errors
    /// Damage; failures of the store; what `each` returns.
    pub fn fold(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Divergence>> {
        let Some(stored) = self.stored.get(&uuid) else { return Ok(Vec::new()) };
        let top = self.documents.sorted(uuid);
        let mut documents = MergeCursor::open(source, stored.documents.as_stack(&top), &KeyRange::ALL);
        let mut misfits = Misfits::new();
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        while let Some((_, document)) = documents.next(report)? {
            each(document)?;
        }
        self.told(source, uuid, misfits)
    }

    /// Goes through the documents of a collection as they are now: by key, or, if it is capped, in the order
    /// of their insertion. What does not fit is not told here.
    ///
    /// # Errors
    /// Damage; failures of the store; what `each` returns.
    pub fn for_each(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.capped.contains(&uuid) {
            return self.in_order(source, uuid, each);
        }
        self.fold(source, uuid, each).map(drop)
    }

    /// The documents of a capped collection in the order of insertion. Needs their keys in memory, and looks
    /// each document up. One without a place, which only a divergence leaves behind, comes last.
    fn in_order(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let Some(stored) = self.stored.get(&uuid) else { return Ok(()) };
        let (top, places) = (self.documents.sorted(uuid), self.orders.sorted(uuid));
        let mut documents = MergeCursor::open(source, stored.documents.as_stack(&top), &KeyRange::ALL);
        let mut places = MergeCursor::open(source, stored.order.as_stack(&places), &KeyRange::ALL);
        let mut place = next_place(&mut places)?;
        let mut keys: Vec<(u64, Vec<u8>)> = Vec::new();
        while let Some((key, _)) = documents.next(&mut |_, _| {})? {
            while place.as_ref().is_some_and(|(at, _)| at.as_slice() < key) {
                place = next_place(&mut places)?;
            }
            let number = place.as_ref().filter(|(at, _)| at == key).map_or(u64::MAX, |(_, number)| *number);
            keys.push((number, key.to_vec()));
        }
        keys.sort_unstable();
        for (_, key) in keys {
            documents.seek(&key);
            if let Some((found, document)) = documents.next(&mut |_, _| {})?
                && found == key
            {
                each(document)?;
            }
        }
        Ok(())
    }

    /// Whether a capped collection has a place for this key: whether the document is there.
    pub(super) fn has_place(&self, source: &dyn Source, uuid: CollectionUuid, key: &[u8]) -> Result<bool> {
        let Some(stored) = self.stored.get(&uuid) else { return Ok(false) };
        Ok(get(source, &stored.order, &self.orders, uuid, key)?.is_some())
    }
}

fn next_place(places: &mut MergeCursor<'_>) -> Result<Option<(Vec<u8>, u64)>> {
    let found = places.next(&mut |_, _| {})?;
    Ok(found.map(|(key, place)| {
        let number = Doc::new(place).ok().and_then(capped::number);
        (key.to_vec(), number.unwrap_or(u64::MAX))
    }))
}

fn get(
    source: &dyn Source,
    stack: &RunStack,
    delta: &Delta,
    uuid: CollectionUuid,
    key: &[u8],
) -> Result<Option<Vec<u8>>> {
    let top: Vec<_> = delta.get(uuid, key).map(|patch| (key, patch)).into_iter().collect();
    let top: Top<'_> = &top;
    Ok(stack::get(source, stack.as_stack(top), key)?)
}
