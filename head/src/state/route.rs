//! The second pass: operations to the delta, commands to the catalog.
//!
//! Operations on documents are collected and applied to the delta together, in parallel: those of entries that are
//! one change each, which are most, are even routed in parallel ([`super::bulk`]). A command is a
//! barrier: what came before it is applied first, since it may drop or name what that is about. Writes to
//! `system.views` and to the version document of `admin` need none here: nothing is decided by the contents
//! of documents before an export reads them at a root.

use super::State;
use super::bulk::Piece;
use super::take::{Changes, Taken};
use crate::delta::Operation;
use crate::divergence::{Divergence, What, only_id};
use crate::error::{HeadError, Result};
use crate::key::{self, KeyError};
use crate::patch::Patch;
use crate::run::Source;
use tidemark_base::{CollectionUuid, OpTime};
use tidemark_oplog::entry::{self, Change, Manner, Target};
use tidemark_oplog::{EntryError, EntryProblem};

/// Operations that wait to be applied to the delta.
#[derive(Debug, Default)]
pub(super) struct Waiting<'a> {
    pub(super) documents: Vec<Operation<'a>>,
    pub(super) orders: Vec<Operation<'a>>,
}

impl State {
    /// Applies what was taken.
    pub(super) fn run(
        &mut self,
        source: &dyn Source,
        taken: &[Taken<'_, '_>],
        mut routed: Vec<Option<Piece>>,
    ) -> Result<()> {
        let mut waiting = Waiting::default();
        let mut rest = taken;
        while let Some((next, behind)) = rest.split_first() {
            let changes: Vec<_> = rest.iter().map_while(Taken::changes).collect();
            if changes.is_empty() {
                // What was routed before may go elsewhere now.
                routed.clear();
                self.one(source, next, &mut waiting)?;
                rest = behind;
            } else {
                rest = rest.get(changes.len()..).unwrap_or_default();
                let changes = changes.into_iter().map(|Changes { entries, piece }| {
                    (entries, piece.and_then(|piece| routed.get_mut(piece)?.take()))
                });
                self.changes(source, changes.collect(), &mut waiting)?;
            }
        }
        self.settle(&mut waiting);
        Ok(())
    }

    /// Applies what is more than changes.
    fn one<'a>(
        &mut self,
        source: &dyn Source,
        taken: &'a Taken<'_, 'a>,
        waiting: &mut Waiting<'a>,
    ) -> Result<()> {
        match taken {
            Taken::Changes(changes) => self.changes(source, vec![(changes.entries, None)], waiting),
            Taken::Command(at, command) => self.command(*at, command, waiting),
            Taken::Group(at, operations) => operations.iter().try_for_each(|operation| {
                let operation = operation.map_err(|problem| EntryError { at: *at, problem })?;
                self.operation(source, *at, &operation, waiting)
            }),
            Taken::Transaction(at, committed) => {
                committed.operations().try_for_each(|it| self.operation(source, *at, &it?, waiting))
            }
        }
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

    pub(super) fn change<'a>(
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
        let id = change.id();
        let diverged = |uuid: Option<CollectionUuid>, what: What| diverged(at, change, uuid, what);
        let Some(uuid) = self.known(change.target, waiting) else {
            if change.manner == Manner::Strict {
                self.divergences.push(diverged(change.target.uuid, What::NoCollection));
            }
            return Ok(());
        };
        let mut key = Vec::new();
        key::encode(id, &mut key).map_err(|problem| no_key(at, change, problem))?;
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

/// A change that does not fit.
pub(super) fn diverged(
    at: OpTime,
    change: &Change<'_>,
    uuid: Option<CollectionUuid>,
    what: What,
) -> Divergence {
    let (namespace, id) = (change.target.namespace.full().to_owned(), Some(only_id(change.id())));
    Divergence { at: Some(at), within: None, namespace, uuid, id, key: None, what }
}

/// The error of a change whose `_id` is broken.
pub(super) fn no_key(at: OpTime, change: &Change<'_>, problem: KeyError) -> HeadError {
    let namespace = change.target.namespace;
    HeadError::Document { what: format!("the _id of the oplog entry at {at} on {namespace}"), problem }
}

/// An error of an entry at its position.
pub(super) const fn entry_error(at: OpTime, problem: EntryProblem) -> HeadError {
    HeadError::Entry(EntryError { at, problem })
}
