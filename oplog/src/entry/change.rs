//! From the fields of an `i`, `u` or `d` to the change of a document.
//!
//! Called for entries and for operations within an `applyOps`.

#![warn(clippy::indexing_slicing)]

use super::fields::{Fields, typed};
use super::{Action, Change, Manner, Target};
use crate::error::EntryProblem;
use crate::names::{NameError, Namespace};
use crate::update::Update;
use tidemark_base::bson::{Doc, Element};

/// Which of the three it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sort {
    Insert,
    Update,
    Delete,
}

impl<'a> Change<'a> {
    /// The change that `fields` describe.
    pub(super) fn read(sort: Sort, fields: &Fields<'a>, manner: Manner) -> Result<Self, EntryProblem> {
        let name = fields.namespace()?;
        let namespace = Namespace::parse(name)?;
        if namespace.is_command() {
            return Err(
                NameError::of(name, "documents cannot be in what stands for a database's commands").into()
            );
        }
        let o = fields.payload()?;
        let action = match sort {
            Sort::Insert => Action::Insert { id: id_of(o, "o._id")?, document: o },
            Sort::Update => {
                let id = id_of(typed(fields.o2, "o2")?, "o2._id")?;
                Action::Update { id, update: Update::parse(o)? }
            }
            Sort::Delete => Action::Delete { id: id_of(o, "o._id")? },
        };
        // An update that says so itself is an upsert, whoever wrote it. Of others it says nothing.
        let upserts = fields.upsert == Some(true) && matches!(sort, Sort::Update);
        let manner = if upserts { Manner::User { upsert: true, fuzzy: manner.is_fuzzy() } } else { manner };
        Ok(Change { target: Target { uuid: fields.uuid, namespace }, manner, action })
    }
}

/// The `_id` of a document: as a rule its first field, but shard keys may come before it.
fn id_of<'a>(document: Doc<'a>, field: &'static str) -> Result<Element<'a>, EntryProblem> {
    typed(document.get("_id")?, field)
}
