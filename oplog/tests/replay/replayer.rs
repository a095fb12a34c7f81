//! A small applier for tests: entries go in, the reference model and the catalog change.
//!
//! Shared by the replay of the captures and the live random test. It does what an applier must do and nothing
//! to do it fast: one operation after the other, on whole documents. Divergences are collected, never hidden.

use std::collections::BTreeSet;
use std::fmt;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, OpTime, Timestamp};
use tidemark_oplog::catalog::{self, Catalog, Effect};
use tidemark_oplog::entry::{
    Action, Body, Change, CommandEntry, Entry, Fuzzy, Manner, Operation, Operations, Target,
};
use tidemark_oplog::names::Namespace;
use tidemark_oplog::transactions::{Assembler, Outcome};
use tidemark_oplog::update::Fit;
use tidemark_testkit::model::{self, Model, Scope};
use tidemark_testkit::order::IdKey;
use tidemark_testkit::state::State;

/// A strict operation that did not fit.
#[derive(Clone, Debug)]
pub(crate) struct Divergence {
    /// Where its entry takes effect.
    pub(crate) at: OpTime,
    /// The namespace, as the entry has it.
    pub(crate) namespace: String,
    /// The document, if it is about one.
    pub(crate) id: Option<IdKey>,
    /// What did not fit.
    pub(crate) what: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.namespace, self.at)?;
        if let Some(id) = &self.id {
            write!(f, ", _id {id}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// A state that entries are applied to.
pub(crate) struct Replayer {
    /// The documents. Names, options and indexes are those of `catalog` after [`Self::finish`].
    pub(crate) model: Model,
    /// The collections.
    pub(crate) catalog: Catalog,
    /// What did not fit.
    pub(crate) divergences: Vec<Divergence>,
    assembler: Assembler,
    scope: Scope,
    apply_after: Timestamp,
    fuzzy: Fuzzy,
    /// Store and rebuild what is open after each entry.
    pub(crate) rebuild: bool,
    /// The most bytes that were held at once.
    pub(crate) most_held_bytes: usize,
}

impl Replayer {
    /// Begins with a state that was captured, or copied.
    pub(crate) fn load(state: &State, scope: Scope, apply_after: Timestamp, fuzzy: Fuzzy) -> Self {
        let model = Model::load(state, scope).unwrap();
        let mut catalog = Catalog::new();
        for (uuid, collection) in model.iter() {
            let row = catalog::Collection {
                database: collection.db.clone(),
                name: collection.name.clone(),
                options: collection.options.clone(),
                indexes: collection.indexes.clone(),
            };
            assert_eq!(catalog.insert(uuid, row), None);
        }
        Self {
            model,
            catalog,
            divergences: Vec::new(),
            assembler: Assembler::new(apply_after),
            scope,
            apply_after,
            fuzzy,
            rebuild: false,
            most_held_bytes: 0,
        }
    }

    /// Applies one entry.
    pub(crate) fn entry(&mut self, raw: &[u8]) {
        let entry =
            Entry::parse(Doc::new(raw).unwrap(), self.fuzzy).unwrap_or_else(|error| panic!("{error}"));
        self.assembler.pass(entry.at);
        if let Body::Transaction(step) = &entry.body {
            let outcome = self.assembler.step(&entry, step, self.fuzzy);
            let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
            self.most_held_bytes = self.most_held_bytes.max(self.assembler.held_bytes());
            if let Outcome::Commit(committed) = outcome {
                assert!(entry.at.ts > self.apply_after && committed.at() == entry.at);
                for operation in committed.operations() {
                    self.operation(entry.at, operation.unwrap_or_else(|error| panic!("{error}")));
                }
            }
        } else if entry.at.ts > self.apply_after {
            match entry.body {
                Body::Change(change) => self.change(entry.at, &change),
                Body::Command(command) => self.command(entry.at, &command),
                Body::Group(operations) => self.group(entry.at, operations),
                Body::Transaction(_) | Body::Nothing => {}
            }
        }
        if self.rebuild {
            let open = self.assembler.open_entries().into_iter().map(|(_, entry)| entry);
            let rebuilt = Assembler::rebuild(self.apply_after, open).unwrap();
            assert_eq!(rebuilt.held_bytes(), self.assembler.held_bytes());
            assert_eq!(rebuilt.open_entries(), self.assembler.open_entries());
            self.assembler = rebuilt;
        }
    }

    /// How many transactions are open.
    pub(crate) fn open_transactions(&self) -> usize {
        self.assembler.open_len()
    }

    /// Brings names, options and indexes of the catalog into the model, to be compared.
    pub(crate) fn finish(mut self) -> Self {
        let in_model: BTreeSet<CollectionUuid> = self.model.iter().map(|(uuid, _)| uuid).collect();
        let in_catalog: BTreeSet<CollectionUuid> = self.catalog.iter().map(|(uuid, _)| uuid).collect();
        assert_eq!(in_model, in_catalog);
        for (uuid, row) in self.catalog.iter() {
            self.model.rename(uuid, &row.database, &row.name).unwrap();
            let collection = self.model.collection_mut(uuid).unwrap();
            collection.options.clone_from(&row.options);
            collection.indexes.clone_from(&row.indexes);
        }
        self
    }

    fn group(&mut self, at: OpTime, operations: Operations<'_>) {
        for operation in operations.iter() {
            self.operation(at, operation.unwrap_or_else(|problem| panic!("{at}: {problem}")));
        }
    }

    fn operation(&mut self, at: OpTime, operation: Operation<'_>) {
        match operation {
            Operation::Change(change) => self.change(at, &change),
            Operation::Command(command) => self.command(at, &command),
        }
    }

    /// Whether the states that are compared hold the database. The product's own filter is finer, and keeps
    /// parts of `config`, which captures have for information only.
    fn keeps(&self, database: &str) -> bool {
        match database {
            "local" | "config" => false,
            "admin" => self.scope == Scope::UsersAndAdmin,
            _ => true,
        }
    }

    fn command(&mut self, at: OpTime, command: &CommandEntry<'_>) {
        if !self.keeps(command.database) {
            return;
        }
        let applied = self.catalog.apply(command).unwrap_or_else(|problem| panic!("{at}: {problem}"));
        match applied.effect {
            Effect::Nothing => {}
            Effect::Created(uuid) => {
                self.model.create(uuid, model::Collection::new("", "", &[5, 0, 0, 0, 0])).unwrap();
            }
            // One that is not known may be dropped too.
            Effect::Dropped(uuids) => {
                uuids.into_iter().for_each(|uuid| drop(self.model.drop_collection(uuid)));
            }
            Effect::Emptied(uuid) => self.model.collection_mut(uuid).unwrap().clear(),
            Effect::CappedTo { .. } => panic!("{at}: a 6.0 server does not log convertToCapped"),
        }
        for misfit in applied.misfits {
            let (namespace, what) = (misfit.namespace.clone(), misfit.to_string());
            self.divergences.push(Divergence { at, namespace, id: None, what });
        }
    }

    fn change(&mut self, at: OpTime, change: &Change<'_>) {
        if !self.keeps(change.target.namespace.database()) {
            return;
        }
        let problem = self.try_change(at, change);
        if let Some((id, what)) = problem.filter(|_| change.manner == Manner::Strict) {
            let namespace = change.target.namespace.full().to_owned();
            self.divergences.push(Divergence { at, namespace, id: Some(id), what: what.to_owned() });
        }
    }

    /// Returns what does not fit, to be reported if the change is strict.
    fn try_change(&mut self, at: OpTime, change: &Change<'_>) -> Option<(IdKey, &'static str)> {
        let (Action::Insert { id, .. } | Action::Update { id, .. } | Action::Delete { id }) = change.action;
        let key = IdKey::new(id.kind, id.value).unwrap();
        let Some(uuid) = self.uuid(change.target) else { return Some((key, "there is no such collection")) };
        let Ok(collection) = self.model.collection_mut(uuid) else {
            return Some((key, "there is no such collection"));
        };
        match change.action {
            Action::Insert { document, .. } => {
                // What is inserted stands last in natural order, also if a copy had it already. What a user's
                // applyOps inserts over a document takes its place.
                let before = match change.manner {
                    Manner::User { .. } => collection.put(document.as_bytes()).unwrap(),
                    Manner::Strict | Manner::Tolerant => {
                        let before = collection.delete(&key);
                        collection.insert(document.as_bytes()).unwrap();
                        before
                    }
                };
                before.map(|_| (key, "an insert found a document"))
            }
            Action::Update { update, .. } => {
                let Some(before) = collection.get(&key) else {
                    if matches!(change.manner, Manner::User { upsert: true, .. }) {
                        let mut new = Vec::new();
                        update.upsert(id, &mut new).unwrap();
                        collection.put(&new).unwrap();
                    }
                    return Some((key, "an update found no document"));
                };
                let mut after = Vec::new();
                let applied = update.apply(Doc::new(before).unwrap(), &mut after);
                let fit =
                    applied.unwrap_or_else(|error| panic!("{} at {at}: {error}", change.target.namespace));
                let id_after = Doc::new(&after).unwrap().get("_id").unwrap().unwrap();
                if IdKey::new(id_after.kind, id_after.value).unwrap() != key {
                    return Some((key, "an update would have given the document another _id"));
                }
                collection.put(&after).unwrap();
                (fit == Fit::Parts).then_some((key, "parts of an update had no place in the document"))
            }
            Action::Delete { .. } => {
                collection.delete(&key).is_none().then_some((key, "a delete found no document"))
            }
        }
    }

    /// By UUID; by name only where there is none.
    fn uuid(&self, target: Target<'_>) -> Option<CollectionUuid> {
        let namespace: Namespace<'_> = target.namespace;
        let by_name = || self.catalog.named(namespace.database(), namespace.collection()).next();
        target.uuid.or_else(by_name)
    }
}
