//! What is done with the failing store, how failures are met, and what must be there in the end.

use std::collections::BTreeMap;
use tidemark_base::{BlockId, Entropy as _, ErrorKind, SeededEntropy};
use tidemark_blockstore::{
    BlockRef, Depth, Error, Expect, GcOptions, NewRef, Quiet, RefChange, Result, Session, Store, encode_node,
};

/// A piece of work that can be done again from its start.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// Puts these leaves, in two parts with a sync between, and sets a ref to a node over them.
    Set { name: &'static str, leaves: (u64, u64) },
    /// The same, kept over a checkpoint.
    SetWithCheckpoint { name: &'static str, leaves: (u64, u64) },
    /// Deletes a ref.
    Delete { name: &'static str },
    /// Collects garbage.
    Collect { sweep: bool },
}

/// Leaves overlap, packs become garbage and sparse, condemned ones are used again.
const WORK: [Task; 12] = [
    Task::Set { name: "a", leaves: (0, 6) },
    Task::Set { name: "b", leaves: (4, 9) },
    Task::Set { name: "a", leaves: (9, 12) },
    Task::Collect { sweep: false },
    Task::SetWithCheckpoint { name: "c", leaves: (0, 3) },
    Task::Delete { name: "b" },
    Task::Collect { sweep: true },
    Task::Set { name: "b", leaves: (5, 7) },
    Task::Set { name: "a", leaves: (20, 22) },
    Task::Collect { sweep: false },
    Task::Delete { name: "c" },
    Task::Collect { sweep: true },
];

/// How often a task is tried: a failure happens once.
const ATTEMPTS: usize = 3;

/// The refs, each with the leaves below it.
type Refs = BTreeMap<String, Option<(u64, u64)>>;

/// What was acknowledged, and what the call under way may have done.
pub(crate) struct Promises {
    refs: Refs,
    under_way: Option<Refs>,
}

/// One caller of the store.
pub(crate) struct Worker {
    store: Store,
    promises: Promises,
}

fn leaf(number: u64) -> Vec<u8> {
    let mut bytes = vec![0; 1000];
    SeededEntropy::new(number).fill(&mut bytes);
    bytes
}

fn change(name: &str, root: Option<BlockId>) -> [RefChange; 1] {
    let set = root.map(|root| NewRef { roots: vec![root], value: vec![7; 100] });
    [RefChange { name: name.into(), expect: Expect::Any, set }]
}

/// Everything that would claim success on the session, refused.
fn is_broken(session: &Session) -> bool {
    let refused = |outcome: Result<()>| matches!(outcome, Err(Error::SessionBroken { .. }));
    refused(session.put(&[BlockRef::leaf(b"x")]).map(drop))
        && refused(session.sync())
        && refused(session.checkpoint(&[], &[]))
        && refused(session.publish(&change("x", None)).map(drop))
}

fn writes<T>(session: &Session, outcome: Result<T>) -> Result<T> {
    if outcome.is_err() {
        assert!(is_broken(session), "a session goes on after a failure to write");
    }
    outcome
}

fn put(session: &Session, numbers: std::ops::Range<u64>) -> Result<Vec<BlockId>> {
    let leaves: Vec<Vec<u8>> = numbers.map(leaf).collect();
    let blocks: Vec<BlockRef<'_>> = leaves.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
    writes(session, session.put(&blocks))
}

impl Worker {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, promises: Promises { refs: Refs::new(), under_way: None } }
    }

    /// Does all tasks, each again after a failure. Whether it came to the end.
    pub(crate) fn work(&mut self) -> bool {
        WORK.iter().all(|task| (0..ATTEMPTS).any(|_| self.attempt(*task)))
    }

    /// Goes away without a word, as a process that dies.
    pub(crate) fn leave(self) -> Promises {
        self.promises
    }

    fn attempt(&mut self, task: Task) -> bool {
        let Err(error) = self.run(task) else { return true };
        assert!(matches!(error.kind(), ErrorKind::Retry | ErrorKind::Fenced), "{task:?}: {error}");
        // The outcome of a publish is known once the refs are read.
        let found = self.store.list_refs("").unwrap();
        if let Some(after) = self.promises.under_way.take() {
            let before = &self.promises.refs;
            let names = found.iter().map(|(name, _)| name);
            if names.eq(after.keys()) && self.is_as(&after) {
                self.promises.refs = after;
            } else {
                assert!(self.is_as(before), "after {error} the refs are neither as before nor as wanted");
            }
        }
        false
    }

    fn is_as(&self, refs: &Refs) -> bool {
        let found = self.store.list_refs("").unwrap();
        let wanted = refs.iter().map(|(name, leaves)| (name.clone(), leaves.map(root_over)));
        found.into_iter().map(|(name, found)| (name, found.roots.first().copied())).eq(wanted)
    }

    fn run(&mut self, task: Task) -> Result<()> {
        match task {
            Task::Set { name, leaves } => self.set(name, leaves, false),
            Task::SetWithCheckpoint { name, leaves } => self.set(name, leaves, true),
            Task::Delete { name } => {
                let session = self.store.session(&[])?;
                let mut after = self.promises.refs.clone();
                after.remove(name);
                self.publish(&session, &change(name, None), after)?;
                session.close()
            }
            Task::Collect { sweep } => {
                let options = GcOptions { dry_run: false, sweep };
                self.store.collect(options, &Quiet).map(drop)
            }
        }
    }

    fn set(&mut self, name: &str, leaves: (u64, u64), checkpoint: bool) -> Result<()> {
        let session = self.store.session(&[])?;
        let middle = u64::midpoint(leaves.0, leaves.1);
        let mut children = put(&session, leaves.0..middle)?;
        writes(&session, session.sync())?;
        children.extend(put(&session, middle..leaves.1)?);
        let bytes = encode_node(&children, b"")?;
        let root = *writes(&session, session.put(&[BlockRef::node(&bytes)]))?.first().unwrap();
        if checkpoint {
            writes(&session, session.checkpoint(&[], &[]))?;
            put(&session, leaves.0..leaves.1)?;
            writes(&session, session.put(&[BlockRef::node(&bytes)]))?;
            writes(&session, session.sync())?;
            writes(&session, session.checkpoint(&[], &[root]))?;
        }
        let mut after = self.promises.refs.clone();
        after.insert(name.into(), Some(leaves));
        self.publish(&session, &change(name, Some(root)), after)?;
        session.close()
    }

    fn publish(&mut self, session: &Session, changes: &[RefChange], after: Refs) -> Result<()> {
        self.promises.under_way = Some(after.clone());
        session.publish(changes)?;
        self.promises = Promises { refs: after, under_way: None };
        Ok(())
    }
}

/// The name of the node over these leaves.
fn root_over((from, to): (u64, u64)) -> BlockId {
    let children: Vec<BlockId> = (from..to).map(|number| BlockRef::leaf(&leaf(number)).id()).collect();
    BlockRef::node(&encode_node(&children, b"").unwrap()).id()
}

impl Promises {
    /// Holds a store against what was promised; it must also go on working.
    pub(crate) fn check(&self, store: &Store) {
        let worker =
            Worker { store: store.clone(), promises: Promises { refs: Refs::new(), under_way: None } };
        let possible = [Some(&self.refs), self.under_way.as_ref()];
        let refs = possible.into_iter().flatten().find(|refs| worker.is_as(refs));
        let refs = refs.unwrap_or_else(|| panic!("{:?}", store.list_refs("")));
        for round in 0..3 {
            for (from, to) in refs.values().copied().flatten() {
                assert!(store.get_one(root_over((from, to))).is_ok());
                for number in from..to {
                    let id = BlockRef::leaf(&leaf(number)).id();
                    assert_eq!(*store.get_one(id).unwrap().bytes(), *leaf(number));
                }
            }
            let report = store.verify(Depth::Full, &Quiet).unwrap();
            assert!(report.is_clean(), "round {round}: {:?}", report.damage);
            store.collect(GcOptions { dry_run: false, sweep: round == 1 }, &Quiet).unwrap();
        }
        let session = store.session(&[]).unwrap();
        let id = session.put(&[BlockRef::leaf(b"afterwards")]).unwrap();
        session.sync().unwrap();
        assert_eq!(*store.get_one(id[0]).unwrap().bytes(), *b"afterwards");
        session.close().unwrap();
    }
}
