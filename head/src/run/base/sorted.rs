//! A batch of documents by ascending key, each key once, with all that cutting asks of them.
//!
//! Made on any thread, of documents in any order. If they ascend, the usual, they stay where they are; else they are
//! copied in their order. Of several with one key the last stays. Large documents are put at once, since they are
//! the same wherever they end up, and from then on only their names are handed around: so memory is bounded and
//! nothing large is written twice.

#![warn(clippy::indexing_slicing)]

use super::buffer::{Buffer, Charge, Meter};
use super::item::LargeItem;
use super::tools::Tools;
use crate::key::{KeyError, key_of_document};
use crate::run::cut::KeyCutter;
use crate::run::error::RunError;
use std::ops::Range;
use std::sync::Arc;
use tidemark_base::bson::{Checker, Doc, split};
use tidemark_base::codec::CodecError;

/// Documents by ascending key.
#[derive(Debug)]
pub(crate) struct Sorted {
    buffer: Arc<Buffer>,
    keys: Vec<u8>,
    items: Vec<Item>,
    /// In the order of the items.
    large: Vec<(u32, LargeItem)>,
    _charge: Charge,
}

/// An item, within 32 bits: batches are of some MiB, and one document more.
#[derive(Clone, Copy, Debug)]
struct Item {
    /// Where its key ends; it begins where the one before does.
    key_end: u32,
    /// Where the document stands; of a large one nothing.
    start: u32,
    len: u32,
    hash: u64,
}

/// Why documents cannot be taken in.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// One is not sound to the bottom.
    Broken { document: Vec<u8>, problem: CodecError },
    /// One has no key.
    Key(KeyError),
    /// A large one could not be put.
    Run(RunError),
}

impl<E: Into<RunError>> From<E> for Unfit {
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

/// Items while they are collected.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    keys: Vec<u8>,
    items: Vec<Item>,
    large: Vec<(u32, LargeItem)>,
}

fn narrow(len: usize) -> u32 {
    u32::try_from(len).expect("batches are of some MiB, and one document more")
}

impl Collected {
    fn key(&self, number: usize) -> &[u8] {
        let end = |number: usize| self.items.get(number).map_or(0, |item| item.key_end as usize);
        let start = number.checked_sub(1).map_or(0, end);
        self.keys.get(start..end(number)).unwrap_or_default()
    }

    /// Adds an item with the key that was appended to `keys`.
    fn push(&mut self, cutter: &KeyCutter, document: Range<usize>, large: Option<LargeItem>) {
        let start = self.items.last().map_or(0, |item| item.key_end as usize);
        let hash = cutter.hash(self.keys.get(start..).unwrap_or_default());
        let number = narrow(self.items.len());
        self.large.extend(large.map(|large| (number, large)));
        let (key_end, start, len) = (narrow(self.keys.len()), narrow(document.start), narrow(document.len()));
        self.items.push(Item { key_end, start, len, hash });
    }

    /// Adds a document of a buffer whose key is to be taken of it.
    pub(crate) fn document(
        &mut self,
        tools: &Tools,
        document: Doc<'_>,
        start: usize,
    ) -> Result<(), KeyError> {
        key_of_document(document, &mut self.keys)?;
        self.push(&tools.leaves, start..start + document.as_bytes().len(), None);
        Ok(())
    }

    /// Adds a document that was put.
    pub(crate) fn large(&mut self, tools: &Tools, key: &[u8], large: LargeItem) {
        self.keys.extend_from_slice(key);
        self.push(&tools.leaves, 0..0, Some(large));
    }

    /// Whether each key is greater than the one before.
    pub(crate) fn ascends(&self) -> bool {
        (1..self.items.len()).all(|number| self.key(number - 1) < self.key(number))
    }

    /// The items with these numbers, in this order, and their documents.
    fn picked(&self, numbers: &[u32], bytes: &[u8], meter: &Meter) -> (Self, Vec<u8>) {
        let lens = numbers.iter().filter_map(|number| self.items.get(*number as usize));
        let mut documents = meter.buffer(lens.map(|item| item.len as usize).sum());
        let mut picked = Self::default();
        picked.items.reserve_exact(numbers.len());
        for number in numbers {
            let Some(item) = self.items.get(*number as usize) else { continue };
            picked.keys.extend_from_slice(self.key(*number as usize));
            let start = item.start as usize;
            let document = bytes.get(start..start + item.len as usize).unwrap_or_default();
            if item.len == 0
                && let Some(large) = large_of(&self.large, *number)
            {
                picked.large.push((narrow(picked.items.len()), large));
            }
            let (key_end, start) = (narrow(picked.keys.len()), narrow(documents.len()));
            picked.items.push(Item { key_end, start, ..*item });
            documents.extend_from_slice(document);
        }
        (picked, documents)
    }

    /// As a batch, with the buffer that the documents stand in.
    pub(crate) fn batch(self, buffer: Buffer, meter: &Arc<Meter>) -> Sorted {
        let Self { keys, items, large } = self;
        let item_bytes =
            size_of::<Item>() * items.capacity() + size_of::<(u32, LargeItem)>() * large.capacity();
        let charge = meter.charge(keys.capacity() + item_bytes);
        Sorted { buffer: Arc::new(buffer), keys, items, large, _charge: charge }
    }
}

fn large_of(large: &[(u32, LargeItem)], number: u32) -> Option<LargeItem> {
    let at = large.binary_search_by_key(&number, |(at, _)| *at).ok()?;
    large.get(at).map(|(_, large)| *large)
}

impl Tools {
    /// Sorts documents that stand one behind the other. Each is checked to the bottom.
    pub(crate) fn sort(&self, bytes: Vec<u8>) -> Result<Sorted, Unfit> {
        let mut found = Collected::default();
        found.items.reserve(bytes.len() / USUAL_BYTES);
        found.keys.reserve(USUAL_KEY_BYTES * bytes.len() / USUAL_BYTES);
        let (mut at, mut checker) = (0, Checker::default());
        for document in split(&bytes) {
            let document = document.map_err(|problem| Unfit::Broken { document: Vec::new(), problem })?;
            let len = document.as_bytes().len();
            if let Err(problem) = checker.check(document) {
                return Err(Unfit::Broken { document: document.as_bytes().to_vec(), problem });
            }
            key_of_document(document, &mut found.keys).map_err(Unfit::Key)?;
            if len > self.max_leaf_item_bytes {
                let large = self.put_large(document.as_bytes())?;
                found.push(&self.leaves, at..at, Some(large));
            } else {
                found.push(&self.leaves, at..at + len, None);
            }
            at += len;
        }
        if found.large.is_empty() && found.ascends() {
            drop(checker);
            return Ok(found.batch(Buffer::own(bytes, &self.meter), &self.meter));
        }
        let mut order: Vec<u32> = (0..narrow(found.items.len())).collect();
        // Stable: of those with one key the last given comes last.
        order.sort_by(|a, b| found.key(*a as usize).cmp(found.key(*b as usize)));
        let mut last_of_each: Vec<u32> = Vec::with_capacity(order.len());
        for number in order {
            match last_of_each.last_mut() {
                Some(last) if found.key(*last as usize) == found.key(number as usize) => *last = number,
                _ => last_of_each.push(number),
            }
        }
        let (picked, documents) = found.picked(&last_of_each, &bytes, &self.meter);
        drop(checker);
        self.meter.keep(bytes);
        Ok(picked.batch(Buffer::own(documents, &self.meter), &self.meter))
    }
}

impl Sorted {
    /// How many items there are.
    pub(crate) const fn len(&self) -> usize {
        self.items.len()
    }

    /// What it takes in memory, in bytes, with what it takes to sort it among others.
    pub(crate) fn memory_bytes(&self) -> usize {
        let items = (size_of::<Item>() + SORT_BYTES) * self.items.len();
        self.buffer.as_slice().len() + self.keys.len() + items
    }

    /// The key of an item.
    pub(crate) fn key(&self, number: usize) -> &[u8] {
        let end = |number: usize| self.items.get(number).map_or(0, |item| item.key_end as usize);
        let start = number.checked_sub(1).map_or(0, end);
        self.keys.get(start..end(number)).unwrap_or_default()
    }

    /// How many of the first items have keys up to `key`.
    pub(crate) fn up_to(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) <= key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// A batch of the first so many items alone.
    pub(crate) fn first(&self, count: usize, meter: &Arc<Meter>) -> Self {
        let all = Collected { keys: self.keys.clone(), items: self.items.clone(), large: self.large.clone() };
        let numbers: Vec<u32> = (0..narrow(count)).collect();
        let (picked, documents) = all.picked(&numbers, self.buffer.as_slice(), meter);
        picked.batch(Buffer::own(documents, meter), meter)
    }

    /// What was put of an item, if it is large.
    pub(crate) fn large(&self, number: usize) -> Option<LargeItem> {
        let is_large = self.items.get(number).is_some_and(|item| item.len == 0);
        is_large.then(|| large_of(&self.large, narrow(number))).flatten()
    }

    /// The document of an item; of a large one nothing.
    pub(crate) fn document(&self, number: usize) -> &[u8] {
        self.buffer.as_slice().get(self.place(number)).unwrap_or_default()
    }

    pub(super) fn place(&self, number: usize) -> Range<usize> {
        self.items.get(number).map_or(0..0, |item| {
            let start = item.start as usize;
            start..start + item.len as usize
        })
    }

    pub(super) fn hash(&self, number: usize) -> u64 {
        self.items.get(number).map_or(0, |item| item.hash)
    }

    pub(super) const fn buffer(&self) -> &Arc<Buffer> {
        &self.buffer
    }
}

/// How long documents and keys are, for the memory that is taken ahead: twice as long as many are.
const USUAL_BYTES: usize = 400;
const USUAL_KEY_BYTES: usize = 20;

/// What an item takes while it is sorted among others, in bytes.
const SORT_BYTES: usize = 16;
