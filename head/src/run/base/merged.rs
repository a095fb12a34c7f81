//! Batches from several places as one sequence by key: of several items with one key, the one of the last place.

#![warn(clippy::indexing_slicing)]

use super::item::Picked;
use super::sorted::Sorted;
use crate::run::error::Result;
use std::sync::Arc;

/// Where batches come from, one after another, by ascending key.
pub(crate) type Batches<'s> = Box<dyn FnMut() -> Result<Option<Arc<Sorted>>> + Send + 's>;

/// Goes through the items of several places.
pub(crate) struct Merged<'s> {
    /// Later ones overwrite earlier ones.
    places: Vec<Place<'s>>,
    /// The places that have something left; a heap, the least key on top, and of equal ones the last place.
    heap: Vec<Front>,
}

/// A place that has something left.
#[derive(Clone, Copy, Debug)]
struct Front {
    place: usize,
    /// How its key begins, as a number that compares alike: it decides nearly always, and is at hand.
    begins: u128,
}

struct Place<'s> {
    batches: Batches<'s>,
    at: Option<Picked>,
}

impl Place<'_> {
    /// Goes to the next item, and says whether there is one.
    fn advance(&mut self) -> Result<bool> {
        if let Some(at) = &mut self.at
            && at.number + 1 < at.batch.len()
        {
            at.number += 1;
            return Ok(true);
        }
        self.at = None;
        while let Some(batch) = (self.batches)()? {
            if batch.len() > 0 {
                self.at = Some(Picked { batch, number: 0 });
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'s> Merged<'s> {
    /// Before the first item of all.
    ///
    /// # Errors
    /// What the places return.
    pub(crate) fn open(batches: impl IntoIterator<Item = Batches<'s>>) -> Result<Self> {
        let places = batches.into_iter().map(|batches| Place { batches, at: None });
        let mut merged = Self { places: places.collect(), heap: Vec::new() };
        for (number, place) in merged.places.iter_mut().enumerate() {
            if place.advance()? {
                merged.heap.push(Front { place: number, begins: 0 });
            }
        }
        for at in 0..merged.heap.len() {
            merged.note_key(at);
        }
        for at in (0..merged.heap.len() / 2).rev() {
            merged.sift(at);
        }
        Ok(merged)
    }

    fn at(&self, place: usize) -> Option<&Picked> {
        self.places.get(place)?.at.as_ref()
    }

    /// The key of the next item.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        Some(self.at(self.heap.first()?.place)?.key())
    }

    /// The next item; those with the same key of places before it are passed over.
    ///
    /// # Errors
    /// What the places return.
    pub(crate) fn next(&mut self) -> Result<Option<Picked>> {
        let Some(found) = self.heap.first().and_then(|top| self.at(top.place)).cloned() else {
            return Ok(None);
        };
        self.advance_top()?;
        while self.key() == Some(found.key()) {
            self.advance_top()?;
        }
        Ok(Some(found))
    }

    fn advance_top(&mut self) -> Result<()> {
        let Some(top) = self.heap.first().copied() else { return Ok(()) };
        let has_more = self.places.get_mut(top.place).map_or(Ok(false), Place::advance)?;
        if has_more {
            self.note_key(0);
        } else {
            self.heap.swap_remove(0);
        }
        self.sift(0);
        Ok(())
    }

    /// Whether the place at `a` of the heap comes before that at `b`.
    fn is_before(&self, a: usize, b: usize) -> bool {
        let (Some(a), Some(b)) = (self.heap.get(a), self.heap.get(b)) else { return false };
        let keys = || self.at(a.place).map(Picked::key).cmp(&self.at(b.place).map(Picked::key));
        a.begins.cmp(&b.begins).then_with(keys).then(b.place.cmp(&a.place)).is_lt()
    }

    /// Notes how the key begins that the place at `at` of the heap is at.
    fn note_key(&mut self, at: usize) {
        let key = self.heap.get(at).and_then(|front| self.at(front.place)).map_or(&[][..], Picked::key);
        let mut begins = [0; 16];
        begins.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        if let Some(front) = self.heap.get_mut(at) {
            front.begins = u128::from_be_bytes(begins);
        }
    }

    /// Moves what is at `at` of the heap down to where it belongs.
    fn sift(&mut self, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let least = if self.is_before(right, left) { right } else { left };
            if least >= self.heap.len() || !self.is_before(least, at) {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}
