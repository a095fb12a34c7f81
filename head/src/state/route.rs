//! The second pass: operations to the delta, commands to the catalog.
//!
//! Operations on documents are collected and applied to the delta together, in parallel. A command is a
//! barrier: what came before it is applied first, since it may drop or name what that is about. Writes to
//! `system.views` and to the version document of `admin` need none here: nothing is decided by the contents
//! of documents before an export reads them at a root.

use super::State;
use super::take::{Taken, Work};
use crate::delta::Operation;
use crate::divergence::{Divergence, What, only_id};
use crate::error::{HeadError, Result};
use crate::key;
use crate::patch::Patch;
use crate::run::Source;
use tidemark_base::{CollectionUuid, OpTime};
use tidemark_oplog::entry::{self, Action, Change, Manner, Target};
use tidemark_oplog::{EntryError, EntryProblem};

/// Operations that wait to be applied to the delta.
#[derive(Debug, Default)]
pub(super) struct Waiting<'a> {
    pub(super) documents: Vec<Operation<'a>>,
    pub(super) orders: Vec<Operation<'a>>,
}

impl State {
    /// Applies what was taken.
    pub(super) fn run(&mut self, source: &dyn Source, taken: &[Taken<'_>]) -> Result<()> {
        let mut waiting = Waiting::default();
        for Taken { at, work } in taken {
            match work {
                Work::Change(change) => self.change(source, *at, change, &mut waiting)?,
                Work::Command(command) => self.command(*at, command, &mut waiting)?,
                Work::Group(operations) => {
                    for operation in operations.iter() {
                        let operation = operation.map_err(|problem| EntryError { at: *at, problem })?;
                        self.operation(source, *at, &operation, &mut waiting)?;
                    }
                }
                Work::Transaction(committed) => {
                    for operation in committed.operations() {
                        self.operation(source, *at, &operation?, &mut waiting)?;
                    }
                }
            }
        }
        self.settle(&mut waiting);
        Ok(())
    }

    /// Applies what waits.
    pub(super) fn settle(&mut self, waiting: &mut Waiting<'_>) {
        let found = self.documents.apply(std::mem::take(&mut waiting.documents));
        self.divergences.extend(found);
        // The order is ours: what is done to it always fits.
        self.orders.apply(std::mem::take(&mut waiting.orders));
    }

    fn operation<'a>(
        &mut self,
        source: &dyn Source,
        at: OpTime,
        operation: &entry::Operation<'a>,
        waiting: &mut Waiting<'a>,
    ) -> Result<()> {
        match operation {
            entry::Operation::Change(change) => self.change(source, at, change, waiting),
            entry::Operation::Command(command) => self.command(at, command, waiting),
        }
    }

    fn change<'a>(
        &mut self,
        source: &dyn Source,
        at: OpTime,
        change: &Change<'a>,
        waiting: &mut Waiting<'a>,
    ) -> Result<()> {
        let namespace = change.target.namespace;
        if !self.filter.keeps(namespace) {
            return Ok(());
        }
        let (Action::Insert { id, .. } | Action::Update { id, .. } | Action::Delete { id }) = change.action;
        let diverged = |uuid: Option<CollectionUuid>, what: What| Divergence {
            at: Some(at),
            within: None,
            namespace: namespace.full().to_owned(),
            uuid,
            id: Some(only_id(id)),
            key: None,
            what,
        };
        let Some(uuid) = self.known(change.target, waiting) else {
            if change.manner == Manner::Strict {
                self.divergences.push(diverged(change.target.uuid, What::NoCollection));
            }
            return Ok(());
        };
        let mut key = Vec::new();
        key::encode(id, &mut key).map_err(|problem| HeadError::Document {
            what: format!("the _id of the oplog entry at {at} on {namespace}"),
            problem,
        })?;
        let mut misfits = Vec::new();
        let patch = Patch::of(change, &mut misfits);
        self.divergences
            .extend(misfits.into_iter().map(|misfit| diverged(Some(uuid), What::Document(misfit))));
        self.divergences.extend(change.doubt().map(|doubt| diverged(Some(uuid), What::Doubt(doubt))));
        let operation = Operation { at, uuid, namespace: namespace.full(), id, key, patch };
        if self.capped.contains(&uuid) {
            self.note_order(source, change, &operation, waiting)?;
        }
        waiting.documents.push(operation);
        Ok(())
    }

    /// The collection that is meant, if there is one: by UUID; by name only where there is none.
    fn known(&mut self, target: Target<'_>, waiting: &mut Waiting<'_>) -> Option<CollectionUuid> {
        let namespace = target.namespace;
        if let Some(uuid) = target.uuid {
            self.adopt(uuid, namespace.database(), namespace.collection(), waiting);
        }
        let by_name = || self.catalog.named(namespace.database(), namespace.collection()).next();
        target.uuid.or_else(by_name).filter(|uuid| self.catalog.get(*uuid).is_some())
    }
}

/// An error of an entry at its position.
pub(super) const fn entry_error(at: OpTime, problem: EntryProblem) -> HeadError {
    HeadError::Entry(EntryError { at, problem })
}
