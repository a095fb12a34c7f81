//! A capture in a head in memory: imported, applied, compared.

use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, SeededEntropy};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_testkit::captures::{Capture, Mode};
use tidemark_testkit::model::{self, Model, Scope, difference};

pub(crate) struct Rig {
    pub(crate) capture: &'static Capture,
    store: Store,
    name: HeadName,
    head: Option<Head>,
}

impl Rig {
    /// Imports the initial state. Every store has the same salts, so that roots can be compared.
    pub(crate) fn import(capture: &'static Capture, budget_bytes: usize) -> Self {
        let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(7))));
        let name = HeadName::new("local", "rs0").unwrap();
        let at = OpTime { ts: capture.apply_after, term: OpTime::NO_TERM };
        let mut import = Import::begin(&store, at, filter(capture), budget_bytes).unwrap();
        let collections = capture.initial.collections.iter();
        let admin = capture.initial.admin.iter().filter(|_| scope(capture) == Scope::UsersAndAdmin);
        for collection in collections.chain(admin) {
            let uuid = collection.uuid.unwrap();
            let row = Collection {
                database: collection.db.clone(),
                name: collection.name.clone(),
                options: collection.options.to_vec(),
                indexes: collection.indexes.iter().map(|index| index.to_vec()).collect(),
            };
            import.collection(uuid, row);
            let documents: Vec<_> = collection.documents.iter().map(|it| Doc::new(it).unwrap()).collect();
            documents.chunks(100).for_each(|chunk| import.documents(uuid, chunk).unwrap());
        }
        let fuzzy_until = match capture.mode {
            Mode::Exact => None,
            Mode::InitialSync => Some(capture.consistent_from.unwrap()),
        };
        let head = import.finish(&name, fuzzy_until).unwrap();
        Self { capture, store, name, head: Some(head) }
    }

    pub(crate) fn head(&self) -> &Head {
        self.head.as_ref().unwrap()
    }

    pub(crate) fn head_mut(&mut self) -> &mut Head {
        self.head.as_mut().unwrap()
    }

    pub(crate) fn apply(&mut self, entries: &[&[u8]]) {
        let entries: Vec<Doc<'_>> = entries.iter().map(|entry| Doc::new(entry).unwrap()).collect();
        self.head_mut().apply(&entries).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Throws everything in memory away and takes the head over.
    pub(crate) fn reopen(&mut self) {
        self.assert_no_divergences();
        self.head = None;
        self.head = Some(Head::claim(&self.store, &self.name, filter(self.capture)).unwrap());
    }

    fn assert_no_divergences(&mut self) {
        let found: Vec<_> = self.head_mut().take_divergences().iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}:\n{}", self.capture.name, found.join("\n"));
    }

    /// Compares with the capture's final state, byte for byte.
    pub(crate) fn assert_final(&mut self) {
        self.assert_no_divergences();
        let state = self.head().state();
        let mut model = Model::new();
        for (uuid, collection) in state.catalog().iter() {
            let mut ours =
                model::Collection::new(&collection.database, &collection.name, &collection.options);
            ours.indexes.clone_from(&collection.indexes);
            let insert = &mut |document: &[u8]| {
                ours.insert(document).unwrap();
                Ok(())
            };
            state.for_each(&self.store, uuid, insert).unwrap();
            let misfits = state.fold(&self.store, uuid, &mut |_| Ok(())).unwrap();
            assert!(misfits.is_empty(), "{misfits:?}");
            model.create(uuid, ours).unwrap();
        }
        let difference = difference(&model, &self.capture.final_, scope(self.capture));
        assert!(difference.is_empty(), "{}:\n{}", self.capture.name, difference.join("\n"));
    }
}

/// Copies that were taken while a workload ran left `admin` out.
fn scope(capture: &Capture) -> Scope {
    match capture.mode {
        Mode::Exact => Scope::UsersAndAdmin,
        Mode::InitialSync => Scope::Users,
    }
}

/// Captures have `config` for information only.
fn filter(capture: &Capture) -> Filter {
    let out: &[&str] = match scope(capture) {
        Scope::UsersAndAdmin => &["config"],
        Scope::Users => &["config", "admin"],
    };
    Filter::new(out, [] as [&str; 0]).unwrap()
}
