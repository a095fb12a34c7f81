//! A run in steps: where its leaves begin and how long they are, from the nodes alone.
//!
//! For who divides the work on a run. What it says is the nodes' word, which only the leaves can prove: any keys
//! are good enough to divide at.

#![warn(clippy::indexing_slicing)]

use super::error::Result;
use super::held::{Held, hold};
use super::index::Index;
use super::record::Run;
use super::source::Source;
use std::sync::Arc;

/// A leaf or large item, in outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// No key in it is smaller; empty for the first.
    pub(crate) low: Vec<u8>,
    /// The length of its items, in bytes.
    pub(crate) bytes: u64,
}

/// Goes through the leaves of a run in order. Holds one node of each level.
pub(crate) struct Steps<'s> {
    source: &'s dyn Source,
    run: Run,
    is_begun: bool,
    /// Each with the child that comes next, and where the node begins.
    nodes: Vec<(Arc<Index>, usize, Vec<u8>)>,
}

impl<'s> Steps<'s> {
    pub(crate) fn open(source: &'s dyn Source, run: &Run) -> Self {
        Self { source, run: run.clone(), is_begun: false, nodes: Vec::new() }
    }

    /// The next leaf.
    ///
    /// # Errors
    /// Damage, and failures of the store.
    pub(crate) fn next(&mut self) -> Result<Option<Step>> {
        if !std::mem::replace(&mut self.is_begun, true) {
            match hold(self.source, self.run.kind, self.run.top)? {
                Held::Leaf(_) => return Ok(Some(Step { low: Vec::new(), bytes: self.run.plain_bytes })),
                Held::Index(_, node) => self.nodes.push((node, 0, Vec::new())),
            }
        }
        loop {
            let Some((node, next, low)) = self.nodes.last_mut() else { return Ok(None) };
            let Some(child) = node.children.get(*next) else {
                self.nodes.pop();
                continue;
            };
            let low = if *next == 0 { low.clone() } else { child.separator.clone() };
            *next += 1;
            if node.level == 1 {
                return Ok(Some(Step { low, bytes: child.amount.plain_bytes }));
            }
            let (id, level) = (child.id, node.level);
            match hold(self.source, self.run.kind, id)? {
                // What has another level is damaged, which is found where it is read.
                Held::Index(_, below) if below.level < level => self.nodes.push((below, 0, low)),
                Held::Index(..) | Held::Leaf(_) => {}
            }
        }
    }
}
