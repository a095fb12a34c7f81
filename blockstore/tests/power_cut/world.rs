//! Runs a history on a machine, and keeps the account of what was promised.
//!
//! A process that is killed, or whose operation fails, reacts as the crate's documentation tells it to: after
//! a failed put or sync the session is given up, after a failed publish the refs are read.

use crate::account::{Account, Contents, PROCESSES, Refs, names};
use crate::script::{Act, Step};
use crate::sim::machine::Machine;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidemark_base::{BlockId, BlockKind, ErrorKind, SeededEntropy};
use tidemark_blockstore::{
    BlockRef, Error, Expect, GcOptions, Healed, NewRef, OpenOptions, Quiet, RefChange, Result, Session, Store,
};

/// Short, so that a history has many rewritings.
const REWRITE_LOG_FROM_BYTES: u64 = 1200;

/// How stores are opened here; no reserve, since its 32 MiB would be most of every image.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0).rewrite_log_from_bytes(REWRITE_LOG_FROM_BYTES)
}

/// A process that has the store open.
struct Process {
    // Before the store, so that it ends first.
    session: Option<Work>,
    store: Store,
}

struct Work {
    session: Session,
    /// What may be used as a child: put or pinned by this session.
    has: BTreeSet<BlockId>,
    /// The newest node put.
    newest: Option<BlockId>,
}

/// A machine, its processes, and everything ever put.
pub(crate) struct World {
    pub(crate) machine: Arc<Machine>,
    pub(crate) contents: Contents,
    processes: [Option<Process>; PROCESSES],
    openings: u64,
    /// Whether operations may fail without the process being killed.
    faults: bool,
    /// Whether opening the store is expected to rebuild the index.
    pub(crate) heals: bool,
    deaths: u64,
}

/// The refs of a store, as the account has them.
pub(crate) fn refs_of(store: &Store) -> Result<Refs> {
    let refs = store.list_refs("")?;
    Ok(refs.into_iter().map(|(name, found)| (name, (found.roots, found.value))).collect())
}

impl World {
    /// A world with a new store, made on the machine.
    pub(crate) fn new(machine: Arc<Machine>) -> Self {
        let disk = machine.disk(0);
        drop(options().disk(disk).entropy(Box::new(SeededEntropy::new(7))).create(machine.root()).unwrap());
        machine.account(|account| account.made = true);
        let (contents, processes) = (Contents::default(), [None, None]);
        Self { machine, contents, processes, openings: 0, faults: false, heals: false, deaths: 0 }
    }

    /// The same, for tests in which operations fail.
    pub(crate) fn with_faults(machine: Arc<Machine>) -> Self {
        Self { faults: true, ..Self::new(machine) }
    }

    /// Does one step. A process that dies of it is cleared away.
    pub(crate) fn act(&mut self, (process, step): Act) {
        let outcome = self.step(process, step);
        if self.machine.is_dead(process) {
            self.bury(process);
            return;
        }
        if let Err(e) = outcome {
            assert!(self.faults && self.machine.has_failed(), "{step:?} failed without cause: {e}");
            self.recover(process, &e);
        }
    }

    /// Closes everything, as a shutdown in good order.
    pub(crate) fn close(&mut self) {
        for process in 0..PROCESSES {
            self.act((process, Step::Close));
        }
    }

    /// The store as a process sees it, opened if it is not yet.
    pub(crate) fn store(&mut self, process: usize) -> Store {
        self.open(process).unwrap().store.clone()
    }

    fn account<T>(&self, work: impl FnOnce(&mut Account) -> T) -> T {
        self.machine.account(work)
    }

    pub(crate) fn is_open(&self, process: usize) -> bool {
        self.processes[process].is_some()
    }

    /// How many processes were killed.
    pub(crate) const fn deaths(&self) -> u64 {
        self.deaths
    }

    /// The process is gone, and with it the protection of what it put.
    fn bury(&mut self, process: usize) {
        self.account(|account| account.synced[process].clear());
        self.processes[process] = None;
        self.machine.revive(process);
        self.deaths += 1;
    }

    /// After a failure: give the session up, and read what the refs are.
    fn recover(&mut self, process: usize, error: &Error) {
        assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
        assert_eq!(error.is_full(), self.machine.was_full(), "{error}");
        let promised = self.account(|account| std::mem::take(&mut account.synced[process]));
        let Some(open) = &mut self.processes[process] else { return };
        for id in promised {
            // The session is still open, so what it made durable before is protected.
            open.store.get_one(id).unwrap();
        }
        open.session = None;
        let refs = refs_of(&open.store).unwrap();
        self.account(|account| {
            assert!(account.allows(&refs), "after {error}: refs {}, not {account}", names(&refs));
            account.refs_are(refs);
        });
    }

    fn open(&mut self, process: usize) -> Result<&mut Process> {
        if self.processes[process].is_none() {
            self.openings += 1;
            let entropy = Box::new(SeededEntropy::new(self.openings << 8));
            let disk = self.machine.disk(process);
            let backend = options().disk(disk).entropy(entropy).open(self.machine.root())?;
            let serious = backend.healed().iter().find(|it| !matches!(it, Healed::PublishCompleted));
            assert!(self.heals || serious.is_none(), "opening healed {serious:?}");
            let store = Store::new(Arc::new(backend));
            let refs = refs_of(&store)?;
            self.machine.account(|account| {
                assert!(account.allows(&refs), "opened with refs {}, not {account}", names(&refs));
                account.refs_are(refs);
            });
            self.processes[process] = Some(Process { session: None, store });
        }
        Ok(self.processes[process].as_mut().expect("opened above"))
    }

    fn work(&mut self, process: usize) -> Result<(&mut Work, &mut Contents, &Machine)> {
        if self.open(process)?.session.is_none() {
            self.session(process, None)?;
        }
        let open = self.processes[process].as_mut().expect("opened above");
        Ok((open.session.as_mut().expect("opened above"), &mut self.contents, &self.machine))
    }

    fn session(&mut self, process: usize, pin: Option<u64>) -> Result<()> {
        self.end(process)?;
        let pinned = pin.and_then(|at| {
            self.account(|account| {
                let refs: Vec<_> = account.refs.iter().collect();
                let (name, (roots, _)) = refs.get(at as usize % refs.len().max(1))?;
                Some(((*name).clone(), roots.clone()))
            })
        });
        let (names, roots) = pinned.map_or((Vec::new(), Vec::new()), |(name, roots)| (vec![name], roots));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let has = self.contents.reach(&roots);
        let open = self.open(process)?;
        let session = open.store.session(&names)?;
        open.session = Some(Work { session, has: has.clone(), newest: None });
        self.account(|account| account.synced[process] = has);
        Ok(())
    }

    fn end(&mut self, process: usize) -> Result<()> {
        self.account(|account| account.synced[process].clear());
        match self.open(process)?.session.take() {
            Some(work) => work.session.close(),
            None => Ok(()),
        }
    }

    fn step(&mut self, process: usize, step: Step) -> Result<()> {
        match step {
            Step::Session { pin } => self.session(process, pin),
            Step::Put { first, count, node } => self.put(process, first, count, node),
            Step::Sync => self.sync(process),
            Step::Publish { set, delete, value_len } => self.publish(process, set, delete, value_len),
            Step::Delete { name } => {
                self.work(process)?;
                self.change(process, &[change(name, None)])
            }
            Step::Checkpoint => self.checkpoint(process),
            Step::End => self.end(process),
            Step::Collect { sweep } => self.collect(process, sweep),
            Step::Close => {
                self.account(|account| account.synced[process].clear());
                self.processes[process] = None;
                Ok(())
            }
            Step::Kill { after, death } => {
                self.machine.kill_after(process, after, death);
                Ok(())
            }
        }
    }

    fn put(&mut self, process: usize, first: u64, count: u64, node: bool) -> Result<()> {
        let faults = self.faults;
        let (work, contents, _) = self.work(process)?;
        let mut ids: Vec<BlockId> = (first..first + count).map(|number| contents.leaf(number)).collect();
        if node {
            let children: Vec<BlockId> =
                work.has.iter().copied().take(5).chain(ids.iter().copied()).collect();
            ids.push(contents.node(&children, b"node"));
        }
        let blocks: Vec<BlockRef<'_>> = ids
            .iter()
            .map(|id| match contents.get(id) {
                content if content.kind == BlockKind::Leaf => BlockRef::leaf(&content.bytes),
                content => BlockRef::node(&content.bytes),
            })
            .collect();
        let outcome = work.session.put(&blocks);
        if faults && outcome.is_err() {
            assert!(is_broken(&work.session, &blocks), "a session goes on after a failed put");
        }
        assert_eq!(outcome?, ids);
        work.has.extend(&ids);
        if node {
            work.newest = ids.pop();
        }
        Ok(())
    }

    fn sync(&mut self, process: usize) -> Result<()> {
        let faults = self.faults;
        let (work, _, machine) = self.work(process)?;
        let outcome = work.session.sync();
        if faults && outcome.is_err() {
            assert!(
                is_broken(&work.session, &[BlockRef::leaf(b"x")]),
                "a session goes on after a failed sync"
            );
        }
        outcome?;
        machine.account(|account| account.synced[process].clone_from(&work.has));
        Ok(())
    }

    fn publish(&mut self, process: usize, set: u64, delete: u64, value_len: u64) -> Result<()> {
        let (work, contents, _) = self.work(process)?;
        let children: Vec<BlockId> = work.has.iter().copied().collect();
        let root = contents.node(&children, &value_len.to_le_bytes());
        assert_eq!(work.session.put(&[BlockRef::node(&contents.get(&root).bytes)])?, [root]);
        work.has.insert(root);
        work.newest = Some(root);
        let value = |n: u64| vec![n as u8; value_len as usize];
        let mut changes: Vec<RefChange> = (0..set)
            .map(|n| change(value_len + n, Some(NewRef { roots: vec![root], value: value(n) })))
            .collect();
        changes.extend((0..delete).map(|n| change(value_len + set + n, None)));
        self.change(process, &changes)
    }

    /// Publishes.
    fn change(&mut self, process: usize, changes: &[RefChange]) -> Result<()> {
        // The sync inside would acknowledge nothing by itself; a caller sees only the whole.
        let (work, _, machine) = self.work(process)?;
        let refs = refs_of(work.session.store())?;
        let after = machine.account(|account| {
            assert!(account.allows(&refs), "before a publish: refs {}, not {account}", names(&refs));
            if refs != account.refs {
                // That of another process had been committed before it died.
                account.refs_are(refs);
            }
            account.publish_begins(changes)
        });
        work.session.publish(changes)?;
        machine.account(|account| {
            account.refs_are(after);
            account.synced[process].clone_from(&work.has);
        });
        Ok(())
    }

    fn checkpoint(&mut self, process: usize) -> Result<()> {
        let (work, contents, machine) = self.work(process)?;
        let finished: Vec<BlockId> = work.newest.into_iter().collect();
        let kept = contents.reach(&finished);
        machine.account(|account| account.synced[process].retain(|id| kept.contains(id)));
        work.session.checkpoint(&[], &finished)?;
        work.has.clone_from(&kept);
        machine.account(|account| account.synced[process] = kept);
        Ok(())
    }

    fn collect(&mut self, process: usize, sweep: bool) -> Result<()> {
        let store = self.open(process)?.store.clone();
        let report = store.collect(GcOptions { dry_run: false, sweep }, &Quiet)?;
        if !self.faults {
            assert_eq!(report.damaged, Vec::<String>::new());
        }
        let refs = refs_of(&store)?;
        self.account(|account| {
            assert!(account.allows(&refs), "after collecting: refs {}, not {account}", names(&refs));
            // The collection has cut off what a dead publish left behind.
            account.refs_are(refs);
        });
        Ok(())
    }
}

/// Whether a session that failed says so from now on.
fn is_broken(session: &Session, blocks: &[BlockRef<'_>]) -> bool {
    let broken = |outcome: Result<()>| matches!(outcome, Err(Error::SessionBroken { .. }));
    broken(session.put(blocks).map(drop)) && broken(session.sync()) && broken(session.checkpoint(&[], &[]))
}

/// A change of one of four refs.
fn change(name: u64, set: Option<NewRef>) -> RefChange {
    RefChange { name: format!("g/{}", name % 4), expect: Expect::Any, set }
}
