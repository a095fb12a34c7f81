//! The n-th changing call of the backend fails, for every n: what was acknowledged is there, and the refs
//! make one chain, at once and after a restart.

use crate::make::{at, chain, entries, read_all, slices_of, start, ts};
use crate::places::Place;
use std::sync::Arc;
use tidemark_base::ErrorKind;
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{Backend, Session, Store};
use tidemark_oplog::slice::{Link, Slice};
use tidemark_oplog::store::{ChainNumber, StoreError, Tip};

/// How often something is tried: a failure happens once.
const ATTEMPTS: usize = 3;

/// What was acknowledged.
#[derive(Default)]
struct Promises {
    began: bool,
    slices: Vec<Slice>,
    expiry_asked: bool,
    expired: bool,
    restarted: bool,
    finished: bool,
}

/// A front-end: opens a session, does one thing, and tries again with a new session after a failure.
struct Worker {
    store: Store,
    session: Option<Session>,
}

impl Worker {
    fn tries<T>(&mut self, mut work: impl FnMut(&Session) -> Result<T, StoreError>) -> Option<T> {
        for _ in 0..ATTEMPTS {
            let session = match self.session.take() {
                Some(session) => session,
                None => match self.store.session(&[]) {
                    Ok(session) => session,
                    Err(_) => continue,
                },
            };
            match work(&session) {
                Ok(done) => {
                    self.session = Some(session);
                    return Some(done);
                }
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::Retry | ErrorKind::Fenced), "{error}");
                }
            }
        }
        None
    }

    /// Four slices, expiry of the first two, two more, and a new chain with one.
    fn work(&mut self, made: &[Slice], behind: &Slice, promises: &mut Promises) -> Option<()> {
        let slices = slices_of(&self.store);
        self.tries(|session| slices.start(session, start()))?;
        promises.began = true;
        for (number, slice) in made.iter().enumerate() {
            if number == 4 {
                promises.expiry_asked = true;
                self.tries(|session| slices.expire(session, ts(11)))?;
                promises.expired = true;
            }
            let appended = self.tries(|session| slices.append(session, &slice.bytes))?;
            assert_eq!(appended.tip().link, slice.header.end());
            promises.slices.push(slice.clone());
        }
        let from = slices.tip().unwrap().unwrap();
        self.tries(|session| slices.restart(session, &from, behind.header.previous))?;
        promises.restarted = true;
        self.tries(|session| slices.append(session, &behind.bytes))?;
        promises.finished = true;
        Some(())
    }
}

impl Promises {
    fn check(&self, store: &Store, made: &[Slice], behind: &Slice) {
        let slices = slices_of(store);
        assert_eq!(slices.check().unwrap(), []);
        let Some(tip) = slices.tip().unwrap() else {
            assert!(!self.began);
            return;
        };
        let ranges = slices.restorable().unwrap();
        let old = ranges.iter().find(|it| it.chain == ChainNumber(1));
        let end = old.map_or(start(), |it| it.until);
        // The chain ends with what was acknowledged last, or with the one that was under way.
        let acknowledged = self.slices.len();
        let ends: Vec<Link> = [start()]
            .into_iter()
            .chain(made.iter().map(|it| it.header.end()))
            .skip(acknowledged)
            .take(2)
            .collect();
        assert!(ends.contains(&end), "{acknowledged} acknowledged, the chain ends at {end}");
        let gone =
            made.iter().take_while(|it| old.is_some_and(|old| it.header.first.ts <= old.after.at.ts)).count();
        match (self.expiry_asked, self.expired) {
            (false, _) => assert_eq!(gone, 0),
            (true, false) => assert!(gone == 0 || gone == 2),
            (true, true) => assert_eq!(gone, 2),
        }
        let kept = self.slices.get(gone..).unwrap_or_default();
        if let Some(last) = kept.last() {
            let first = old.unwrap().after.at.ts;
            let stored = slices.range(ChainNumber(1), first, last.header.last.ts).unwrap();
            assert_eq!(
                read_all(&slices, &stored),
                kept.iter().map(|it| entries(&it.bytes)).collect::<Vec<_>>()
            );
        }
        assert!(tip.chain == ChainNumber(2) || !self.restarted);
        if self.finished {
            let new = Tip { chain: ChainNumber(2), start: behind.header.previous, link: behind.header.end() };
            assert_eq!(tip, new);
        }
    }
}

/// Works with call `at.call` failing; whether there were that many.
fn fails(place: Place, at_call: FaultAt) -> bool {
    let made = chain(start(), 6, "a");
    let [behind] = chain(Link::genesis(at(900, 2)), 1, "b").try_into().unwrap();
    let failing = Arc::new(FaultBackend::new(place.backend(), at_call));
    let mut worker = Worker { store: Store::new(Arc::clone(&failing) as Arc<dyn Backend>), session: None };
    let mut promises = Promises::default();
    let finished = worker.work(&made, &behind, &mut promises).is_some();
    assert!(finished || at_call.and_all_later, "one failure must not end the work");
    let came = failing.calls() >= at_call.call;
    drop(worker);
    drop(failing);
    promises.check(&place.store(), &made, &behind);
    promises.check(&place.restart().store, &made, &behind);
    came
}

fn every_call_fails(make: fn() -> Place, fault: Fault, and_all_later: bool) {
    let mut call = 1;
    while fails(make(), FaultAt { call, fault, and_all_later }) {
        call += 1;
    }
    assert!(call > 25, "the work has only {call} changing calls");
}

macro_rules! cases {
    ($($name:ident: $place:ident, $fault:ident, $later:literal;)+) => {
        $(
            #[test]
            fn $name() {
                every_call_fails(Place::$place, Fault::$fault, $later);
            }
        )+
    };
}

cases! {
    a_call_that_fails_once_in_memory: memory, Fail, false;
    a_call_whose_outcome_is_unknown_in_memory: memory, FailAfter, false;
    a_torn_call_in_memory: memory, Tear, false;
    a_backend_that_is_dead_from_a_call_on_in_memory: memory, Fail, true;
    a_backend_that_is_dead_after_a_call_in_memory: memory, FailAfter, true;
    a_call_that_fails_once_on_disk: local, Fail, false;
    a_call_whose_outcome_is_unknown_on_disk: local, FailAfter, false;
    a_torn_call_on_disk: local, Tear, false;
    a_backend_that_is_dead_from_a_call_on_on_disk: local, Fail, true;
    a_backend_that_is_dead_after_a_call_on_disk: local, FailAfter, true;
}
