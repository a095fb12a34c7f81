//! The operations within an `applyOps`, in order, nested ones in their place.
//!
//! Used by the assembler of transactions and by whoever applies groups. Operations are parsed as they are
//! asked for, without allocating; notes and servers' bookkeeping are left out. Nesting is followed with a
//! small stack of fixed size, so that hostile input can neither recurse nor allocate.

#![warn(clippy::indexing_slicing)]

use super::fields::{Fields, typed};
use super::group::ApplyOps;
use super::parse::{Kind, kind};
use super::{Change, CommandEntry, Manner, command};
use crate::error::EntryProblem;
use tidemark_base::bson::{Doc, Elements};

/// How deep `applyOps` may nest: what mongod accepts from users.
pub const MAX_NESTED_APPLY_OPS: usize = 10;

/// The operations of one `applyOps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operations<'a> {
    /// The array.
    pub array: Doc<'a>,
    /// How they must fit. For those of a transaction this is decided by where it commits.
    pub manner: Manner,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation<'a> {
    /// A change of a document.
    Change(Change<'a>),
    /// A command: `create` and `createIndexes` in transactions, others in old `applyOps`.
    Command(CommandEntry<'a>),
}

impl<'a> Operations<'a> {
    /// The operations, in order. After an error it ends.
    ///
    /// # Errors
    /// Items are errors where an operation is broken or not known, as for entries; the entry's position is
    /// the caller's to add.
    pub fn iter(self) -> impl Iterator<Item = Result<Operation<'a>, EntryProblem>> + use<'a> {
        Walk {
            current: Some(Level { items: self.array.elements(), manner: self.manner }),
            outer: [const { None }; MAX_NESTED_APPLY_OPS - 1],
            depth: 0,
        }
    }
}

/// One `applyOps` that is being walked over.
#[derive(Clone, Debug)]
struct Level<'a> {
    items: Elements<'a>,
    manner: Manner,
}

#[derive(Clone, Debug)]
struct Walk<'a> {
    /// The innermost one; none after the end.
    current: Option<Level<'a>>,
    /// Those around it, outermost first.
    outer: [Option<Level<'a>>; MAX_NESTED_APPLY_OPS - 1],
    depth: usize,
}

impl<'a> Walk<'a> {
    fn step(&mut self) -> Result<Option<Operation<'a>>, EntryProblem> {
        while let Some(level) = &mut self.current {
            let Some(item) = level.items.next().transpose()? else {
                self.leave();
                continue;
            };
            let manner = level.manner;
            let fields = Fields::read(typed(item.as_object(), "o.applyOps")?)?;
            match kind(&fields)? {
                Kind::Nothing => {}
                Kind::Change(sort) => {
                    return Change::read(sort, &fields, manner).map(|change| Some(Operation::Change(change)));
                }
                Kind::Command => {
                    let head = command::Head::read(&fields)?;
                    if head.first.name == b"applyOps" {
                        self.enter(head.o, manner)?;
                    } else if let Some(command) = command::read(head, fields.uuid, manner)? {
                        return Ok(Some(Operation::Command(command)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn enter(&mut self, o: Doc<'a>, manner: Manner) -> Result<(), EntryProblem> {
        let nested = ApplyOps::read(o)?;
        if !nested.is_complete() {
            return Err(EntryProblem::Transaction("a part or prepared inside of an applyOps".to_owned()));
        }
        let place = self.outer.get_mut(self.depth);
        *place.ok_or(EntryProblem::TooDeep { limit: MAX_NESTED_APPLY_OPS })? = self.current.take();
        self.depth += 1;
        self.current = Some(Level { items: nested.array.elements(), manner: nested.manner(manner) });
        Ok(())
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.current = self.outer.get_mut(self.depth).and_then(Option::take);
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Operation<'a>, EntryProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if !matches!(step, Some(Ok(_))) {
            self.current = None;
        }
        step
    }
}
