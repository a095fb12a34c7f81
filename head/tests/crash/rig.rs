//! Does the steps of a script with a real head in a store.

use crate::picture::Refs;
use crate::script::{Late, Script, Step};
use crate::source::{Collections, Documents, KEPT};
use bson::Document;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{BlockId, ErrorKind, Timestamp, UnixMillis};
use tidemark_blockstore::{GcOptions, Quiet, Store};
use tidemark_head::compaction::{Plan, UNPACED};
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_head::run::KeyRange;
use tidemark_head::state::State;
use tidemark_head::{HeadError, key, snapshot};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::Link;
use tidemark_oplog::store::StoreError;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Slices(#[from] StoreError),
    #[error(transparent)]
    Store(#[from] tidemark_blockstore::Error),
}

impl Failure {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Head(error) => error.kind(),
            Self::Slices(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }
}

pub(crate) fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

/// Who works on the head.
pub(crate) struct Rig<'s> {
    script: &'s Script,
    // Before the store, so that it ends first.
    head: Option<Head>,
    store: Option<Store>,
    reopen: Option<Box<dyn Fn() -> Store + 's>>,
}

impl<'s> Rig<'s> {
    /// Works in a store that cannot be opened again: then it just goes on.
    pub(crate) fn new(script: &'s Script, store: Store) -> Self {
        Self { script, head: None, store: Some(store), reopen: None }
    }

    /// Works in a store that is opened in this way.
    pub(crate) fn opening(script: &'s Script, open: impl Fn() -> Store + 's) -> Self {
        Self { script, head: None, store: Some(open()), reopen: Some(Box::new(open)) }
    }

    pub(crate) const fn script(&self) -> &'s Script {
        self.script
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// How far was applied.
    pub(crate) fn applied(&self) -> Option<Timestamp> {
        self.head.as_ref().map(|head| head.at().ts)
    }

    fn head(&mut self) -> &mut Head {
        self.head.as_mut().expect("a script makes its head first")
    }

    /// Throws away what is in memory.
    pub(crate) fn drop_head(&mut self) {
        self.head = None;
    }

    /// Takes the head over, and applies what was appended up to here.
    pub(crate) fn claim(&mut self, until: Option<Timestamp>) -> Result<(), Failure> {
        self.head = None;
        self.head = Some(Head::claim(self.store(), &name())?);
        until.map_or(Ok(()), |until| self.apply(until))
    }

    /// Does one step.
    pub(crate) fn run(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Begin => {
                let session = self.store().session(&[])?;
                let first = *self.script.source.states.keys().next().unwrap();
                let start = Link::genesis(crate::source::at(first.secs, 1));
                name().slices(self.store()).start(&session, start)?;
            }
            Step::Import => self.head = Some(self.import()?),
            Step::Append(number) => {
                let session = self.store().session(&[])?;
                name().slices(self.store()).append(&session, &self.script.slices[*number])?;
            }
            Step::Apply(until) => self.apply(*until)?,
            Step::Flush => drop(self.head().flush()?),
            Step::Compact => drop(self.head().compact()?),
            Step::CompactRange(from, before) => compact_range(self.head(), *from, *before)?,
            Step::Snapshot => {
                self.head().snapshot(&UnixMillis(0))?;
            }
            Step::Prove(id) => {
                let proof = snapshot::prove(self.store(), &name(), *id)?;
                assert!(proof.divergences.is_empty(), "{:?}", proof.divergences);
            }
            Step::Delete(id) => snapshot::delete(self.store(), &name(), *id)?,
            Step::Rewind(id) => self.head().rewind(*id)?,
            Step::Expire(before) => {
                let session = self.store().session(&[])?;
                name().slices(self.store()).expire(&session, *before)?;
            }
            Step::TakeOver(late) => self.take_over(*late)?,
            Step::Collect { sweep } => {
                let report = self.store().collect(GcOptions { dry_run: false, sweep: *sweep }, &Quiet)?;
                assert_eq!(report.damaged, Vec::<String>::new());
            }
            Step::Reopen => self.reopen()?,
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.head = None;
        if let Some(open) = &self.reopen {
            self.store = None;
            self.store = Some(open());
        }
        self.claim(None)
    }

    fn import(&self) -> Result<Head, Failure> {
        let (first, collections) = self.script.source.states.iter().next().unwrap();
        // A small budget: what is built is flushed and folded on the way.
        let at = crate::source::at(first.secs, 1);
        let mut import = Import::begin(self.store(), at, Filter::default(), 20_000)?;
        for (uuid, (name, documents)) in collections {
            let (database, name) = ("app".to_owned(), (*name).to_owned());
            let options = Document::new().to_vec().unwrap();
            import.collection(*uuid, Collection { database, name, options, indexes: Vec::new() })?;
            let documents: Vec<&Arc<Vec<u8>>> = documents.values().collect();
            for some in documents.chunks(40) {
                let some: Vec<_> = some.iter().map(|it| Doc::new(it).unwrap()).collect();
                import.documents(*uuid, &some)?;
            }
        }
        Ok(import.finish(&name(), None)?)
    }

    /// Applies slices of the present chain, up to here.
    fn apply(&mut self, until: Timestamp) -> Result<(), Failure> {
        let slices = name().slices(self.store());
        let Some(tip) = slices.tip()? else { return Ok(()) };
        let from = self.head().at().ts;
        let mut plain = Vec::new();
        for stored in slices.range(tip.chain, from, until)? {
            let entries: Vec<_> = slices.read(&stored, &mut plain)?.iter().collect();
            let is_whole = stored.header.last.ts <= until;
            let wanted: Vec<_> = entries.into_iter().filter(|entry| ts(*entry) <= until).collect();
            self.head().apply(&wanted)?;
            if is_whole {
                self.head().pass_slice(stored.header.end())?;
            }
        }
        Ok(())
    }

    /// Another claims the head. Who had it is fenced, whatever it tries, and changes nothing.
    fn take_over(&mut self, late: Late) -> Result<(), Failure> {
        let mut loser = self.head.take().expect("a script makes its head first");
        self.head = Some(Head::claim(self.store(), &name())?);
        let before = Refs::read(self.store())?;
        let outcome = try_late(&mut loser, late);
        assert_eq!(Refs::read(self.store())?, before, "{late:?} of one who was taken over");
        match outcome {
            Err(HeadError::Fenced { .. }) => Ok(()),
            // Not that it may: whoever makes calls fail must say that it was one of those.
            Err(error) => Err(error.into()),
            Ok(()) => panic!("{late:?} of one who was taken over succeeds"),
        }
    }

    /// Tries something, whether or not the head is still its own.
    pub(crate) fn late(&mut self, late: Late) -> Result<(), HeadError> {
        try_late(self.head(), late)
    }

    /// The head holds what the source had there.
    pub(crate) fn assert_documents(&mut self) {
        let store = self.store().clone();
        let head = self.head();
        let divergences = head.take_divergences();
        assert!(divergences.is_empty(), "{divergences:?}");
        assert_eq!(
            documents(&store, head.state()).unwrap(),
            self.script.source.states[&self.applied().unwrap()]
        );
    }

    /// Every snapshot holds what the source had there.
    pub(crate) fn assert_snapshots(&self) {
        for (id, kept) in snapshot::list(self.store(), &name()).unwrap() {
            assert_eq!(self.documents_of(kept.root), self.script.source.states[&kept.at.ts], "snapshot {id}");
        }
    }

    fn documents_of(&self, root: BlockId) -> Collections {
        let state = State::open(self.store(), root).unwrap();
        documents(self.store(), &state).unwrap()
    }
}

fn try_late(head: &mut Head, late: Late) -> Result<(), HeadError> {
    match late {
        Late::Flush => head.flush().map(drop),
        Late::Compact => head.compact().map(drop),
        Late::Snapshot => head.snapshot(&UnixMillis(0)).map(drop),
        Late::CompactRange(from, before) => compact_range(head, from, before),
        Late::Rewind(id) => head.rewind(id),
    }
}

/// Folds a stretch of the documents that stay.
fn compact_range(head: &mut Head, from: i32, before: i32) -> Result<(), HeadError> {
    let key_of = |id: i32| {
        let (id, mut key) = (bson::doc! {"_id": id}.to_vec().unwrap(), Vec::new());
        key::key_of_document(Doc::new(&id).unwrap(), &mut key).unwrap();
        key
    };
    let mut plan = Plan::new();
    plan.add(KEPT.uuid, KeyRange { from: Some(key_of(from)), before: Some(key_of(before)) });
    head.compact_by(&plan, UNPACED).map(drop)
}

fn ts(entry: Doc<'_>) -> Timestamp {
    let document = Document::from_reader(entry.as_bytes()).unwrap();
    let at = document.get_timestamp("ts").unwrap();
    Timestamp { secs: at.time, ordinal: at.increment }
}

/// All documents of a state.
fn documents(store: &Store, state: &State) -> Result<Collections, HeadError> {
    let mut found = Collections::new();
    for (uuid, collection) in state.catalog().iter() {
        let mut documents = Documents::new();
        let misfits = state.fold(store, uuid, &mut |document| {
            let id = Document::from_reader(document).unwrap().get_i32("_id").unwrap();
            documents.insert(id, Arc::new(document.to_vec()));
            Ok(())
        })?;
        assert!(misfits.is_empty(), "{misfits:?}");
        let name = if collection.name == "kept" { "kept" } else { "passing" };
        found.insert(uuid, (name, documents));
    }
    Ok(found)
}
