//! A stack in parts, each small enough to be held in memory: where in the keys one ends and the next begins.
//!
//! Known from the nodes of the runs alone, before a leaf is read. A part ends where a leaf of the base does, if it
//! can, so that hardly a leaf is read twice. Depends on the runs and on what is in memory above them, on nothing else.

#![warn(clippy::indexing_slicing)]

use super::{Stack, Top};
use crate::patch::{Patch, Then};
use crate::run::{KeyRange, Result, Source, Step, Steps};

/// How much longer it may become while the base offers no end.
const AT_MOST_TIMES: u64 = 2;

/// How many patches in memory make one step.
const TOP_STEP: usize = 256;

/// A stretch of keys, and about how many bytes of documents and patches lie in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) range: KeyRange,
    pub(super) bytes: u64,
}

/// One that says where its leaves begin.
enum Layer<'s> {
    Run(Steps<'s>),
    Top(Top<'s>),
}

/// Divides a stack into parts, which together are all keys.
pub(super) struct Parts<'s> {
    /// The base first, if there is one; each with its next step.
    layers: Vec<(Layer<'s>, Option<Step>)>,
    has_base: bool,
    /// About how long a part shall be.
    part_bytes: u64,
    /// Where the next part begins; none once the last one was given.
    from: Option<Vec<u8>>,
}

impl<'s> Parts<'s> {
    pub(super) fn open(source: &'s dyn Source, stack: Stack<'s>, part_bytes: u64) -> Result<Self> {
        let runs = stack.base.into_iter().chain(stack.patches);
        let layers = runs.map(|run| Layer::Run(Steps::open(source, run))).chain([Layer::Top(stack.top)]);
        let layers = layers.map(|mut layer| {
            let first = layer.next()?;
            Ok((layer, first))
        });
        let layers = layers.collect::<Result<_>>()?;
        Ok(Self { layers, has_base: stack.base.is_some(), part_bytes, from: Some(Vec::new()) })
    }

    /// The next part.
    ///
    /// # Errors
    /// Damage, and failures of the store.
    pub(super) fn next(&mut self) -> Result<Option<Part>> {
        let Some(from) = self.from.take() else { return Ok(None) };
        let part = |from: Vec<u8>, before, bytes| {
            let from = Some(from).filter(|from| !from.is_empty());
            Some(Part { range: KeyRange { from, before }, bytes })
        };
        let mut bytes = 0;
        while let Some(layer) = self.first_layer() {
            let Some((steps, next)) = self.layers.get_mut(layer) else { break };
            let is_base = self.has_base && layer == 0;
            let least = if is_base { self.part_bytes } else { AT_MOST_TIMES * self.part_bytes };
            let may_end = bytes >= least;
            if let Some(step) = next.as_ref().filter(|step| may_end && step.low > from) {
                self.from = Some(step.low.clone());
                return Ok(part(from, self.from.clone(), bytes));
            }
            let step = std::mem::replace(next, steps.next()?);
            // What nodes say is not proven yet.
            bytes = u64::saturating_add(bytes, step.map_or(0, |step| step.bytes));
        }
        Ok(part(from, None, bytes))
    }

    /// The layer whose next leaf begins first.
    fn first_layer(&self) -> Option<usize> {
        let next = self.layers.iter().enumerate().filter_map(|(i, (_, next))| Some((&next.as_ref()?.low, i)));
        next.min().map(|(_, i)| i)
    }
}

impl Layer<'_> {
    fn next(&mut self) -> Result<Option<Step>> {
        match self {
            Self::Run(steps) => steps.next(),
            Self::Top(top) => {
                let Some(((key, _), _)) = top.split_first() else { return Ok(None) };
                let (some, rest) = top.split_at(top.len().min(TOP_STEP));
                *top = rest;
                Ok(Some(Step {
                    low: key.to_vec(),
                    bytes: some.iter().map(|(_, patch)| len_bytes(patch)).sum(),
                }))
            }
        }
    }
}

/// About how many bytes come of a patch.
fn len_bytes(patch: &Patch<'_>) -> u64 {
    match patch.then() {
        Then::Document(document) => document.len() as u64,
        Then::Gone => 0,
        Then::Updates(_) => patch.waiting().bytes as u64,
    }
}
