//! The n-th changing call of a backend fails, for every n: nothing acknowledged is lost, and the caller that
//! reacts as documented reaches its end.
//!
//! The same work ([`work`]) is done on each backend behind [`FaultBackend`]. Failures below the backend, in
//! the operations of the disk, are tested on the model in `tests/power_cut`.

#![expect(clippy::unwrap_used, reason = "a test")]

mod work;

use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{
    Backend, BlockRef, Error, GcOptions, LocalBackend, MemoryBackend, OpenOptions, Quiet, Session, Store,
};
use work::Worker;

/// A store that can be looked at behind the failing wrapper, and after a restart.
trait Place {
    /// The backend that does not fail.
    fn sound(&self) -> Arc<dyn Backend>;

    /// The store as the next process finds it.
    fn restart(self: Box<Self>) -> Restarted;
}

/// A store after a restart, and the folder it lies in if it lies in one.
struct Restarted {
    store: Store,
    _dir: Option<TempDir>,
}

struct Memory(Arc<MemoryBackend>);

impl Memory {
    fn make() -> Box<dyn Place> {
        Box::new(Self(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1)))))
    }
}

impl Place for Memory {
    fn sound(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.0) as Arc<dyn Backend>
    }

    fn restart(self: Box<Self>) -> Restarted {
        let next = self.0.reopen(&mut SeededEntropy::new(2));
        next.crash();
        Restarted { store: Store::new(Arc::new(next)), _dir: None }
    }
}

struct Local {
    dir: TempDir,
    root: PathBuf,
    backend: Arc<LocalBackend>,
}

/// In memory if the system offers that: what is on a real disk is not the matter here.
fn scratch() -> TempDir {
    let in_memory = tempfile::Builder::new().prefix("tidemark-fail-").tempdir_in("/dev/shm");
    in_memory.or_else(|_| TempDir::new()).unwrap()
}

fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0).rewrite_log_from_bytes(600)
}

impl Local {
    fn make() -> Box<dyn Place> {
        let dir = scratch();
        let root = dir.path().join("store");
        let backend = Arc::new(options().create(&root).unwrap());
        Box::new(Self { dir, root, backend })
    }
}

impl Place for Local {
    fn sound(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend) as Arc<dyn Backend>
    }

    fn restart(self: Box<Self>) -> Restarted {
        let Self { dir, root, backend } = *self;
        drop(backend);
        let backend = options().open(&root).unwrap();
        assert_eq!(backend.healed(), [], "nothing was to be put right");
        Restarted { store: Store::new(Arc::new(backend)), _dir: Some(dir) }
    }
}

/// Works with call `at.call` failing; whether there were that many.
fn fails(make: fn() -> Box<dyn Place>, at: FaultAt) -> bool {
    let place = make();
    let failing = Arc::new(FaultBackend::new(place.sound(), at));
    let mut worker = Worker::new(Store::new(Arc::clone(&failing) as Arc<dyn Backend>));
    let finished = worker.work();
    assert!(finished || at.and_all_later, "one failure must not end the work");
    let came = failing.calls() >= at.call;
    let promises = worker.leave();
    drop(failing);
    promises.check(&Store::new(place.sound()));
    promises.check(&place.restart().store);
    came
}

fn every_call_fails(make: fn() -> Box<dyn Place>, fault: Fault, and_all_later: bool) {
    let mut call = 1;
    while fails(make, FaultAt { call, fault, and_all_later }) {
        call += 1;
    }
    assert!(call > 40, "the work has only {call} changing calls");
}

macro_rules! cases {
    ($($name:ident: $place:ident, $fault:ident, $later:literal;)+) => {
        $(
            #[test]
            fn $name() {
                every_call_fails($place::make, Fault::$fault, $later);
            }
        )+
    };
}

cases! {
    a_call_that_fails_once_in_memory: Memory, Fail, false;
    a_call_whose_outcome_is_unknown_in_memory: Memory, FailAfter, false;
    a_torn_call_in_memory: Memory, Tear, false;
    a_backend_that_is_dead_from_a_call_on_in_memory: Memory, Fail, true;
    a_backend_that_is_dead_after_a_call_in_memory: Memory, FailAfter, true;
    a_call_that_fails_once_on_disk: Local, Fail, false;
    a_call_whose_outcome_is_unknown_on_disk: Local, FailAfter, false;
    a_torn_call_on_disk: Local, Tear, false;
    a_backend_that_is_dead_from_a_call_on_on_disk: Local, Fail, true;
    a_backend_that_is_dead_after_a_call_on_disk: Local, FailAfter, true;
}

/// Puts one leaf.
fn leaf(session: &Session, bytes: &[u8]) -> Result<tidemark_base::BlockId, Error> {
    session.put(&[BlockRef::leaf(bytes)]).map(|ids| ids[0])
}

/// A session that relies on another's block, checkpoints, and is told that this failed at the given call,
/// although it happened: from then on it no longer protects the block. Whether a checkpoint failed so.
fn checkpoint_fails_after(call: u64) -> bool {
    let memory = MemoryBackend::new(&mut SeededEntropy::new(1));
    let other = Store::new(Arc::new(memory.reopen(&mut SeededEntropy::new(2))));
    let at = FaultAt { call, fault: Fault::FailAfter, and_all_later: false };
    let store = Store::new(Arc::new(FaultBackend::new(Arc::new(memory), at)));
    let Ok(session) = store.session(&[]) else { return false };
    let helper = other.session(&[]).unwrap();
    leaf(&helper, b"garbage of another session").unwrap();
    helper.sync().unwrap();
    helper.close().unwrap();
    let Ok(relied_on) = leaf(&session, b"garbage of another session") else { return false };
    other.collect(GcOptions::default(), &Quiet).unwrap();
    let failed = session.checkpoint(&[], &[]).is_err();
    if let Ok(id) = leaf(&session, b"garbage of another session") {
        session.sync().unwrap();
        for _ in 0..3 {
            other.collect(GcOptions::default(), &Quiet).unwrap();
        }
        assert!(other.get_one(id).is_ok(), "call {call}: what was put after the checkpoint is gone");
    }
    if failed {
        let again = session.checkpoint(&[], &[relied_on]);
        assert!(matches!(again, Err(Error::SessionBroken { .. })), "call {call}: {again:?}");
    }
    failed
}

#[test]
fn a_checkpoint_whose_outcome_is_unknown_breaks_its_session() {
    let failed = (1..10).filter(|call| checkpoint_fails_after(*call)).count();
    assert_eq!(failed, 1, "with nothing to sync, one call is the checkpoint's");
}

/// What the checkpoint itself refuses has changed nothing.
#[test]
fn a_checkpoint_that_is_refused_leaves_its_session_in_use() {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
    let session = store.session(&[]).unwrap();
    let absent = BlockRef::leaf(b"absent").id();
    assert!(matches!(session.checkpoint(&[], &[absent]), Err(Error::Missing { .. })));
    assert!(matches!(session.checkpoint(&["absent"], &[]), Err(Error::NoSuchRef { .. })));
    let pins = vec![leaf(&session, b"put").unwrap(); tidemark_base::limits::MAX_SESSION_PINS + 1];
    session.sync().unwrap();
    assert!(matches!(session.checkpoint(&[], &pins), Err(Error::Invalid { .. })));
    session.checkpoint(&[], &pins[..1]).unwrap();
}
