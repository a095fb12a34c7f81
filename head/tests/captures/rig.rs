//! A capture in a head, in memory or on disk: imported, applied, compared, exported.

use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, SeededEntropy};
use tidemark_blockstore::{Depth, MemoryBackend, OpenOptions, Quiet, Store};
use tidemark_head::dump::{ArchiveWriter, Compression, Versions};
use tidemark_head::export;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_testkit::captures::{Capture, Mode};
use tidemark_testkit::model::{self, Model, Scope, difference};

pub(crate) struct Rig {
    pub(crate) capture: &'static Capture,
    name: HeadName,
    // Before the store, and that before its folder.
    head: Option<Head>,
    store: Option<Store>,
    folder: Option<TempDir>,
}

/// Every store has the same salts, so that roots can be compared.
fn salts() -> SeededEntropy {
    SeededEntropy::new(7)
}

impl Rig {
    /// Imports the initial state into a store in memory.
    pub(crate) fn import(capture: &'static Capture, budget_bytes: usize) -> Self {
        Self::into(Store::new(Arc::new(MemoryBackend::new(&mut salts()))), capture, budget_bytes)
    }

    /// Imports the initial state into a store on disk, which is closed and opened again whenever the head is.
    pub(crate) fn import_to_disk(capture: &'static Capture, budget_bytes: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let backend = on_disk().entropy(Box::new(salts())).create(&folder.path().join("store")).unwrap();
        let rig = Self::into(Store::new(Arc::new(backend)), capture, budget_bytes);
        Self { folder: Some(folder), ..rig }
    }

    fn into(store: Store, capture: &'static Capture, budget_bytes: usize) -> Self {
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
            import.collection(uuid, row).unwrap();
            let documents: Vec<_> = collection.documents.iter().map(|it| Doc::new(it).unwrap()).collect();
            documents.chunks(100).for_each(|chunk| import.documents(uuid, chunk).unwrap());
        }
        let fuzzy_until = match capture.mode {
            Mode::Exact => None,
            Mode::InitialSync => Some(capture.consistent_from.unwrap()),
        };
        let head = import.finish(&name, fuzzy_until).unwrap();
        Self { capture, name, head: Some(head), store: Some(store), folder: None }
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

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Throws everything in memory away and takes the head over.
    pub(crate) fn reopen(&mut self) {
        self.assert_no_divergences();
        self.head = None;
        if let Some(folder) = &self.folder {
            self.store = None;
            let backend = on_disk().open(&folder.path().join("store")).unwrap();
            assert_eq!(backend.healed(), []);
            self.store = Some(Store::new(Arc::new(backend)));
        }
        self.head = Some(Head::claim(self.store(), &self.name).unwrap());
    }

    fn assert_no_divergences(&mut self) {
        let found: Vec<_> = self.head_mut().take_divergences().iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}:\n{}", self.capture.name, found.join("\n"));
    }

    /// The state as an archive.
    pub(crate) fn export(&self) -> Vec<u8> {
        let (state, mut out) = (self.head().state(), Vec::new());
        let with_users = scope(self.capture) == Scope::UsersAndAdmin;
        let plan = export::plan(state, self.store(), &Filter::default(), with_users).unwrap();
        let parts = plan.entries.iter().map(|entry| entry.part.clone()).collect();
        let versions = Versions::default();
        let writer = ArchiveWriter::new(&mut out, "rs0", Compression::Plain, &versions, parts).unwrap();
        export::write(state, self.store(), &plan, writer).unwrap();
        out
    }

    /// The store is sound, all of it.
    pub(crate) fn assert_sound(&self) {
        let report = self.store().verify(Depth::Full, &Quiet).unwrap();
        assert!(report.is_clean(), "{report:?}");
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
            state.for_each(self.store(), uuid, insert).unwrap();
            let misfits = state.fold(self.store(), uuid, &mut |_| Ok(())).unwrap();
            assert!(misfits.is_empty(), "{misfits:?}");
            model.create(uuid, ours).unwrap();
        }
        let difference = difference(&model, &self.capture.final_, scope(self.capture));
        assert!(difference.is_empty(), "{}:\n{}", self.capture.name, difference.join("\n"));
    }
}

/// Nothing is kept back for a full disk: 32 MiB for each of many stores.
fn on_disk() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0)
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
