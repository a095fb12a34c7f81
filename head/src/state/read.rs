//! Reading documents of a state: what is flushed, and what is in memory above it.

use super::State;
use super::in_order::WINDOW_BYTES;
use super::told::Misfits;
use crate::catalog::RunStack;
use crate::delta::{Delta, by_ref};
use crate::divergences::Divergences;
use crate::error::{HeadError, Result};
use crate::key;
use crate::run::Source;
use crate::stack::{self, Batch, Top};
use tidemark_base::CollectionUuid;
use tidemark_base::bson::Element;

/// About how many bytes of a capped collection are worked on together.
const BATCH_BYTES: usize = 1 << 20;

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
    ) -> Result<Divergences> {
        self.scan_by_key(source, uuid, &|batch| Ok(batch), &mut |batch: Batch| {
            batch.documents().try_for_each(&mut *each)
        })
    }

    /// Goes through the documents of a collection as they are now: by key, or, if it is capped, in the order
    /// of their insertion. Returns what did not fit.
    ///
    /// # Errors
    /// Damage; failures of the store; what `each` returns.
    pub fn for_each(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Divergences> {
        if self.capped.contains(&uuid) {
            return self.in_order(source, uuid, WINDOW_BYTES, each);
        }
        self.fold(source, uuid, each)
    }

    /// The same, many documents at once: `work` is done with them in parallel, `each` gets what comes of it, in
    /// order.
    ///
    /// # Errors
    /// Damage; failures of the store; what `work` and `each` return.
    pub(crate) fn scan<T: Send>(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        work: &(dyn Fn(Batch) -> Result<T> + Sync),
        each: &mut dyn FnMut(T) -> Result<()>,
    ) -> Result<Divergences> {
        if !self.capped.contains(&uuid) {
            return self.scan_by_key(source, uuid, work, each);
        }
        let mut batch = Batch::default();
        let found = self.in_order(source, uuid, WINDOW_BYTES, &mut |document| {
            batch.document(document);
            if batch.bytes >= BATCH_BYTES { each(work(std::mem::take(&mut batch))?) } else { Ok(()) }
        })?;
        each(work(batch)?)?;
        Ok(found)
    }

    fn scan_by_key<T: Send>(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        work: &(dyn Fn(Batch) -> Result<T> + Sync),
        each: &mut dyn FnMut(T) -> Result<()>,
    ) -> Result<Divergences> {
        let Some(stored) = self.stored.get(&uuid) else { return Ok(Divergences::default()) };
        let top: Vec<_> = self.documents.sorted(uuid).iter().collect();
        let top = by_ref(&top);
        let mut misfits = Misfits::new();
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        stack::scan(source, stored.documents.as_stack(&top), work, report, each)?;
        self.told(source, uuid, self.span_of(uuid), misfits)
    }

    /// Whether a capped collection has a place for this key: whether the document is there.
    pub(super) fn has_place(&self, source: &dyn Source, uuid: CollectionUuid, key: &[u8]) -> Result<bool> {
        let Some(stored) = self.stored.get(&uuid) else { return Ok(false) };
        Ok(get(source, &stored.order, &self.orders, uuid, key)?.is_some())
    }
}

fn get(
    source: &dyn Source,
    stack: &RunStack,
    delta: &Delta,
    uuid: CollectionUuid,
    key: &[u8],
) -> Result<Option<Vec<u8>>> {
    let patch = delta.get(uuid, key);
    let top: Vec<_> = patch.iter().map(|patch| (key, patch)).collect();
    let top: Top<'_> = &top;
    Ok(stack::get(source, stack.as_stack(top), key)?)
}
