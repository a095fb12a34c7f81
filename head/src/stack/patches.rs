//! Patch runs that lie on each other, as one: by key, the composed patch.

#![warn(clippy::indexing_slicing)]

use super::nearest::Nearest;
use super::{Report, Top};
use crate::patch::{Folder, Patch};
use crate::run::{KeyRange, Result, Run, RunCursor, RunReader, Source};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Goes through the patches of several runs, by key. Reads no documents.
#[derive(Debug)]
pub struct PatchCursor<'s> {
    /// Oldest first.
    runs: Vec<RunCursor<'s>>,
    /// Those that are at the present key, oldest first.
    at: Vec<usize>,
    /// Those that are at later keys; by key, then oldest first.
    later: Nearest,
    top: Top<'s>,
    /// What of it lies before the end of the range.
    rest: Top<'s>,
    range: KeyRange,
    /// The present key, if there is one.
    key: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Cursors must be brought to their first items.
    Before,
    /// Some cursors are at the present key.
    At,
    /// An error, or nothing more.
    End,
}

impl<'s> PatchCursor<'s> {
    /// A cursor before the first patch of the range. `runs` are oldest first; `top` lies above them.
    #[must_use]
    pub fn open(source: &'s dyn Source, runs: &[Run], top: Top<'s>, range: &KeyRange) -> Self {
        let cursor = |run| RunReader::open(source, run).cursor(range.clone());
        Self::new(runs.iter().map(cursor).collect(), top, range)
    }

    /// The same for one of many parts that are read at once: see [`RunCursor::of_part`].
    pub(super) fn of_part(source: &'s dyn Source, runs: &[Run], top: Top<'s>, range: &KeyRange) -> Self {
        let cursor = |run| RunReader::open(source, run).cursor(range.clone()).of_part();
        Self::new(runs.iter().map(cursor).collect(), top, range)
    }

    fn new(runs: Vec<RunCursor<'s>>, top: Top<'s>, range: &KeyRange) -> Self {
        let mut opened = Self {
            runs,
            at: Vec::new(),
            later: Nearest::default(),
            top,
            rest: top,
            range: range.clone(),
            key: Vec::new(),
            state: State::Before,
        };
        opened.rest_from(range.from.as_deref().unwrap_or_default());
        opened
    }

    /// Sets `rest` to what lies from `key` on, within the range.
    fn rest_from(&mut self, key: &[u8]) {
        let from = self.top.partition_point(|(at, _)| *at < key);
        let end = self.top.partition_point(|(at, _)| self.range.is_before_end(at));
        self.rest = self.top.get(from..end).unwrap_or_default();
    }

    /// Goes to the next key that has a patch, and says whether there is one.
    ///
    /// # Errors
    /// Damage, and failures of the store.
    pub fn advance(&mut self) -> Result<bool> {
        let was = std::mem::replace(&mut self.state, State::End);
        if was == State::End {
            return Ok(false);
        }
        if was == State::Before {
            self.later.clear();
            self.at.clear();
            self.at.extend(0..self.runs.len());
        }
        for &number in &self.at {
            let Some(run) = self.runs.get_mut(number) else { continue };
            if run.advance()? {
                self.later.push(number, is_before(&self.runs));
            }
        }
        self.at.clear();
        if let Some(((key, _), rest)) = self.rest.split_first()
            && was == State::At
            && *key == self.key
        {
            self.rest = rest;
        }
        let in_runs = self.later.first().and_then(|number| self.runs.get(number)?.key());
        let on_top = self.rest.first().map(|(key, _)| *key);
        let Some(key) = in_runs.into_iter().chain(on_top).min() else { return Ok(false) };
        self.key.clear();
        self.key.extend_from_slice(key);
        while let Some(number) = self.later.first()
            && self.runs.get(number).and_then(RunCursor::key) == Some(&self.key)
        {
            self.later.pop(is_before(&self.runs));
            self.at.push(number);
        }
        self.state = State::At;
        Ok(true)
    }

    /// The key it is at.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        (self.state == State::At).then_some(&self.key)
    }

    /// The patch it is at: those of all runs, composed. What in them does not fit is reported. None unless the
    /// cursor is at a key.
    ///
    /// # Errors
    /// Damage.
    pub fn patch(&self, folder: &mut Folder, report: Report<'_>) -> Result<Option<Cow<'_, Patch<'_>>>> {
        let Some(key) = self.key() else { return Ok(None) };
        let mut found = Vec::new();
        let mut composed: Option<Patch<'_>> = None;
        for run in self.at.iter().filter_map(|number| self.runs.get(*number)) {
            let Some(entry) = run.current() else { continue };
            let newer = entry.patch()?;
            composed = Some(match composed {
                None => newer,
                Some(older) => folder.compose(older, newer, &mut found),
            });
        }
        let on_top = self.rest.first().filter(|(at, _)| *at == key).map(|(_, patch)| *patch);
        let patch = match (composed, on_top) {
            (Some(older), Some(newer)) => Some(Cow::Owned(folder.compose(older, newer.clone(), &mut found))),
            (Some(composed), None) => Some(Cow::Owned(composed)),
            (None, on_top) => on_top.map(Cow::Borrowed),
        };
        found.into_iter().for_each(|misfit| report(key, misfit));
        Ok(patch)
    }

    /// How the key it is at compares with another; behind it, if there is none.
    pub(super) fn cmp_key(&self, other: &[u8]) -> Ordering {
        self.key().map_or(Ordering::Greater, |key| key.cmp(other))
    }

    /// Goes to just before the first patch of the range whose key is at least `key`.
    pub fn seek(&mut self, key: &[u8]) {
        self.runs.iter_mut().for_each(|run| run.seek(key));
        let from = self.range.from.clone().unwrap_or_default();
        self.rest_from(key.max(&from));
        self.state = State::Before;
    }
}

/// Whether one run comes before another: by the keys that they are at, and the older one of those at the same key.
fn is_before(runs: &[RunCursor<'_>]) -> impl Fn(usize, usize) -> bool {
    let key = |number: usize| runs.get(number).and_then(RunCursor::key);
    move |a, b| key(a).cmp(&key(b)).then(a.cmp(&b)).is_lt()
}
