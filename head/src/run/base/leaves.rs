//! What lies right above the items of a run: its leaves and large items by name, without reading them.

#![warn(clippy::indexing_slicing)]

use crate::run::error::{Problem, Result};
use crate::run::form::Form;
use crate::run::index::{self, Amount, Child, Index};
use crate::run::record::Run;
use crate::run::separator;
use crate::run::source::{Source, read_one};
use tidemark_base::codec::Reader;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{Block, Node};

/// A leaf or large item, and what follows it.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its separator is that from the one before it, whichever node that is in.
    pub(super) child: Child,
    /// What separates the next one from it, and what lies in that.
    pub(super) next: Option<(Vec<u8>, Amount)>,
}

/// Goes through the leaves of a run, in order.
pub(super) struct Leaves<'s> {
    source: &'s dyn Source,
    run: &'s Run,
    /// Nodes on the way: those of their children that are still to come.
    open: Vec<(u8, std::vec::IntoIter<Child>)>,
    /// The next leaf, already found.
    next: Option<Child>,
    is_begun: bool,
}

impl<'s> Leaves<'s> {
    pub(super) fn new(source: &'s dyn Source, run: &'s Run) -> Self {
        Self { source, run, open: Vec::new(), next: None, is_begun: false }
    }

    /// The next leaf.
    ///
    /// # Errors
    /// Damage of a node; failures of the store.
    pub(super) fn next(&mut self) -> Result<Option<Leaf>> {
        if !std::mem::replace(&mut self.is_begun, true) {
            let amount = self.run.amount();
            let top = Child { id: self.run.top, separator: Vec::new(), amount };
            self.next = match self.node(&top, None)? {
                None => Some(top),
                Some(node) => {
                    self.enter(node, &top);
                    self.find()?
                }
            };
        }
        let Some(child) = self.next.take() else { return Ok(None) };
        self.next = self.find()?;
        let next = self.next.as_ref().map(|next| (next.separator.clone(), next.amount));
        let ascends = next.as_ref().is_none_or(|(next, _)| separator::may_follow(&child.separator, next));
        if !ascends {
            return Err(Problem::Order.of(child.id));
        }
        Ok(Some(Leaf { child, next }))
    }

    /// Goes down to the next leaf.
    fn find(&mut self) -> Result<Option<Child>> {
        loop {
            let Some((level, children)) = self.open.last_mut() else { return Ok(None) };
            let level = *level;
            let Some(child) = children.next() else {
                self.open.pop();
                continue;
            };
            if level == 1 {
                return Ok(Some(child));
            }
            let Some(node) = self.node(&child, Some(level - 1))? else {
                return Err(Problem::Form("an index node").of(child.id));
            };
            self.enter(node, &child);
        }
    }

    fn enter(&mut self, node: Index, of: &Child) {
        let mut children = node.children;
        if let Some(first) = children.first_mut() {
            first.separator.clone_from(&of.separator);
        }
        self.open.push((node.level, children.into_iter()));
    }

    /// The index node that a child is; none if it is something else.
    fn node(&self, child: &Child, level: Option<u8>) -> Result<Option<Index>> {
        let block: Block = read_one(self.source, child.id)?;
        if block.kind() == BlockKind::Leaf {
            return Ok(None);
        }
        let read = || -> Result<Option<Index>, Problem> {
            let node = Node::decode(block.bytes())?;
            if Form::read(self.run.kind, &mut Reader::new(node.body))? != Form::Index {
                return Ok(None);
            }
            let node = index::decode(self.run.kind, node)?;
            if let Some(expected) = level.filter(|expected| *expected != node.level) {
                return Err(Problem::Level { found: node.level, expected });
            }
            child.amount.check(node.amount)?;
            Ok(Some(node))
        };
        let id: BlockId = child.id;
        read().map_err(|problem| problem.of(id))
    }
}
